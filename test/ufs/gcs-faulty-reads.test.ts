import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { kindOf, listAll, plain, put, readAll } from '../contracts/backend.ts';
import type { Fault } from '../support/fault-proxy.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { failureOf, type GcsUnderTest, hasty, startGcs } from './gcs-under-test.ts';

let gcs: GcsUnderTest;

beforeEach(async () => {
  gcs = await startGcs({ tuning: hasty });
});
afterEach(() => gcs.close());

const large = 700_000;
const media = 'alt=media';

describe('reads', () => {
  test('an answer that breaks off is gone on with behind its last byte, and of the same generation', async () => {
    const meta = await put(gcs.backend, 'k', someBytes(large));
    gcs.proxy.strike('GET', media, { kind: 'cut', afterBytes: 200_000 }, 2);
    expect((await readAll(gcs.backend, 'k', meta)).equals(someBytes(large))).toBe(true);
    const asked = gcs.proxy.seen.filter(({ url }) => url.includes(media));
    expect(asked).toHaveLength(3);
    expect(asked.every(({ url }) => url.includes(`generation=${meta.generation}`))).toBe(true);
    expect(asked.map(({ headers }) => headers.range)).toEqual([
      undefined,
      expect.stringMatching(/^bytes=[1-9]\d*-699999$/),
      expect.stringMatching(/^bytes=[1-9]\d*-699999$/),
    ]);
  });

  test('answers that end early, and as if that were all, are not taken for whole again and again', async () => {
    const meta = await put(gcs.backend, 'k', someBytes(large));
    gcs.proxy.strike('GET', media, { kind: 'body', body: Buffer.alloc(0) }, 20);
    expect(await kindOf(readAll(gcs.backend, 'k', meta))).toBe('io');
    expect(gcs.proxy.count('GET', media)).toBeLessThan(20);
  });

  test('a version that is replaced before the rest of a broken answer is asked for has moved', async () => {
    const meta = await put(gcs.backend, 'k', someBytes(large, 1));
    let overwritten = false;
    gcs.proxy.rule = ({ url }) => {
      if (!url.includes(media)) return undefined;
      if (!overwritten) {
        overwritten = true;
        return { kind: 'cut', afterBytes: 100_000 };
      }
      return {
        kind: 'before',
        run: async () => void gcs.stub.store.put('in/k', {}, someBytes(large, 2), {}),
      };
    };
    const got: Buffer[] = [];
    const reading = (async () => {
      for await (const piece of gcs.backend.read('k', meta, { start: 0, end: large })) got.push(piece);
    })();
    expect(await kindOf(reading)).toBe('moved');
    const bytes = Buffer.concat(got);
    expect(bytes.length).toBeGreaterThan(0);
    expect(bytes.equals(someBytes(large, 1).subarray(0, bytes.length))).toBe(true);
  });

  test.each([429, 503, 500])('a refusal with %d is tried again', async (status) => {
    const meta = await put(gcs.backend, 'k', 'body');
    gcs.proxy.strike('GET', '/in%2Fk', { kind: 'refuse', status }, 3);
    expect((await gcs.backend.head('k')).generation).toBe(meta.generation);
    gcs.proxy.strike('GET', media, { kind: 'refuse', status }, 3);
    expect((await readAll(gcs.backend, 'k', meta)).toString()).toBe('body');
    gcs.proxy.strike('GET', 'maxResults', { kind: 'refuse', status }, 3);
    expect(await listAll(gcs.backend)).toEqual(['k']);
    expect(gcs.proxy.faults).toBe(9);
  });

  test.each<[string, Fault, string]>([
    ['of another generation', { kind: 'headers', change: { 'x-goog-generation': '5' } }, 'moved'],
    ['that names no generation', { kind: 'headers', change: { 'x-goog-generation': undefined } }, 'moved'],
    ['of another length', { kind: 'length', announcedBytes: 900_000 }, 'io'],
    ['of another range', { kind: 'headers', change: { 'content-range': 'bytes 0-9/700000' } }, 'io'],
  ])('an answer %s is not believed', async (_, fault, kind) => {
    const meta = await put(gcs.backend, 'k', someBytes(large));
    gcs.proxy.strike('GET', media, fault);
    expect(await kindOf(readAll(gcs.backend, 'k', meta, { start: 10, end: 20 }))).toBe(kind);
    expect(gcs.proxy.faults).toBeGreaterThan(0);
  });

  test('a reader that goes away ends the answer at the storage', async () => {
    const meta = await put(gcs.backend, 'k', someBytes(6_000_000));
    for await (const _ of gcs.backend.read('k', meta, { start: 0, end: meta.sizeBytes })) break;
    const asked = () => gcs.proxy.seen.find(({ url }) => url.includes(media));
    await gcs.proxy.until(() => asked()?.outcome === 'gone');
    const reading = new AbortController();
    gcs.proxy.seen.length = 0;
    gcs.proxy.strike('GET', media, { kind: 'stall', afterBytes: 1_000 });
    const read = (async () => {
      const options = { signal: reading.signal };
      for await (const _ of gcs.backend.read('k', meta, { start: 0, end: meta.sizeBytes }, options))
        reading.abort();
    })();
    expect(await kindOf(read)).toBe('cancelled');
    await gcs.proxy.until(() => asked()?.outcome === 'gone');
  });

  test('what is no answer of Cloud Storage is no object and no empty list', async () => {
    await put(gcs.backend, 'k', 'body');
    gcs.proxy.strike('GET', '', { kind: 'body', status: 200, body: Buffer.from('<html>Sign in</html>') });
    expect((await failureOf(gcs.backend.head('k'))).code).toBe('NoGcsAnswer');
    expect((await failureOf(listAll(gcs.backend))).code).toBe('NoGcsAnswer');
    gcs.proxy.strike('GET', '', { kind: 'body', status: 200, body: Buffer.from('{}') });
    expect((await failureOf(gcs.backend.head('k'))).code).toBe('NoGcsAnswer');
  });
});

test('100,000 keys are listed, each once, in pages of 1,000 and without looking at what is hidden', async () => {
  const keys = Array.from({ length: 100_000 }, (_, i) => `f${String(i % 10)}/${String(i).padStart(6, '0')}`);
  for (const key of keys) gcs.stub.store.put(`in/${key}`, {}, Buffer.alloc(0), {});
  for (let i = 0; i < 3_000; i++) gcs.stub.store.put(`in/.forebay/staged/${i}`, {}, Buffer.alloc(0), {});
  expect(await listAll(gcs.backend)).toEqual([...keys].sort());
  const asked = gcs.proxy.count('GET', 'maxResults');
  await gcs.backend.list({ prefix: '', limit: 10 });
  expect(gcs.proxy.count('GET', 'maxResults') - asked).toBe(2);
  // A page that is full does not tell whether another entry follows.
  expect(asked).toBeLessThanOrEqual(202);
  expect(await listAll(gcs.backend, { delimiter: '/' })).toEqual(
    Array.from({ length: 10 }, (_, i) => `f${i}/`),
  );
});

test('what others wrote is told as they wrote it', async () => {
  const about = {
    contentType: 'text/plain',
    metadata: { Name: 'x', forebay: 'a word of theirs' },
    storageClass: 'NEARLINE',
  };
  const { generation, crc32c } = gcs.stub.store.put('in/plain', about, Buffer.from('theirs'), {});
  expect(await gcs.backend.head('plain')).toMatchObject({
    etag: createHash('md5').update('theirs').digest('hex'),
    generation: String(generation),
    headers: { contentType: 'text/plain' },
    userMetadata: { name: 'x', forebay: 'a word of theirs' },
    storageClass: 'STANDARD_IA',
    checksums: { CRC32C: crc32c },
    checksumType: 'FULL_OBJECT',
  });
  const composite = gcs.stub.store.compose(
    'in/composite',
    {},
    [{ name: 'in/plain' }, { name: 'in/plain' }],
    {},
  );
  expect((await gcs.backend.head('composite')).etag).toBe(`gcs-${composite.generation}`);
});

test('a record that others took along to other bytes says nothing of those', async () => {
  const { uploadId } = await gcs.backend.createUpload('k', { ...plain, tags: [{ key: 'a', value: 'b' }] });
  const part = await gcs.backend.putPart('k', uploadId, 1, new TestBody('part'));
  await gcs.backend.completeUpload('k', uploadId, [{ ...part, checksums: {} }]);
  const { metadata } = gcs.stub.store.get('in/k', undefined);
  const { crc32c } = gcs.stub.store.put('in/k', { metadata }, Buffer.from('other bytes'), {});
  const meta = await gcs.backend.head('k');
  expect(meta).toMatchObject({
    etag: expect.stringMatching(/^[0-9a-f]{32}$/),
    checksums: { CRC32C: crc32c },
    tagCount: 1,
  });
  expect(meta.parts).toBeUndefined();
});

test('metadata and tags that take more than Cloud Storage holds are refused before a body is sent', async () => {
  const tags = Array.from({ length: 10 }, (_, i) => ({
    key: `${i}${'ä'.repeat(127)}`,
    value: '€'.repeat(256),
  }));
  const error = await failureOf(gcs.backend.put('k', new TestBody('x'), { ...plain, tags }));
  expect([error.kind, error.code]).toEqual(['refused', 'MetadataTooLarge']);
  expect((await failureOf(gcs.backend.createUpload('k', { ...plain, tags }))).kind).toBe('refused');
  expect(gcs.proxy.count('POST')).toBe(0);
});
