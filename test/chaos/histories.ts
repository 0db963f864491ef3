import type { Effect, KeyHistory, KeyOperation, Sight } from '../../chaos/checker/operation.ts';
import type { Draws } from '../../fuzz/lib/draws.ts';

export const never = Number.POSITIVE_INFINITY;

/** A history out of rows, each `[startMs, endMs, what]`; each version has its own ETag, its id behind an `e`, unless `etags` says otherwise. */
export function historyOf(
  rows: readonly (readonly [startMs: number, endMs: number, what: Partial<KeyOperation>])[],
  etags: Readonly<Record<string, string | undefined>> = {},
): KeyHistory {
  const operations = rows.map(([startMs, endMs, what], id) => ({ label: '', id, startMs, endMs, ...what }));
  const known = new Map<string, string>();
  for (const { effect } of operations) {
    if (effect?.kind !== 'put') continue;
    const { version } = effect;
    const etag = version in etags ? etags[version] : `e${version}`;
    if (etag !== undefined) known.set(version, etag);
  }
  return { key: 'k', operations, etags: known };
}

export const put = (version: string, sight?: Sight): Partial<KeyOperation> => ({
  effect: { kind: 'put', version },
  sight,
});
export const remove: Partial<KeyOperation> = { effect: { kind: 'delete' } };
export const read = (version: string): Partial<KeyOperation> => ({ sight: { kind: 'version', version } });
export const none: Partial<KeyOperation> = { sight: { kind: 'absent' } };

/** A key of which only what can be seen is known: absent, or a version and its ETag. */
interface Held {
  readonly version?: string;
  readonly etag?: string;
}

export interface Drawn {
  readonly operations: number;
  readonly clients: number;
  /** How many in a hundred changes are not answered. */
  readonly unanswered: number;
}

/** A history that happened: clients in turn, each operation at a moment that is drawn within its interval. */
export function drawHistory(draws: Draws, { operations, clients, unanswered }: Drawn): KeyHistory {
  const idleFrom = Array.from({ length: clients }, () => 0);
  const moments = draws.list(operations, () => {
    const client = draws.below(clients);
    const startMs = (idleFrom[client] ?? 0) + 1 + draws.next() * 20;
    const endMs = startMs + 1 + draws.next() * (draws.chance(0.05) ? 500 : 20);
    idleFrom[client] = endMs;
    return { startMs, endMs, atMs: startMs + draws.next() * (endMs - startMs) };
  });
  let held: Held = {};
  const etags = new Map<string, string>();
  const done = moments.toSorted((a, b) => a.atMs - b.atMs);
  const history = done.map(({ startMs, endMs }, id): KeyOperation => {
    const version = `v${id}`;
    const { sight, effect } = drawOperation(draws, held, version);
    if (!effect) return { id, startMs, endMs, sight, label: '' };
    const isAnswered = !draws.chance(unanswered / 100);
    const happens = isAnswered || draws.chance(0.5);
    if (effect.kind === 'put') etags.set(version, `e${version}`);
    if (happens) held = effect.kind === 'put' ? { version, etag: `e${version}` } : {};
    return { id, startMs, endMs: isAnswered ? endMs : never, sight, effect, label: '' };
  });
  return { key: 'k', operations: draws.shuffled(history), etags };
}

function drawOperation(
  draws: Draws,
  { version, etag }: Held,
  next: string,
): { sight?: Sight; effect?: Effect } {
  const write: Effect = { kind: 'put', version: next };
  const sight: Sight = version === undefined ? { kind: 'absent' } : { kind: 'version', version };
  return draws.weighted<{ sight?: Sight; effect?: Effect }>([
    [6, { sight }],
    [1, etag === undefined ? { sight } : { sight: { kind: 'etag', etag } }],
    [1, { sight: etag === undefined ? { kind: 'absent' } : { kind: 'present' } }],
    [1, { sight: { kind: 'not-etag', etag: 'another' } }],
    [3, { effect: write }],
    [1, etag === undefined ? { effect: write } : { sight: { kind: 'etag', etag }, effect: write }],
    [1, etag === undefined ? { sight: { kind: 'absent' }, effect: write } : { effect: { kind: 'delete' } }],
    [1, { effect: { kind: 'delete' } }],
  ]);
}

/** A few operations of which nobody cares whether they can have happened. */
export function drawAnything(draws: Draws): KeyHistory {
  const count = 2 + draws.below(4);
  const versions = ['v0', 'v1', 'v2'];
  const etags = { v0: 'e0', v1: draws.pick(['e0', 'e1']), v2: draws.chance(0.3) ? undefined : 'e2' };
  const used = draws.shuffled(versions);
  const rows = draws.list(count, () => {
    const startMs = draws.next() * 100;
    const what = draws.weighted<Partial<KeyOperation>>([
      [4, read(draws.pick(versions))],
      [2, { ...read(draws.pick(versions)), freshMs: 30 }],
      [2, none],
      [1, { sight: { kind: 'present' } }],
      [2, { sight: { kind: 'etag', etag: draws.pick(['e0', 'e1', 'e2']) } }],
      [2, { sight: { kind: 'not-etag', etag: draws.pick(['e0', 'e1']) } }],
      [2, remove],
    ]);
    const endMs = what.effect && draws.chance(0.4) ? never : startMs + draws.next() * 60;
    return [startMs, endMs, what] as const;
  });
  const writes = used.slice(0, 1 + draws.below(3)).map((version) => {
    const startMs = draws.next() * 100;
    const sight = draws.pick<Sight | undefined>([
      undefined,
      undefined,
      { kind: 'absent' },
      { kind: 'etag', etag: 'e0' },
    ]);
    // A condition of a change that nobody answered, and nobody saw, is not looked at.
    const isAnswered = sight !== undefined || draws.chance(0.5);
    const change = { ...put(version, sight), isOutside: draws.chance(0.3) };
    return [startMs, isAnswered ? startMs + draws.next() * 60 : never, change] as const;
  });
  return historyOf([...rows, ...writes], etags);
}
