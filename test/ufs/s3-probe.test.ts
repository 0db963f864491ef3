import { afterEach, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import type { UploadBody } from '../../src/common/object-meta.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { CompleteOptions, CompletePart, CopyOptions, PutOptions } from '../../src/ufs/backend.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { checkCondition } from '../../src/ufs/write-rules.ts';
import { kindOf, listAll, plain, put } from '../contracts/backend.ts';
import { TestBody } from '../support/upload-body.ts';
import { everything, type S3UnderTest, startS3 } from './s3-under-test.ts';

/** Of the storage behind: versions too, which the other tests leave alone. */
const seen = { ...everything, versions: true };

/** Storage that does not do everything that S3 does. */
class SloppyStorage extends MemoryBackend {
  ignored: ReadonlySet<string> = new Set();
  /** Puts whose condition is looked at first and forgotten then, as long as their bodies take. */
  looksFirst = false;
  failing: UfsError | undefined;

  constructor() {
    super(systemClock, systemRandom, { minPartSizeBytes: 5 });
  }

  override async put(key: string, body: UploadBody, options: PutOptions) {
    if (this.failing) throw this.failing;
    if (!this.looksFirst || !options.condition) return super.put(key, body, this.#without('put', options));
    const probe = {
      ...plain,
      condition: options.condition,
      beforeCommit: async () => Promise.reject(new Looked()),
    };
    await super.put(key, new TestBody(''), probe).catch((error) => {
      if (!(error instanceof Looked)) throw error;
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    return super.put(key, body, { ...options, condition: undefined });
  }

  override async delete(key: string, options: Parameters<MemoryBackend['delete']>[1] = {}) {
    if (this.looksFirst && options.condition) {
      checkCondition(options.condition, await this.head(key), this.uri, key);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return super.delete(key);
    }
    return super.delete(key, this.#without('delete', options));
  }

  override copy(sourceKey: string, key: string, options: CopyOptions) {
    return super.copy(sourceKey, key, this.#without('copy', options));
  }

  override completeUpload(
    key: string,
    uploadId: string,
    parts: readonly CompletePart[],
    options: CompleteOptions = {},
  ) {
    return super.completeUpload(key, uploadId, parts, this.#without('complete', options));
  }

  #without<Options extends { condition?: object }>(operation: string, options: Options): Options {
    const overVersion = options.condition !== undefined && 'ifMatch' in options.condition;
    const isIgnored =
      this.ignored.has(operation) || (overVersion && this.ignored.has(`${operation} ifMatch`));
    return isIgnored ? { ...options, condition: undefined } : options;
  }
}

class Looked extends Error {}

let s3: S3UnderTest | undefined;
afterEach(() => s3?.close());

async function start(change: (storage: SloppyStorage) => void = () => {}): Promise<S3UnderTest> {
  const storage = new SloppyStorage();
  change(storage);
  s3 = await startS3({}, storage);
  return s3;
}

test('a backend that does everything is seen to do it, and nothing is left there', async () => {
  const { backend } = await start();
  await put(backend, 'mine', 'x');
  expect(await backend.probe('.try')).toEqual(seen);
  expect(await listAll(backend)).toEqual(['mine']);
  expect((await backend.listUploads({ prefix: '', limit: 10 })).entries).toEqual([]);
});

test.each([
  ['put', { conditionalCreate: false, conditionalPut: false }],
  ['put ifMatch', { conditionalPut: false }],
  ['delete', { conditionalDelete: false }],
  ['copy', { conditionalCopy: false }],
  ['complete', { conditionalCompleteCreate: false, conditionalComplete: false }],
  ['complete ifMatch', { conditionalComplete: false }],
] as const)('conditions of %s that are not looked at are found out', async (operation, lacking) => {
  const { backend } = await start((storage) => {
    storage.ignored = new Set([operation]);
  });
  expect(await backend.probe('.try')).toEqual({ ...seen, ...lacking });
  expect(await listAll(backend)).toEqual([]);
});

test('a server that looks first and writes later is found out by several writers at once', async () => {
  const { backend } = await start((storage) => {
    storage.looksFirst = true;
  });
  expect(await backend.probe('.try')).toEqual({
    ...seen,
    conditionalCreate: false,
    conditionalPut: false,
    conditionalDelete: false,
  });
});

test('a server that keeps the coding of a streamed body with the object is sent none', async () => {
  const { backend, proxy } = await start();
  proxy.rule = ({ method, url }) =>
    method === 'HEAD' && url.includes('/stream')
      ? { kind: 'headers', change: { 'content-length': '20900', 'content-encoding': 'aws-chunked' } }
      : undefined;
  expect(await backend.probe('.try')).toEqual({
    ...seen,
    checksumTrailers: false,
    signedChunks: false,
  });
  expect(proxy.faults).toBeGreaterThan(0);
});

test.each([
  ['content-type', 'application/octet-stream'],
  ['last-modified', 'Thu, 01 Jan 2015 00:00:00 GMT'],
  ['x-amz-meta-forebay-probe', undefined],
  ['content-range', undefined],
])('a server whose GET has another %s than its HEAD is asked with HEAD first', async (name, value) => {
  const { backend, proxy, open } = await start();
  proxy.rule = ({ method, url, headers }) =>
    method === 'GET' && url.includes('/described') && headers.range !== undefined
      ? { kind: 'headers', change: { [name]: value } }
      : undefined;
  const abilities = await backend.probe('.try');
  expect(abilities).toEqual({ ...seen, metadataOnGet: false });
  expect(proxy.faults).toBeGreaterThan(0);
  expect([open({ abilities }).open, typeof open().open]).toEqual([undefined, 'function']);
});

test('a server that is too busy or cannot be written to is not judged', async () => {
  for (const kind of ['throttled', 'no-space'] as const) {
    const { backend, close } = await start((storage) => {
      storage.failing = new UfsError(kind, 'no', { backend: 'test:' });
    });
    expect(await kindOf(backend.probe('.try'))).toBe('throttled');
    await close();
    s3 = undefined;
  }
});

test('what a proxy says in place of the storage is no proof', async () => {
  const { backend, proxy } = await start();
  for (const body of ['', 'upstream connect error']) {
    proxy.strike('PUT', '/put-none', { kind: 'refuse', status: 503, body }, 1);
    expect(await kindOf(backend.probe('.try'))).toBe('unavailable');
    expect(await listAll(backend)).toEqual([]);
  }
  expect(proxy.faults).toBe(2);
});

test('what a backend was not seen to do is refused, whatever it would do', async () => {
  const { open } = await start();
  const { unprobed } = await import('../../src/ufs/s3-settings.ts');
  const cautious = open({ abilities: unprobed });
  const condition = { ifNoneMatch: '*' } as const;
  const { generation } = await put(cautious, 'k', 'x');
  const { uploadId } = await cautious.createUpload('up', plain);
  for (const call of [
    () => put(cautious, 'new', 'x', { condition }),
    () => cautious.delete('k', { condition: { ifMatch: '*' } }),
    () => cautious.copy('k', 'new', { sourceGeneration: generation, condition }),
    () => cautious.completeUpload('up', uploadId, [], { condition }),
  ]) {
    expect(await kindOf(call())).toBe('not-implemented');
  }
  expect(await listAll(cautious)).toEqual(['k']);
});

test('storage that is far away is probed side by side', async () => {
  const { backend, proxy } = await start();
  let most = 0;
  proxy.rule = () => {
    most = Math.max(most, proxy.seen.filter(({ outcome }) => outcome === 'open').length);
    return { kind: 'delay', ms: 50 };
  };
  expect(await backend.probe('.try', { callTimeoutMs: 20_000 })).toEqual(seen);
  expect(proxy.seen.length).toBeGreaterThan(100);
  expect(most).toBeGreaterThanOrEqual(10);
  expect(await listAll(backend)).toEqual([]);
});

test('storage that is too slow is told to be slow, and nothing is left there', async () => {
  const { backend, proxy } = await start();
  proxy.strike('HEAD', '/put-none', { kind: 'hang' }, 1);
  const probe = backend.probe('.try', { callTimeoutMs: 1_500 });
  await expect(probe).rejects.toMatchObject({
    kind: 'timeout',
    message: expect.stringMatching(/^the storage is slow: \d+ ms a call$/),
  });
  expect(proxy.faults).toBe(1);
  expect(await listAll(backend)).toEqual([]);
  expect((await backend.listUploads({ prefix: '', limit: 10 })).entries).toEqual([]);
});
