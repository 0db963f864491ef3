import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import type { ObjectMeta } from '../../src/common/object-meta.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { getAll, put } from '../contracts/backend.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { mountOf } from './mount-of.ts';
import { type HttpAnswer, type SentRequest, sendSigned } from './signed-request.ts';
import { type Storage, storages } from './storages.ts';

const pageSizeBytes = 64 * 1024;
/** Longer than what is gathered before it is answered, so that it is streamed. */
const longBytes = 400_000;

interface Case {
  readonly name: string;
  /** Which object it is about; a small one with everything that can be said of an object by default. */
  readonly of?: 'small' | 'empty' | 'long' | 'parts' | 'none';
  /** What follows the key in the target. */
  readonly query?: string;
  readonly request?: Omit<SentRequest, 'target'> | ((meta: ObjectMeta) => Omit<SentRequest, 'target'>);
  readonly status: number;
  /** The bytes of the object that a GET answers with, as a half-open range; none where undefined. */
  readonly bytes?: readonly [start: number, end: number];
}

const header = (headers: Record<string, string>) => ({ headers });
const past = 'Thu, 01 Jan 2015 00:00:00 GMT';
const small = 1_000;
const whole = [0, small] as const;

const cases: readonly Case[] = [
  { name: 'the whole object', status: 200, bytes: whole },
  { name: 'a long object', of: 'long', status: 200, bytes: [0, longBytes] },
  { name: 'an empty object', of: 'empty', status: 200, bytes: [0, 0] },
  { name: 'no object', of: 'none', status: 404 },
  { name: 'a range', request: header({ range: 'bytes=2-9' }), status: 206, bytes: [2, 10] },
  { name: 'an open range', request: header({ range: 'bytes=900-' }), status: 206, bytes: [900, small] },
  { name: 'a suffix', request: header({ range: 'bytes=-7' }), status: 206, bytes: [small - 7, small] },
  {
    name: 'a range beyond the end',
    request: header({ range: 'bytes=990-5000' }),
    status: 206,
    bytes: [990, small],
  },
  {
    name: 'a range over pages',
    of: 'long',
    request: header({ range: 'bytes=65000-140000' }),
    status: 206,
    bytes: [65_000, 140_001],
  },
  {
    name: 'a long range',
    of: 'long',
    request: header({ range: 'bytes=1-399998' }),
    status: 206,
    bytes: [1, 399_999],
  },
  { name: 'two ranges', request: header({ range: 'bytes=0-1,4-5' }), status: 200, bytes: whole },
  { name: 'a range that is not there', request: header({ range: 'bytes=1000-' }), status: 416 },
  { name: 'a range of an empty object', of: 'empty', request: header({ range: 'bytes=0-' }), status: 416 },
  {
    name: 'If-Match that holds',
    request: ({ etag }) => header({ 'if-match': `"${etag}"` }),
    status: 200,
    bytes: whole,
  },
  { name: 'If-Match that does not', request: header({ 'if-match': '"x"' }), status: 412 },
  {
    name: 'If-None-Match that holds',
    request: header({ 'if-none-match': '"x"' }),
    status: 200,
    bytes: whole,
  },
  {
    name: 'If-None-Match that does not',
    request: ({ etag }) => header({ 'if-none-match': `"${etag}"` }),
    status: 304,
  },
  {
    name: 'If-Modified-Since that holds',
    request: header({ 'if-modified-since': past }),
    status: 200,
    bytes: whole,
  },
  {
    name: 'If-Modified-Since that does not',
    request: ({ lastModifiedMs }) => header({ 'if-modified-since': dateOf(lastModifiedMs) }),
    status: 304,
  },
  {
    name: 'If-Unmodified-Since that does not hold',
    request: header({ 'if-unmodified-since': past }),
    status: 412,
  },
  {
    name: 'If-Range of this version',
    request: ({ etag }) => header({ range: 'bytes=1-2', 'if-range': `"${etag}"` }),
    status: 206,
    bytes: [1, 3],
  },
  {
    name: 'If-Range of its date',
    request: ({ lastModifiedMs }) => header({ range: 'bytes=1-2', 'if-range': dateOf(lastModifiedMs) }),
    status: 206,
    bytes: [1, 3],
  },
  {
    name: 'If-Range of another version',
    request: header({ range: 'bytes=1-2', 'if-range': '"x"' }),
    status: 200,
    bytes: whole,
  },
  {
    name: 'a condition before a range',
    request: ({ etag }) => header({ range: 'bytes=5000-', 'if-none-match': `"${etag}"` }),
    status: 304,
  },
  { name: 'the first part of one', query: '?partNumber=1', status: 206, bytes: whole },
  { name: 'a part that one does not have', query: '?partNumber=2', status: 416 },
  { name: 'the second part of three', of: 'parts', query: '?partNumber=2', status: 206, bytes: [700, 1_400] },
  { name: 'the last part of three', of: 'parts', query: '?partNumber=3', status: 206, bytes: [1_400, 1_500] },
  { name: 'a part behind the last', of: 'parts', query: '?partNumber=4', status: 416 },
  { name: 'an object of parts', of: 'parts', status: 200, bytes: [0, 1_500] },
  { name: 'a presigned request', request: { presigned: true }, status: 200, bytes: whole },
  {
    name: 'a presigned request for other headers',
    query: '?response-content-type=a%2Fb&response-cache-control=no-store',
    request: { presigned: true },
    status: 200,
    bytes: whole,
  },
  {
    name: 'a presigned request for a range',
    request: { presigned: true, unsigned: { range: 'bytes=3-4' } },
    status: 206,
    bytes: [3, 5],
  },
  {
    name: 'other headers',
    query:
      '?response-content-disposition=attachment&response-expires=never&response-content-language=x&response-content-encoding=y',
    status: 200,
    bytes: whole,
  },
  { name: 'checksums', request: header({ 'x-amz-checksum-mode': 'ENABLED' }), status: 200, bytes: whole },
  { name: 'another version', query: `?versionId=${'f'.repeat(32)}`, status: 404 },
  { name: 'what is the id of no version', query: '?versionId=other', status: 400 },
];

const dateOf = (ms: number) => new Date(ms).toUTCString();

/** What two answers to the same question may differ in. */
const passing = ['date', 'x-amz-request-id', 'x-amz-id-2', 'x-forebay-cache', 'x-forebay-validated'];

function comparable({ status, headers, body }: HttpAnswer) {
  const kept = Object.entries(headers).filter(([name]) => !passing.includes(name));
  const isError = headers['content-type'] === 'application/xml';
  const text = isError
    ? body.toString().replace(/<(RequestId|HostId)>.*?<\/\1>/g, '')
    : body.toString('latin1');
  return { status, headers: Object.fromEntries(kept), text };
}

describe.each([
  ...Object.entries(storages).map(([name, open]) => [name, 1, open] as const),
  ['memory', 2, storages.memory] as const,
])('over %s, with %i threads, an answer on a hit is the same as on a miss:', (_name, ioThreads, open) => {
  let storage: Storage;
  let gateway: GatewayUnderTest;
  const bodies = {
    small: someBytes(small),
    empty: Buffer.alloc(0),
    long: someBytes(longBytes, 2),
    parts: someBytes(1_500, 3),
  };

  const about = {
    headers: {
      contentType: 'text/x-test',
      cacheControl: 'max-age=9',
      contentDisposition: 'inline',
      expires: 'soon',
    },
    userMetadata: { colour: 'blue', empty: '' },
  };

  async function make(key: string, of: keyof typeof bodies): Promise<void> {
    const { outside } = storage;
    if (of !== 'parts') {
      await put(outside, key, bodies[of], about);
      return;
    }
    const { uploadId } = await outside.createUpload(key, about);
    const parts = [];
    for (const [index, [start, end]] of [
      [0, 700],
      [700, 1_400],
      [1_400, 1_500],
    ].entries()) {
      const body = new TestBody(bodies.parts.subarray(start, end));
      parts.push(await outside.putPart(key, uploadId, index + 1, body));
    }
    await outside.completeUpload(key, uploadId, parts);
  }

  beforeAll(async () => {
    storage = await open();
    const mount = { ...mountOf('bucket', ''), freshness: { kind: 'lease', ms: 60_000 } as const };
    const root = new MemoryBackend(systemClock, systemRandom);
    gateway = await startGateway(root, [{ mount, backend: storage.mounted }], { pageSizeBytes, ioThreads });
    await gateway.buckets.create({ name: 'bucket', owner: 'root', kind: 'mount' });
    for (const [index, { of = 'small' }] of cases.entries()) {
      if (of === 'none') continue;
      for (const method of ['GET', 'HEAD']) await make(`${method}-${index}`, of);
    }
    // Until a file's times name its bytes; what is younger is not kept.
    await new Promise((resolve) => setTimeout(resolve, 100));
  });
  afterAll(async () => {
    await gateway.close();
    await storage.close();
  });

  test.each(cases.map((one, index) => [one.name, one, index] as const))('%s', async (_case, one, index) => {
    const { of = 'small', query = '', status, bytes } = one;
    for (const method of ['GET', 'HEAD']) {
      const key = `${method}-${index}`;
      const meta = of === 'none' ? undefined : await storage.outside.head(key);
      const sent = typeof one.request === 'function' ? one.request(meta as ObjectMeta) : one.request;
      const ask = () => sendSigned(gateway.port, { ...sent, method, target: `/bucket/${key}${query}` });
      const cold = await ask();
      let hot = await ask();
      // The end of a page may still be coming when the last byte that was asked for has gone out.
      for (let waits = 0; hot.headers['x-forebay-cache'] === 'partial' && waits < 50; waits++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        hot = await ask();
      }
      expect(comparable(hot)).toEqual(comparable(cold));
      expect(cold.status).toBe(status);
      if (bytes && method === 'GET') {
        const expected = of === 'none' ? undefined : bodies[of].subarray(...bytes);
        expect(expected?.equals(cold.body)).toBe(true);
        const caches = [cold.headers['x-forebay-cache'], hot.headers['x-forebay-cache']];
        expect(caches).toEqual(bytes[1] > bytes[0] ? ['miss', 'hit'] : ['hit', 'hit']);
      }
      if (of !== 'none' && !query.includes('versionId')) {
        // Both speak of the version by the one question that was asked about it.
        expect(hot.headers['x-forebay-validated']).toBe(cold.headers['x-forebay-validated']);
        expect(cold.headers['x-forebay-validated']).toBeDefined();
      }
    }
    if (of !== 'none') expect((await getAll(storage.outside, `GET-${index}`)).equals(bodies[of])).toBe(true);
  });
});
