import type { Backend } from '../../src/ufs/backend.ts';
import { UfsError } from '../../src/ufs/errors.ts';

/** How a call goes wrong: nothing is done; or it is done, and nobody hears of it. */
export type Fault = 'refused' | 'lost';

/** A storage whose calls fail as `fault` says; readers of bodies are left alone. */
export function failingBackend(
  inner: Backend,
  fault: (operation: string, key: string) => Fault | undefined,
): Backend {
  const failing = async <T>(
    operation: 'head' | 'put' | 'delete',
    key: string,
    work: () => Promise<T>,
  ): Promise<T> => {
    const found = fault(operation, key);
    const error = (unresolved: boolean) =>
      new UfsError('unavailable', `the storage fails (${found})`, { backend: inner.uri, key, unresolved });
    if (found === 'refused') throw error(false);
    const result = await work();
    if (found === 'lost' && operation !== 'head') throw error(true);
    return result;
  };
  return new Proxy(inner, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      if (name === 'head' || name === 'put' || name === 'delete') {
        return (key: string, ...rest: unknown[]) =>
          failing(name, key, () =>
            (value as (...all: unknown[]) => Promise<unknown>).call(target, key, ...rest),
          );
      }
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
