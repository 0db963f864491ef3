import { request } from 'node:http';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { sign } from 'aws4';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import type { S3Backend } from '../../src/ufs/s3.ts';
import { put } from '../contracts/backend.ts';
import { someBytes } from '../support/upload-body.ts';
import { type S3UnderTest, startS3 } from '../ufs/s3-under-test.ts';
import { credentials, type GatewayUnderTest, startGateway } from './memory-node.ts';
import { mountOf } from './mount-of.ts';
import { sendSigned } from './signed-request.ts';

const pageSizeBytes = 64 * 1024;
const small = someBytes(1_000);
const long = someBytes(400_000, 2);
const tuning = {
  retry: { attempts: 2, baseMs: 5, capMs: 10 },
  // What holds a call without need is noticed by the next.
  ...{ initialConcurrency: 2, minConcurrency: 2, maxConcurrency: 2, maxWaitMs: 1_000 },
};

let s3: S3UnderTest;
let gateway: GatewayUnderTest;
/** The storage, past the proxy. */
let direct: S3Backend;
beforeEach(async () => {
  s3 = await startS3({ tuning });
  const freshness = { kind: 'lease', ms: 60_000 } as const;
  const short = { ...mountOf('short', ''), freshness: { kind: 'lease', ms: 1 } as const };
  const mounts = [
    { mount: { ...mountOf('bucket', ''), freshness }, backend: s3.backend },
    { mount: short, backend: s3.open() },
  ];
  gateway = await startGateway(new MemoryBackend(systemClock, systemRandom), mounts, { pageSizeBytes });
  for (const name of ['bucket', 'short']) {
    await gateway.buckets.create({ name, owner: 'root', kind: 'mount' });
  }
  direct = s3.open({ endpoint: `http://127.0.0.1:${s3.gateway.port}` });
  await put(direct, 'small', small);
  await put(direct, 'long', long);
  await put(direct, 'empty', Buffer.alloc(0));
});
afterEach(async () => {
  await gateway.close();
  await s3.close();
});

const get = (key: string, headers: Record<string, string> = {}, bucket = 'bucket') =>
  sendSigned(gateway.port, { target: `/${bucket}/${key}`, headers });

/** What the storage was asked since the last look, and with which range. */
function asked(): string[] {
  return s3.proxy.seen
    .splice(0)
    .map(({ method, headers: { range } }) => (range ? `${method} ${range}` : method));
}

/** A GET whose client can go away. */
function leavingClient(key: string): () => void {
  const host = `127.0.0.1:${gateway.port}`;
  const signed = sign(
    { service: 's3', region: 'us-east-1', path: `/bucket/${key}`, headers: { host } },
    credentials,
  );
  const req = request({
    host: '127.0.0.1',
    port: gateway.port,
    path: `/bucket/${key}`,
    headers: signed.headers as Record<string, string>,
  });
  req.on('error', () => {});
  req.end();
  return () => req.destroy();
}

test.each([
  ['a small object', 'small', undefined, ['GET'], small],
  ['an empty one', 'empty', undefined, ['GET'], Buffer.alloc(0)],
  ['a long one', 'long', undefined, ['GET'], long],
  ['a range', 'small', 'bytes=2-9', ['GET bytes=0-65535'], small.subarray(2, 10)],
  [
    'a range over pages',
    'long',
    'bytes=65000-140000',
    ['GET bytes=0-196607'],
    long.subarray(65_000, 140_001),
  ],
  ['an open range', 'long', 'bytes=131072-', ['GET bytes=131072-'], long.subarray(131_072)],
  ['a long range', 'long', 'bytes=1-399998', ['GET bytes=0-458751'], long.subarray(1, 399_999)],
  ['a suffix', 'small', 'bytes=-7', ['HEAD', 'GET'], small.subarray(-7)],
] as const)('%s of which nothing is known is asked for once', async (_what, key, range, questions, bytes) => {
  const headers: Record<string, string> = range === undefined ? {} : { range };
  const cold = await get(key, headers);
  expect(cold.body.equals(bytes)).toBe(true);
  expect(asked()).toEqual(questions);
  const hot = await get(key, headers);
  expect([hot.body.equals(bytes), hot.headers['x-forebay-cache']]).toEqual([true, 'hit']);
  expect(asked()).toEqual([]);
});

test('many who want the same at once ask once', async () => {
  s3.proxy.strike('GET', '/long', { kind: 'delay', ms: 100 });
  const ranges = [undefined, 'bytes=0-9', undefined, 'bytes=5-70000', undefined, 'bytes=300000-'];
  const first = get('long');
  await s3.proxy.until(() => s3.proxy.faults === 1);
  const answers = await Promise.all([first, ...ranges.map((range) => get('long', range ? { range } : {}))]);
  expect(answers.map(({ body }) => body.length)).toEqual([
    400_000, 400_000, 10, 400_000, 69_996, 400_000, 100_000,
  ]);
  // One begins where the first page of the others is not, and may be ahead of them.
  expect(asked().length).toBeLessThanOrEqual(2);
});

test('who goes away takes nothing from those who wait for the same, and the last takes the question along', async () => {
  s3.proxy.strike('GET', '/long', { kind: 'delay', ms: 200 });
  const leave = leavingClient('long');
  await s3.proxy.until(() => s3.proxy.faults === 1);
  const staying = get('long');
  await new Promise((resolve) => setTimeout(resolve, 50));
  leave();
  expect((await staying).body.equals(long)).toBe(true);
  expect(asked()).toEqual(['GET']);
  s3.proxy.strike('GET', '/small', { kind: 'hang' });
  const leaveToo = leavingClient('small');
  await s3.proxy.until(() => s3.proxy.seen.length === 1);
  leaveToo();
  await s3.proxy.until(() => s3.proxy.seen[0]?.outcome === 'gone');
});

test('who comes after a change is not answered by a question from before it', async () => {
  const answered = Promise.withResolvers<void>();
  const passing = Promise.withResolvers<void>();
  s3.proxy.strike('GET', '/small', { kind: 'hold', until: passing.promise, done: answered.resolve }, 1);
  const before = get('small');
  await answered.promise;
  const body = Buffer.from('newer');
  expect((await sendSigned(gateway.port, { method: 'PUT', target: '/bucket/small', body })).status).toBe(200);
  const after = get('small');
  setTimeout(passing.resolve, 100);
  expect((await after).body).toEqual(body);
  const early = (await before).body;
  expect(early.equals(small) || early.equals(body)).toBe(true);
  expect((await get('small')).body).toEqual(body);
});

test('an answer that needs no bytes ends the question, and holds nothing', async () => {
  // Its last page has bytes, and none of those that are asked for.
  const size = pageSizeBytes + 5_000;
  for (let i = 0; i < 8; i++) {
    await put(direct, `edge-${i}`, someBytes(size));
    s3.proxy.strike('GET', '/edge', { kind: 'stall', afterBytes: 10 });
    asked();
    const beyond = await get(`edge-${i}`, { range: `bytes=${size}-` });
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, `bytes */${size}`]);
    await s3.proxy.until(() => s3.proxy.seen.every(({ outcome }) => outcome !== 'open'));
    expect(asked()).toEqual([`GET bytes=${pageSizeBytes}-`]);
  }
  const large = someBytes(8_000_000);
  await put(direct, 'large', large);
  asked();
  expect((await get('small', { 'if-none-match': '*' })).status).toBe(304);
  expect(asked()).toEqual(['HEAD']);
  expect((await get('none')).status).toBe(404);
  expect(asked()).toEqual(['GET']);
  expect((await get('empty', { range: 'bytes=0-' }, 'short')).status).toBe(416);
  expect((await get('large')).body.equals(large)).toBe(true);
});

test('a server whose answer to a range says too little is asked for the metadata alone', async () => {
  const changes = [{ 'content-range': undefined }, { 'content-range': 'bytes 0-9/*' }, { etag: undefined }];
  for (const [index, change] of changes.entries()) {
    await put(direct, `strange-${index}`, long);
    s3.proxy.strike('GET', '/strange', { kind: 'headers', change }, 1);
    const { body } = await get(`strange-${index}`, { range: 'bytes=5-14' });
    expect(body.equals(long.subarray(5, 15))).toBe(true);
    expect(asked()).toEqual(['GET bytes=0-65535', 'HEAD', 'GET bytes=0-65535']);
  }
});

test('where pages may be here the metadata is asked for alone', async () => {
  await get('small', {}, 'short');
  asked();
  await new Promise((resolve) => setTimeout(resolve, 5));
  const again = await get('small', {}, 'short');
  expect([again.headers['x-forebay-cache'], asked()]).toEqual(['hit', ['HEAD']]);
});

test('what a range leaves open of an object is asked for when somebody wants to know it', async () => {
  const checksum = { 'x-amz-checksum-crc32c': 'pPe5MA==', 'x-amz-sdk-checksum-algorithm': 'CRC32C' };
  const body = Buffer.from('a body with a checksum');
  const sent = await sendSigned(gateway.port, {
    method: 'PUT',
    target: '/short/known',
    headers: checksum,
    body,
  });
  expect(sent.status).toBe(200);
  await get('known', { range: 'bytes=0-3' });
  asked();
  const mode = { 'x-amz-checksum-mode': 'ENABLED' };
  await get('known', { ...mode, range: 'bytes=0-3' });
  expect(asked()).toEqual([]);
  const whole = await get('known', mode);
  expect(whole.headers['x-amz-checksum-crc32c']).toBe(checksum['x-amz-checksum-crc32c']);
  expect(asked()).toEqual(['HEAD']);
  await get('known', mode);
  expect(asked()).toEqual([]);
});

test('what is known by a weak ETag only is asked for anew each time, in one piece, and not kept', async () => {
  // Old enough to be trusted, were it not for the ETag.
  const change = { etag: 'W/"weak"', 'last-modified': 'Thu, 01 Jan 2015 00:00:00 GMT' };
  s3.proxy.rule = () => ({ kind: 'headers', change });
  for (const [range, bytes, questions] of [
    [undefined, long, ['GET']],
    ['bytes=70000-200000', long.subarray(70_000, 200_001), ['GET bytes=65536-262143']],
    ['bytes=-70000', long.subarray(-70_000), ['HEAD', 'GET bytes=330000-399999']],
    [undefined, long, ['GET']],
  ] as const) {
    const { headers, body } = await get('long', range === undefined ? {} : { range });
    expect([headers['x-forebay-cache'], body.equals(bytes)]).toEqual(['bypass', true]);
    expect(asked()).toEqual(questions);
  }
});

test('a small object that is to be new is put without a look before', async () => {
  const headers = { 'if-none-match': '*' };
  const create = () =>
    sendSigned(gateway.port, { method: 'PUT', target: '/bucket/new', headers, body: Buffer.from('new') });
  expect((await create()).status).toBe(200);
  expect(asked()).toEqual(['PUT', 'HEAD']);
  expect((await create()).status).toBe(412);
  expect(asked()).toEqual(['PUT']);
});
