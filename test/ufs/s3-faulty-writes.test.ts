import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { digestOf } from '../../src/common/checksums.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { getAll, kindOf, listAll, plain, put } from '../contracts/backend.ts';
import type { Fault } from '../support/fault-proxy.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { everything, type S3UnderTest, startS3 } from './s3-under-test.ts';

const tuning = { idleTimeoutMs: 1200, commitTimeoutMs: 1200, retry: { attempts: 3, baseMs: 5, capMs: 10 } };
const errorOf = (code: string) => `<Error><Code>${code}</Code><Message>no</Message></Error>`;
const busy: Fault = { kind: 'refuse', status: 503, body: errorOf('SlowDown') };
const errorIn200 = { status: 200, body: `  \n${errorOf('InternalError')}` };
/** One that goes in one piece with its headers, and one that is streamed. */
const sizes = [1_000, 600_000];

let s3: S3UnderTest;
beforeEach(async () => {
  s3 = await startS3({ tuning });
});
afterEach(() => s3.close());

const puts = () => s3.proxy.seen.filter(({ method }) => method === 'PUT');

async function errorOfCall(call: Promise<unknown>): Promise<{ kind: string; retryable: boolean }> {
  const error = await call.then(
    () => new Error('it succeeded'),
    (reason) => reason,
  );
  if (!(error instanceof UfsError)) throw error;
  return { kind: error.kind, retryable: error.retryable };
}

async function upload(key: string) {
  const { uploadId } = await s3.backend.createUpload(key, plain);
  const part = await s3.backend.putPart(key, uploadId, 1, new TestBody('the part'));
  return { uploadId, parts: [part] };
}

describe('a write that fails', () => {
  test('is sent once, and told to be repeatable only where it surely had no effect', async () => {
    for (const sizeBytes of sizes) {
      for (const [fault, expected] of [
        [busy, { kind: 'throttled', retryable: true }],
        [{ kind: 'lose' }, { kind: 'unavailable', retryable: false }],
        [{ kind: 'hang' }, { kind: 'timeout', retryable: false }],
        [
          { kind: 'refuse', status: 500, body: errorOf('InternalError') },
          { kind: 'unavailable', retryable: false },
        ],
        [
          { kind: 'refuse', status: 200, body: '<html>' },
          { kind: 'unavailable', retryable: false },
        ],
      ] as const) {
        const key = `k${s3.proxy.faults}`;
        s3.proxy.strike('PUT', key, fault);
        expect([fault, await errorOfCall(put(s3.backend, key, someBytes(sizeBytes)))]).toEqual([
          fault,
          expected,
        ]);
        expect(s3.proxy.count('PUT', key)).toBe(1);
      }
    }
    await put(s3.backend, 'k', 'x');
    s3.proxy.strike('DELETE', '/k', { kind: 'lose' });
    expect(await errorOfCall(s3.backend.delete('k'))).toEqual({ kind: 'unavailable', retryable: false });
    expect(s3.proxy.count('DELETE')).toBe(1);
  });

  test('because nobody listens is repeatable', async () => {
    const nobody = s3.open({ endpoint: 'http://127.0.0.1:9' });
    expect(await errorOfCall(put(nobody, 'k', 'x'))).toEqual({ kind: 'unavailable', retryable: true });
  });

  test('takes its connection with it when it is given up', async () => {
    s3.proxy.strike('PUT', '/k', { kind: 'hang' });
    const cancel = new AbortController();
    const call = kindOf(put(s3.backend, 'k', someBytes(600_000), { signal: cancel.signal }));
    await s3.proxy.until(() => s3.proxy.faults === 1);
    cancel.abort();
    expect(await call).toBe('cancelled');
    await s3.proxy.until(() => s3.proxy.seen.at(-1)?.outcome === 'gone');
  });
});

describe('a body', () => {
  const lengthOf = (index: number) => Number(puts()[index]?.headers['content-length']);

  test.each([300_000, 600_000, 5_000_000])(
    'of %d bytes that turns out wrong is broken off before its last bytes',
    async (sizeBytes) => {
      await put(s3.backend, 'k', 'old');
      s3.proxy.seen.length = 0;
      const failure = new Error('the trailer is wrong');
      await expect(put(s3.backend, 'k', someBytes(sizeBytes), { failure })).rejects.toBe(failure);
      await s3.proxy.until(() => puts()[0]?.outcome === 'gone');
      expect(puts()[0]?.bodyBytes).toBeLessThan(lengthOf(0));
      expect((await getAll(s3.backend, 'k')).toString()).toBe('old');
    },
  );

  test.each([true, false])(
    'is held back until what must hold before the commit holds (in chunks: %p)',
    async (signedChunks) => {
      let before: number | undefined;
      const beforeCommit = async () => {
        await s3.proxy.until(() => (puts()[0]?.bodyBytes ?? 0) > 300_000);
        // Whatever else is on its way has time to arrive.
        await new Promise((resolve) => setTimeout(resolve, 100));
        before = puts()[0]?.bodyBytes;
        expect(await kindOf(s3.storage.head('under/k'))).toBe('not-found');
      };
      const backend = s3.open({ abilities: { ...everything, signedChunks } });
      await put(backend, 'k', someBytes(600_000), { beforeCommit });
      expect(before).toBeGreaterThan(300_000);
      expect(before).toBeLessThan(lengthOf(0));
      expect(lengthOf(0) > 600_000).toBe(signedChunks);
    },
  );

  test('that is too short or too long makes nothing', async () => {
    for (const sizeBytes of sizes) {
      for (const change of [-1, 1]) {
        const body = new TestBody(someBytes(sizeBytes + change));
        Object.defineProperty(body, 'sizeBytes', { value: sizeBytes });
        expect(await kindOf(s3.backend.put('k', body, plain))).toBe('io');
      }
    }
    expect(await listAll(s3.backend)).toEqual([]);
  });

  test('whose client is slow does not time out', async () => {
    const beforeChunk = async (index: number) => {
      if (index === 3) await new Promise((resolve) => setTimeout(resolve, 2_000));
    };
    const bytes = someBytes(600_000);
    await put(s3.backend, 'k', bytes, { beforeChunk });
    expect((await getAll(s3.backend, 'k')).equals(bytes)).toBe(true);
  });

  test('that the backend stops taking is given up in time', async () => {
    // So much that no buffer on the way holds it.
    s3.proxy.strike('PUT', '/k', {
      kind: 'before',
      run: () => new Promise((resolve) => setTimeout(resolve, 2_000)),
    });
    expect(await kindOf(put(s3.backend, 'k', Buffer.alloc(30_000_000)))).toBe('timeout');
    await s3.proxy.until(() => puts()[0]?.outcome === 'gone');
  });

  test('that is streamed carries its checksum behind it, which the backend checks and keeps', async () => {
    const bytes = someBytes(600_000);
    for (const algorithm of ['CRC32', 'CRC64NVME', 'SHA256'] as const) {
      const sent = { [algorithm]: digestOf(algorithm, bytes).toString('base64') };
      expect(await put(s3.backend, 'k', bytes, { sent })).toMatchObject({ checksums: sent });
      expect(s3.proxy.seen.at(-2)?.headers['x-amz-trailer']).toBe(
        `x-amz-checksum-${algorithm.toLowerCase()}`,
      );
    }
    const wrong = { CRC32: digestOf('CRC32', Buffer.from('other')).toString('base64') };
    expect(await kindOf(put(s3.backend, 'wrong', bytes, { sent: wrong }))).toBe('bad-digest');
    expect(await kindOf(s3.backend.head('wrong'))).toBe('not-found');
  });

  test('carries a checksum that is known already before it, to a backend that takes no trailers, too', async () => {
    const bytes = someBytes(600_000);
    const wrong = { CRC32: digestOf('CRC32', Buffer.from('other')).toString('base64') };
    for (const takes of [true, false]) {
      const backend = s3.open({ abilities: { ...everything, checksumTrailers: takes, signedChunks: takes } });
      const sent = { SHA256: digestOf('SHA256', bytes).toString('base64') };
      expect(await put(backend, 'k', bytes, { sent, sentAhead: true })).toMatchObject({ checksums: sent });
      const headers = s3.proxy.seen.at(-2)?.headers;
      expect([headers?.['x-amz-checksum-sha256'], headers?.['x-amz-trailer']]).toEqual([
        sent.SHA256,
        undefined,
      ]);
      const failed = put(backend, 'wrong', bytes, { sent: wrong, sentAhead: true });
      expect(await kindOf(failed)).toBe('bad-digest');
    }
    expect(await kindOf(s3.backend.head('wrong'))).toBe('not-found');
  });

  test('has no content type that the client did not give', async () => {
    await put(s3.backend, 'small', 'x');
    await put(s3.backend, 'large', someBytes(600_000));
    const puts = s3.proxy.seen.filter(({ method }) => method === 'PUT');
    expect(puts.map(({ headers }) => headers['content-type'])).toEqual([undefined, undefined]);
    expect((await s3.backend.head('small')).headers.contentType).toBe('binary/octet-stream');
  });

  test('goes in one plain piece to a backend that takes neither chunks nor trailers', async () => {
    const abilities = { ...everything, checksumTrailers: false, signedChunks: false };
    const bytes = someBytes(600_000);
    const sent = { CRC32: digestOf('CRC32', bytes).toString('base64') };
    const plainly = s3.open({ abilities });
    await put(plainly, 'k', bytes, { sent });
    const { headers } = puts()[0] ?? { headers: {} };
    expect(headers).toMatchObject({ 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'content-length': '600000' });
    expect((await getAll(plainly, 'k')).equals(bytes)).toBe(true);
  });
});

describe('an error inside a 200', () => {
  test('of Copy is an error', async () => {
    const { generation } = await put(s3.backend, 'k', 'x');
    for (const kind of ['refuse', 'replace'] as const) {
      s3.proxy.strike('PUT', '/copy', { kind, ...errorIn200 });
      const copy = s3.backend.copy('k', 'copy', { sourceGeneration: generation });
      expect(await errorOfCall(copy)).toEqual({ kind: 'unavailable', retryable: false });
    }
    s3.proxy.strike('PUT', '/copy', { kind: 'refuse', status: 200, body: '' });
    const empty = s3.backend.copy('k', 'copy', { sourceGeneration: generation });
    expect(await kindOf(empty)).toBe('unavailable');
    expect(s3.proxy.faults).toBe(3);
  });

  test.each(['', errorIn200.body, '<CompleteMultipartUploadResult>', '<html></html>'])(
    'of Complete is an error if nothing was made: %j',
    async (body) => {
      const { uploadId, parts } = await upload('k');
      s3.proxy.strike('POST', 'uploadId', { kind: 'refuse', status: 200, body });
      expect(await errorOfCall(s3.backend.completeUpload('k', uploadId, parts))).toEqual({
        kind: 'unavailable',
        retryable: false,
      });
      expect(s3.proxy.faults).toBe(1);
      expect(await kindOf(s3.backend.head('k'))).toBe('not-found');
      s3.proxy.rule = () => undefined;
      await s3.backend.completeUpload('k', uploadId, parts);
      expect((await getAll(s3.backend, 'k')).toString()).toBe('the part');
    },
  );
});

describe('a Complete whose answer is lost', () => {
  test('has succeeded if its object is there and the upload is gone', async () => {
    for (const fault of [{ kind: 'lose' }, { kind: 'replace', ...errorIn200 }] as const) {
      const { uploadId, parts } = await upload('k');
      s3.proxy.strike('POST', 'uploadId', fault, 1);
      const made = await s3.backend.completeUpload('k', uploadId, parts);
      expect(made).toEqual(await s3.backend.head('k'));
      await s3.backend.delete('k');
    }
    expect(s3.proxy.faults).toBe(2);
  });

  test('is not known to have succeeded if another object is there', async () => {
    const { uploadId, parts } = await upload('k');
    s3.proxy.strike('POST', 'uploadId', { kind: 'lose' }, 1);
    const rule = s3.proxy.rule;
    s3.proxy.rule = (request) => {
      if (request.method !== 'HEAD') return rule(request);
      const overwrite = new PutObjectCommand({ Bucket: 'under', Key: 'k', Body: 'another' });
      return { kind: 'before', run: () => s3.gateway.client.send(overwrite) };
    };
    expect(await kindOf(s3.backend.completeUpload('k', uploadId, parts))).toBe('unavailable');
  });
});

test('a write whose metadata cannot be asked for afterwards has succeeded, and nothing is read by what is known of it', async () => {
  // What is asked before the write is answered.
  let heads = 0;
  s3.proxy.rule = ({ method }) => (method === 'HEAD' && heads++ > 0 ? busy : undefined);
  const bytes = someBytes(1_000);
  const meta = await put(s3.backend, 'k', bytes, { userMetadata: { a: 'b' } });
  expect(meta).toMatchObject({ sizeBytes: 1_000, generationSettled: false, userMetadata: { a: 'b' } });
  const read = async () => {
    for await (const _ of s3.backend.read('k', meta, { start: 0, end: 1_000 }));
  };
  expect(await kindOf(read())).toBe('moved');
  s3.proxy.rule = () => undefined;
  expect((await s3.backend.head('k')).etag).toBe(meta.etag);
  expect((await getAll(s3.backend, 'k')).equals(bytes)).toBe(true);
});

test('a write is answered in time if what is asked after it hangs, or waits for its turn', async () => {
  const tuned = { tuning: { ...tuning, idleTimeoutMs: 20_000, afterWriteTimeoutMs: 200 } };
  let heads = 0;
  s3.proxy.rule = ({ method }) => (method === 'HEAD' && heads++ > 0 ? { kind: 'hang' } : undefined);
  const startMs = performance.now();
  expect(await put(s3.open(tuned), 'k', 'x')).toMatchObject({ generationSettled: false });
  expect(performance.now() - startMs).toBeLessThan(15_000);
  s3.proxy.rule = () => undefined;
  const one = s3.open({
    tuning: { ...tuned.tuning, initialConcurrency: 1, minConcurrency: 1, maxConcurrency: 1 },
  });
  const meta = await put(one, 'large', someBytes(2_000_000));
  const cancel = new AbortController();
  let reading: Promise<unknown> | undefined;
  const beforeCommit = async () => {
    s3.proxy.strike('GET', '/large', { kind: 'hang' });
    const faults = s3.proxy.faults;
    const pieces = one.read('large', meta, { start: 0, end: meta.sizeBytes }, cancel);
    reading = kindOf(pieces[Symbol.asyncIterator]().next());
    await s3.proxy.until(() => s3.proxy.faults > faults);
  };
  const secondMs = performance.now();
  expect(await put(one, 'k', 'y', { beforeCommit })).toMatchObject({ generationSettled: false });
  expect(performance.now() - secondMs).toBeLessThan(15_000);
  cancel.abort();
  expect(await reading).toBe('cancelled');
});

describe('a refusal that is not in the words of S3', () => {
  const envoy = 'upstream connect error or disconnect/reset before headers';

  test.each([429, 503])('with %d may stand for a change that was made', async (status) => {
    s3.proxy.strike('PUT', '/k', { kind: 'replace', status, body: envoy });
    const error = await put(s3.backend, 'k', 'x').catch((reason) => reason);
    expect(error).toMatchObject({ kind: 'unavailable', retryable: false, unresolved: true });
    expect((await getAll(s3.backend, 'k')).toString()).toBe('x');
    expect(s3.proxy.count('PUT')).toBe(1);
  });

  test('of a Complete that was made is looked behind', async () => {
    const { uploadId, parts } = await upload('k');
    s3.proxy.strike('POST', 'uploadId', { kind: 'replace', status: 503, body: envoy }, 1);
    expect(await s3.backend.completeUpload('k', uploadId, parts)).toEqual(await s3.backend.head('k'));
    expect(s3.proxy.faults).toBe(1);
  });
});
