import type { Effect, KeyHistory, KeyOperation } from './operation.ts';
import { absent, type KeyState, unnamedState, unseen, versionState } from './state.ts';

/** An operation as the search takes it. */
export interface Step {
  readonly operation: KeyOperation;
  readonly startMs: number;
  /** Finite. */
  readonly endMs: number;
  /** What it leaves; undefined if it changes nothing. */
  readonly leaves?: KeyState;
  /** Steps that come before this one, wherever it may lie in its interval. */
  readonly after: readonly number[];
}

/**
 * Changes of which nobody knows whether they happened, and which leave the same: any of them is as good as another. What a condition of theirs
 * demanded is not looked at: there would be too many kinds.
 */
export interface MaybeChange {
  readonly leaves: KeyState;
  /** When each of them began, in order. */
  readonly startsMs: readonly number[];
}

export interface Prepared {
  readonly steps: readonly Step[];
  readonly maybe: readonly MaybeChange[];
}

/** A read of a version that nobody ever wrote to this key: nothing else has to be searched then. */
export interface Unheard {
  readonly unheard: KeyOperation;
}

/**
 * Sorts a history for the search. A change without an answer whose version was seen has happened, before whoever saw it first had an
 * answer: it is like any other. Of the rest it only matters what they may have left.
 */
export function prepare({ operations, etags }: KeyHistory): Prepared | Unheard {
  const written = new Map<string, KeyOperation>();
  for (const operation of operations) {
    if (operation.effect?.kind === 'put') written.set(operation.effect.version, operation);
  }
  const unheard = operations.find(({ sight }) => sight?.kind === 'version' && !written.has(sight.version));
  if (unheard) return { unheard };
  const seenBy = firstSeen(operations, versionsByEtag(written.keys(), etags));
  const steps: Step[] = [];
  const maybe = new Map<string, { leaves: KeyState; startsMs: number[] }>();
  const seenEtags = new Set(
    operations.flatMap(({ sight }) => (sight && 'etag' in sight ? [sight.etag] : [])),
  );
  const seenVersions = new Set(
    operations.flatMap(({ sight }) => (sight?.kind === 'version' ? [sight.version] : [])),
  );
  /** Versions that nobody saw by their id are told apart by what else was seen of them. */
  const stateLeft = (effect: Effect): KeyState => {
    if (effect.kind === 'delete') return absent;
    const etag = etags.get(effect.version);
    return seenVersions.has(effect.version) ? versionState(effect.version, etag) : unnamed(etag, seenEtags);
  };
  const ownChanges = operations.filter(
    ({ effect, isOutside, endMs }) => effect && !isOutside && endMs < Number.POSITIVE_INFINITY,
  );
  for (const operation of operations) {
    const { effect } = operation;
    const endMs =
      effect?.kind === 'put' && operation.endMs === Number.POSITIVE_INFINITY
        ? seenBy.get(effect.version)
        : operation.endMs;
    if (endMs !== undefined && endMs < Number.POSITIVE_INFINITY) {
      steps.push(stepOf(operation, endMs, effect && stateLeft(effect), ownChanges));
      continue;
    }
    if (!effect) continue;
    const leaves = stateLeft(effect);
    const alike = maybe.get(leaves.name) ?? { leaves, startsMs: [] };
    alike.startsMs.push(operation.startMs);
    maybe.set(leaves.name, alike);
  }
  for (const { startsMs } of maybe.values()) startsMs.sort((a, b) => a - b);
  return { steps, maybe: [...maybe.values()] };
}

function unnamed(etag: string | undefined, seenEtags: ReadonlySet<string>): KeyState {
  return etag !== undefined && !seenEtags.has(etag) ? unseen : unnamedState(etag);
}

function stepOf(
  operation: KeyOperation,
  endMs: number,
  leaves: KeyState | undefined,
  ownChanges: readonly KeyOperation[],
): Step {
  const { freshMs = 0 } = operation;
  const startMs = operation.startMs - freshMs;
  const after =
    freshMs === 0
      ? []
      : ownChanges.filter((own) => own.endMs < operation.startMs && own.endMs >= startMs).map(({ id }) => id);
  return { operation, startMs, endMs: Math.max(endMs, startMs), leaves, after };
}

/** The versions that have each ETag; one of which nobody knows the ETag may have any, so that no ETag is a version's alone. */
function versionsByEtag(versions: Iterable<string>, etags: KeyHistory['etags']): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const version of versions) {
    const etag = etags.get(version);
    if (etag === undefined) return new Map();
    found.set(etag, [...(found.get(etag) ?? []), version]);
  }
  return found;
}

/** When each version had been seen for the first time, by its id or by an ETag that no other version of the key has. */
function firstSeen(
  operations: readonly KeyOperation[],
  byEtag: ReadonlyMap<string, readonly string[]>,
): Map<string, number> {
  const seen = new Map<string, number>();
  for (const { sight, endMs } of operations) {
    // Of a change that may never have happened it is not known that its condition held.
    if (endMs === Number.POSITIVE_INFINITY) continue;
    let version = sight?.kind === 'version' ? sight.version : undefined;
    const alike = sight?.kind === 'etag' ? byEtag.get(sight.etag) : undefined;
    if (alike?.length === 1) version = alike[0];
    if (version !== undefined) seen.set(version, Math.min(endMs, seen.get(version) ?? endMs));
  }
  return seen;
}
