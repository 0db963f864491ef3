import type { KeyHistory, KeyOperation } from './operation.ts';
import { prepare } from './prepare.ts';
import { type SearchLimits, search } from './search.ts';

export const defaultLimits: SearchLimits = { ways: 300_000 };

/** What is wrong with one key's history. */
export interface KeyViolation {
  readonly key: string;
  /** `undecided`: too many ways lead through it to follow all of them. */
  readonly kind: 'not linearizable' | 'a version that nobody wrote' | 'undecided';
  /** The first operation that cannot have happened. */
  readonly at: KeyOperation;
}

/** Undefined if the history is one that a key can have that changes at one moment for everybody. Time is O(n) for n operations, a few at once. */
export function checkKey(
  history: KeyHistory,
  limits: SearchLimits = defaultLimits,
): KeyViolation | undefined {
  const { key } = history;
  const prepared = prepare(history);
  if ('unheard' in prepared) return { key, kind: 'a version that nobody wrote', at: prepared.unheard };
  const verdict = search(prepared, limits);
  if (verdict.kind === 'linearizable') return undefined;
  const kind = verdict.kind === 'violated' ? 'not linearizable' : 'undecided';
  return { key, kind, at: verdict.at.operation };
}
