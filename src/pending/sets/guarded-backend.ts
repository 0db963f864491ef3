import type { Backend } from '../../ufs/backend.ts';

/** Which of a call's arguments is the key that it changes. */
const changes: ReadonlyMap<string | symbol, number> = new Map([
  ['put', 0],
  ['delete', 0],
  ['copy', 1],
  ['completeUpload', 0],
  ['amend', 0],
]);

type Call = (...given: unknown[]) => unknown;

/** A storage that is changed only where `check` of the key does not throw, at the very moment before. */
export function guarded(inner: Backend, check: (key: string) => void): Backend {
  return new Proxy(inner, {
    get: (target, name) => {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== 'function') return value;
      const at = changes.get(name);
      if (at === undefined) return (value as Call).bind(target);
      return async (...given: unknown[]) => {
        check(given[at] as string);
        return (value as Call).apply(target, given);
      };
    },
  });
}
