import type { Backend } from '../../src/ufs/backend.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import type { MemoryBackend } from '../../src/ufs/memory.ts';
import { TestBody } from '../support/upload-body.ts';

/** A storage whose puts may fail without an answer, and be carried out when `land` is called. */
export function latePuts(
  inner: MemoryBackend,
  fault: (land: () => Promise<unknown>) => 'refused' | 'late' | undefined,
): Backend {
  const put: Backend['put'] = async (key, body, options) => {
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    const land = () => inner.put(key, new TestBody(Buffer.concat(chunks)), options);
    const found = fault(land);
    if (found === undefined) return land();
    const about = { backend: inner.uri, key, unresolved: found === 'late' };
    throw new UfsError('unavailable', `the storage fails (${found})`, about);
  };
  return new Proxy(inner, {
    get: (target, name) => {
      if (name === 'put') return put;
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
