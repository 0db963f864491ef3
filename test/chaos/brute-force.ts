import type { KeyHistory, KeyOperation } from '../../chaos/checker/operation.ts';
import { never } from './histories.ts';

type Held = { readonly version: string; readonly etag: string | undefined } | undefined;

/** Whether a short history can have happened: every order of its operations is tried, with and without what was not answered. */
export function canHaveHappened({ operations, etags }: KeyHistory): boolean {
  const start = ({ startMs, freshMs = 0 }: KeyOperation) => startMs - freshMs;
  const mustPrecede = (one: KeyOperation, other: KeyOperation) => {
    if (one.endMs < start(other)) return true;
    return other.freshMs !== undefined && one.effect && !one.isOutside && one.endMs < other.startMs;
  };
  const left = (rest: readonly KeyOperation[], held: Held): boolean => {
    if (rest.every(({ endMs }) => endMs === never)) return true;
    return rest.some((operation) => {
      const others = rest.filter((other) => other !== operation);
      if (others.some((other) => mustPrecede(other, operation))) return false;
      // What was not answered and happens though its condition does not hold did not happen.
      if (!isSeen(operation, held)) return false;
      return left(others, after(operation, held, etags));
    });
  };
  return left(operations, undefined);
}

function after({ effect }: KeyOperation, held: Held, etags: KeyHistory['etags']): Held {
  if (!effect) return held;
  return effect.kind === 'delete' ? undefined : { version: effect.version, etag: etags.get(effect.version) };
}

function isSeen({ sight }: KeyOperation, held: Held): boolean {
  switch (sight?.kind) {
    case undefined:
      return true;
    case 'absent':
      return held === undefined;
    case 'present':
      return held !== undefined;
    case 'version':
      return held?.version === sight.version;
    case 'etag':
      return held !== undefined && (held.etag === undefined || held.etag === sight.etag);
    case 'not-etag':
      return held === undefined || held.etag === undefined || held.etag !== sight.etag;
  }
}
