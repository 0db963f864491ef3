import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { type CommandOptions, runCommand } from './run-command.ts';
import type { Outcome } from './stage.ts';

const root = join(import.meta.dirname, '..');

interface JestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly FileResult[];
}

interface FileResult {
  /** Its path. */
  readonly name: string;
  readonly status: string;
  readonly assertionResults: readonly { readonly status: string }[];
}

/** One file in a process of its own, which jest ends, as when there are many: Node may stand still in the end of one that has run it itself. */
const inWorker = ['--maxWorkers=1', '--workerIdleMemoryLimit=8GB'];
/** More files than this fail for a reason that they have in common. */
const mostTriedAgain = 3;

/** Runs jest in its own process, with its report as JSON in `file`. */
export async function runJestInto(file: string, args: readonly string[], options: CommandOptions = {}) {
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const flags = ['--experimental-vm-modules', '--no-warnings', jest, '--json', `--outputFile=${file}`];
  const { code, output } = await runCommand(process.execPath, [...flags, ...args], { cwd: root, ...options });
  // With --json the results are on standard output too, as one line of no use to a reader.
  const lines = output.split('\n').filter((line) => !line.startsWith('{"num'));
  return { code, report: lines.join('\n') };
}

/** Runs jest; a test file that cannot even be loaded counts as one failed test. */
export async function runJest(args: readonly string[], timeoutMs?: number): Promise<Outcome> {
  return (await runFiles(args, timeoutMs)).outcome;
}

/**
 * Runs jest, and up to three files that failed once more, each alone: what passes then counts as passed, and the files are named as
 * unsteady (`docs/decisions/0034-unsteady-tests.md`).
 */
export async function runJestAgain(args: readonly string[]): Promise<Outcome> {
  const { outcome, files } = await runFiles(args);
  const failed = files.filter(({ status }) => status === 'failed');
  if (outcome.failed === 0 || failed.length === 0 || failed.length > mostTriedAgain) return outcome;
  let { passed, skipped, report } = outcome;
  let stillFailed = outcome.failed;
  const unsteady: string[] = [];
  for (const { name, assertionResults } of failed) {
    const alone = await runJest([...inWorker, '--runTestsByPath', name]);
    report += `\n=== again, alone: ${relative(root, name)}\n${alone.report}`;
    if (alone.failed > 0) continue;
    const count = (isWanted: (status: string) => boolean): number =>
      assertionResults.filter(({ status }) => isWanted(status)).length;
    const failedBefore = count((status) => status === 'failed');
    passed += alone.passed - count((status) => status === 'passed');
    skipped += alone.skipped - count((status) => status === 'pending' || status === 'todo');
    // A file that could not be loaded counted as one.
    stillFailed -= failedBefore === 0 ? 1 : failedBefore;
    unsteady.push(relative(root, name));
  }
  return { passed, failed: stillFailed, skipped, report, unsteady };
}

async function runFiles(
  args: readonly string[],
  timeoutMs?: number,
): Promise<{ readonly outcome: Outcome; readonly files: readonly FileResult[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'forebay-jest-'));
  const file = join(folder, 'results.json');
  try {
    const { code, report } = await runJestInto(file, args, { timeoutMs });
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text === undefined) return { outcome: { passed: 0, failed: 1, skipped: 0, report }, files: [] };
    const results = JSON.parse(text) as JestResults;
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const outcome = {
      passed: results.numPassedTests,
      // Jest also fails for reasons that belong to no test, such as a missed coverage threshold.
      failed: failed === 0 && code !== 0 ? 1 : failed,
      skipped: results.numPendingTests + results.numTodoTests,
      report,
    };
    return { outcome, files: results.testResults };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
