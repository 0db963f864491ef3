import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CaseResult } from './cases.ts';
import type { BackendName } from './scene.ts';

/** Cases of a suite that are run and fail, for one reason. */
export interface KnownFailures {
  /** The reason, in a sentence. */
  readonly because: string;
  /** Over which backends they fail. */
  readonly backends: readonly BackendName[];
  readonly cases: readonly string[];
  /** Whether they pass, too: the reason lies in their timing. */
  readonly sometimes?: boolean;
}

/** What `known-failures.json` beside a client's suite says; nothing where there is none. */
export async function readKnownFailures(client: string): Promise<readonly KnownFailures[]> {
  const file = join(import.meta.dirname, client, 'known-failures.json');
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '[]';
    throw error;
  });
  return JSON.parse(text) as KnownFailures[];
}

/** What is written down of each case that fails over this backend, by its name. */
export function knownCases(
  groups: readonly KnownFailures[],
  backend: BackendName,
): Map<string, KnownFailures> {
  const mine = groups.filter(({ backends }) => backends.includes(backend));
  return new Map(mine.flatMap((group) => group.cases.map((name) => [name, group])));
}

/**
 * Holds results against what is written down: a failure that is known is expected; a known one that passes is a failure, unless it
 * does so at times, and so is one that was not run, unless only some cases were asked for.
 */
export function judgeKnownFailures(
  known: ReadonlyMap<string, KnownFailures>,
  results: readonly CaseResult[],
  isWhole: boolean,
): CaseResult[] {
  const judged = results.map((result): CaseResult => {
    const group = known.get(result.name);
    if (!group || (result.outcome === 'passed' && group.sometimes)) return result;
    if (result.outcome === 'failed') return { ...result, outcome: 'expected' };
    const said = `written down as a failure, and ${result.outcome} now`;
    return { name: result.name, outcome: 'failed', said };
  });
  if (!isWhole) return judged;
  const missing = [...known.keys()].filter((name) => !results.some((result) => result.name === name));
  const notRun = missing.map((name): CaseResult => {
    return { name, outcome: 'failed', said: 'written down as a failure, and not run' };
  });
  return [...judged, ...notRun];
}
