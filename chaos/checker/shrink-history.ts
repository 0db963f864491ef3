import { checkKey } from './check-key.ts';
import type { KeyHistory, KeyOperation } from './operation.ts';

/** A history of this length is looked at in at most this many variants. */
const attempts = 2_000;

/**
 * The least history that is wrong still. Sights are left out, and changes that nobody needs are taken as not answered, either of which a right
 * history bears: what remains is wrong by itself.
 */
export function shrinkHistory(history: KeyHistory): KeyHistory {
  const violation = checkKey(history);
  if (violation?.kind !== 'not linearizable') return history;
  let left = attempts;
  const isWrong = (operations: readonly KeyOperation[]) =>
    left-- > 0 && checkKey({ ...history, operations })?.kind === 'not linearizable';
  const before = history.operations.flatMap((operation) => until(violation.at.endMs, operation));
  let operations = isWrong(before) ? before : history.operations;
  operations = weakened(
    operations,
    ({ effect }) => effect === undefined,
    () => [],
    isWrong,
  );
  operations = weakened(
    operations,
    ({ effect, sight }) => effect !== undefined && sight !== undefined,
    ({ sight: _, ...change }) => [change],
    isWrong,
  );
  operations = weakened(
    operations,
    isAnsweredChange,
    (operation) => [{ ...operation, endMs: Number.POSITIVE_INFINITY }],
    isWrong,
  );
  operations = weakened(
    operations,
    (operation) => isUnseen(operation, operations),
    () => [],
    isWrong,
  );
  return { ...history, operations };
}

/** What was known of an operation by then. */
function until(ms: number, operation: KeyOperation): readonly KeyOperation[] {
  if (operation.endMs <= ms) return [operation];
  if (operation.startMs > ms || !operation.effect) return [];
  const { sight: _, ...change } = operation;
  return [{ ...change, endMs: Number.POSITIVE_INFINITY }];
}

function isAnsweredChange({ effect, endMs }: KeyOperation): boolean {
  return effect !== undefined && endMs < Number.POSITIVE_INFINITY;
}

/** A change that was not answered, and that explains nothing which was seen. */
function isUnseen({ effect, endMs }: KeyOperation, operations: readonly KeyOperation[]): boolean {
  if (endMs < Number.POSITIVE_INFINITY || effect === undefined) return false;
  const explains = effect.kind === 'delete' ? /^(absent|not-etag)$/ : /^(present|not-etag|etag)$/;
  return operations.every(({ sight }) => {
    if (sight?.kind === 'version') return effect.kind === 'delete' || sight.version !== effect.version;
    return sight === undefined || !explains.test(sight.kind);
  });
}

/** Puts something weaker in place of as many as possible of the chosen operations, many at once first. */
function weakened(
  operations: readonly KeyOperation[],
  isChosen: (operation: KeyOperation) => boolean,
  weaker: (operation: KeyOperation) => readonly KeyOperation[],
  isWrong: (operations: readonly KeyOperation[]) => boolean,
): readonly KeyOperation[] {
  let present = operations;
  let chosen = operations.filter(isChosen).map(({ id }) => id);
  for (let size = chosen.length; size >= 1; size = Math.floor(size / 2)) {
    const needed: number[] = [];
    for (let from = 0; from < chosen.length; from += size) {
      const piece = chosen.slice(from, from + size);
      const ids = new Set(piece);
      const tried = present.flatMap((operation) => (ids.has(operation.id) ? weaker(operation) : [operation]));
      if (isWrong(tried)) present = tried;
      else needed.push(...piece);
    }
    chosen = needed;
  }
  return present;
}
