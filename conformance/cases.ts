import { readFile } from 'node:fs/promises';

/** What became of one case of a suite. */
export interface CaseResult {
  /** `file::test` as pytest names it, or `file > test`. */
  readonly name: string;
  /**
   * `expected`: it failed, and `known-failures.json` says so and why; `inapplicable`: the suite itself found that it does not
   * concern what it was run against.
   */
  readonly outcome: 'passed' | 'failed' | 'skipped' | 'expected' | 'inapplicable';
  /** Why it failed or was skipped, in the client's own words; else ''. */
  readonly said: string;
}

/** What the pytest suites write, see `conftest.py`. Undefined if nothing was written. */
export async function readPytestResults(file: string): Promise<CaseResult[] | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as CaseResult[]);
}

interface JestReport {
  readonly testResults: readonly {
    readonly message: string;
    readonly name: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** The report that jest writes with `--json`; a file that could not be loaded is one failed case. */
export async function readJestResults(file: string): Promise<CaseResult[] | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { testResults } = JSON.parse(text) as JestReport;
  return testResults.flatMap(({ name, message, assertionResults }): CaseResult[] => {
    const path = name.slice(name.lastIndexOf('/conformance/') + '/conformance/'.length);
    if (assertionResults.length === 0) return [{ name: path, outcome: 'failed', said: message }];
    return assertionResults.map(({ fullName, status, failureMessages }) => ({
      name: `${path} > ${fullName}`,
      outcome: status === 'passed' || status === 'failed' ? status : 'skipped',
      said: failureMessages.join('\n'),
    }));
  });
}
