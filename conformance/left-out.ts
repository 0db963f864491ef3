import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CaseResult } from './cases.ts';
import type { BackendName } from './scene.ts';

/** Cases that are not run with a client over a backend, because the backend gets them wrong. */
export interface LeftOutGroup {
  readonly client: string;
  readonly backend: BackendName;
  /** What the backend does, in a sentence. */
  readonly because: string;
  /** What each case said when the client was straight at the backend: the first line. */
  readonly cases: Readonly<Record<string, string>>;
}

export async function readLeftOut(): Promise<readonly LeftOutGroup[]> {
  const text = await readFile(join(import.meta.dirname, 'left-out.json'), 'utf8');
  return JSON.parse(text) as LeftOutGroup[];
}

/** What is told of a failure without what differs from run to run: its first line, with numbers and ids masked. */
export function essenceOf(said: string): string {
  const [line = ''] = said.split('\n');
  return line
    .slice(0, 300)
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|0x[0-9a-f]+|\b[0-9a-f]{16,}\b|[A-Za-z0-9+/]{6,}={1,2}/g, '…')
    .replaceAll(/\d+/g, '…');
}

/** Turns round what became of left-out cases straight at the backend: right is that each failed, with what is written down. */
export function checkLeftOut(
  groups: readonly LeftOutGroup[],
  client: string,
  backend: BackendName,
  results: readonly CaseResult[],
): CaseResult[] {
  const mine = groups.filter((group) => group.client === client && group.backend === backend);
  const wanted = mine.flatMap(({ cases }) => Object.entries(cases));
  return wanted.map(([name, said]) => {
    const found = results.find((result) => result.name === name);
    if (found === undefined) return { name, outcome: 'failed', said: 'this case was not run' };
    if (found.outcome !== 'failed') {
      return { name, outcome: 'failed', said: `the backend does it right: it ${found.outcome} there` };
    }
    if (essenceOf(found.said) !== essenceOf(said))
      return { name, outcome: 'failed', said: `written down: ${said}\nsaid now: ${found.said}` };
    return { name, outcome: 'passed', said };
  });
}
