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

/** The names of the cases that fail over this backend. */
export function knownCases(groups: readonly KnownFailures[], backend: BackendName): Set<string> {
  return new Set(groups.filter(({ backends }) => backends.includes(backend)).flatMap(({ cases }) => cases));
}

/**
 * Holds results against what is written down: a failure that is known is expected; a known one that passes is a failure, and so
 * is one that was not run, unless only some cases were asked for.
 */
export function judgeKnownFailures(
  known: ReadonlySet<string>,
  results: readonly CaseResult[],
  isWhole: boolean,
): CaseResult[] {
  const judged = results.map((result): CaseResult => {
    if (!known.has(result.name)) return result;
    if (result.outcome === 'failed') return { ...result, outcome: 'expected' };
    const said = `written down as a failure, and ${result.outcome} now`;
    return { name: result.name, outcome: 'failed', said };
  });
  if (!isWhole) return judged;
  const missing = [...known].filter((name) => !results.some((result) => result.name === name));
  const notRun = missing.map((name): CaseResult => {
    return { name, outcome: 'failed', said: 'written down as a failure, and not run' };
  });
  return [...judged, ...notRun];
}
