import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { openS3Backend } from '../../src/ufs/s3.ts';
import { kindOf, listAll, put, readAll } from '../contracts/backend.ts';
import { credentials } from '../gateway/memory-node.ts';
import type { Fault } from '../support/fault-proxy.ts';
import { someBytes } from '../support/upload-body.ts';
import { type S3UnderTest, startS3 } from './s3-under-test.ts';

const tuning = { idleTimeoutMs: 1000, retry: { attempts: 3, baseMs: 5, capMs: 10 } };
const slowDown = '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>';
const busy: Fault = { kind: 'refuse', status: 503, body: slowDown };
const bytes = someBytes(400_000);

let s3: S3UnderTest;
beforeEach(async () => {
  s3 = await startS3({ tuning });
});
afterEach(() => s3.close());

/** What a read gave before it ended, and how it ended. */
async function readTill(end: Promise<unknown> | undefined = undefined, signal?: AbortSignal) {
  const meta = await s3.backend.head('k');
  await end;
  const chunks: Buffer[] = [];
  const outcome = await (async () => {
    const options = { signal };
    for await (const chunk of s3.backend.read('k', meta, { start: 0, end: meta.sizeBytes }, options)) {
      chunks.push(chunk);
    }
    return 'whole';
  })().catch((error) => error.kind ?? error);
  return { outcome, got: Buffer.concat(chunks) };
}

async function expectPrefix({ outcome, got }: { outcome: unknown; got: Buffer }, kind: string) {
  expect(outcome).toBe(kind);
  expect(got.length).toBeLessThan(bytes.length);
  expect(got.equals(bytes.subarray(0, got.length))).toBe(true);
}

test('reads and lists that meet SlowDown are repeated, up to the last attempt', async () => {
  await put(s3.backend, 'k', bytes);
  for (const [method, call] of [
    ['HEAD', () => s3.backend.head('k')],
    ['GET', () => listAll(s3.backend)],
  ] as const) {
    s3.proxy.strike(method, '', busy, 2);
    const before = s3.proxy.count(method);
    await call();
    expect(s3.proxy.count(method) - before).toBe(3);
    s3.proxy.strike(method, '', busy);
    expect(await kindOf(call())).toBe('throttled');
    expect(s3.proxy.count(method) - before).toBe(6);
  }
});

test('a read that fails before its first byte is repeated', async () => {
  await put(s3.backend, 'k', bytes);
  for (const fault of [busy, { kind: 'lose' }, { kind: 'cut', afterBytes: 0 }] as const) {
    s3.proxy.strike('GET', '/k', fault, 2);
    expect((await readTill()).outcome).toBe('whole');
  }
});

test('a read that breaks off goes on at the byte where it stood, and asks for the same version', async () => {
  await put(s3.backend, 'k', bytes);
  for (const fault of [
    { kind: 'cut', afterBytes: 100_000 },
    { kind: 'stall', afterBytes: 100_000 },
  ] as const) {
    s3.proxy.seen.length = 0;
    s3.proxy.strike('GET', '/k', fault, 2);
    const { outcome, got } = await readTill();
    expect([outcome, got.equals(bytes)]).toEqual(['whole', true]);
    const gets = s3.proxy.seen.filter(({ method }) => method === 'GET').map(({ headers }) => headers);
    expect(gets.map(({ range }) => range)).toEqual([undefined, 'bytes=100000-399999', 'bytes=200000-399999']);
    expect(new Set(gets.map((headers) => headers['if-match'])).size).toBe(1);
    expect(gets[0]?.['if-match']).toMatch(/^"[0-9a-f]{32}"$/);
  }
});

test('a read that breaks off again and again is given up, unless much comes in between', async () => {
  const long = someBytes(5_000_000);
  await put(s3.backend, 'k', long);
  const meta = await s3.backend.head('k');
  const gets = () => s3.proxy.seen.splice(0).filter(({ method }) => method === 'GET').length;
  gets();
  s3.proxy.strike('GET', '/k', { kind: 'cut', afterBytes: 1_000 });
  expect(await kindOf(readAll(s3.backend, 'k', meta))).toBe('unavailable');
  expect(gets()).toBe(3);
  s3.proxy.strike('GET', '/k', { kind: 'cut', afterBytes: 1_100_000 });
  expect((await readAll(s3.backend, 'k', meta)).equals(long)).toBe(true);
  expect(gets()).toBe(5);
});

test('what breaks off and is another version then has moved', async () => {
  await put(s3.backend, 'k', bytes);
  const other = s3.open({ endpoint: `http://127.0.0.1:${s3.gateway.port}` });
  const change = () => put(other, 'k', someBytes(400_000, 2));
  let gets = 0;
  s3.proxy.rule = ({ method }) => {
    if (method !== 'GET') return undefined;
    return ++gets === 1 ? { kind: 'cut', afterBytes: 100_000 } : { kind: 'before', run: change };
  };
  await expectPrefix(await readTill(), 'moved');
});

test('what breaks off and is known by a weak ETag only does not go on', async () => {
  await put(s3.backend, 'k', bytes);
  const change = { etag: 'W/"weak"' };
  s3.proxy.rule = ({ method }) =>
    method === 'GET' ? { kind: 'cut', afterBytes: 100_000, change } : { kind: 'headers', change };
  await expectPrefix(await readTill(), 'unavailable');
  expect(s3.proxy.count('GET')).toBe(1);
});

test('an answer of another length than its object is no whole answer', async () => {
  await put(s3.backend, 'k', bytes);
  for (const announcedBytes of [0, 399_999, 400_001]) {
    s3.proxy.strike('GET', '/k', { kind: 'length', announcedBytes });
    const { outcome, got } = await readTill();
    expect(['io', 'unavailable']).toContain(outcome);
    expect(got.length).toBe(0);
  }
});

test('an answer without a length that ends early is no whole answer', async () => {
  await put(s3.backend, 'k', bytes);
  const meta = await s3.backend.head('k');
  s3.proxy.strike('GET', '/k', { kind: 'body', body: bytes.subarray(0, 300_000) });
  expect(await kindOf(readAll(s3.backend, 'k', meta))).toBe('io');
  expect(s3.proxy.faults).toBeGreaterThan(0);
});

test('an object that changes between HEAD and GET has moved, and no byte of it is given', async () => {
  await put(s3.backend, 'k', bytes);
  const other = s3.open({});
  const change = () => put(other, 'k', someBytes(400_000, 2));
  s3.proxy.strike('GET', '/k', { kind: 'before', run: change }, 1);
  expect(await readTill()).toEqual({ outcome: 'moved', got: Buffer.alloc(0) });
  s3.proxy.strike('GET', '/k', { kind: 'before', run: () => other.delete('k') }, 1);
  expect(await readTill()).toEqual({ outcome: 'moved', got: Buffer.alloc(0) });
});

test('a server that ignores If-Match is found out by its own headers', async () => {
  await put(s3.backend, 'k', bytes);
  for (const change of [
    { etag: '"00000000000000000000000000000000"' },
    { etag: undefined },
    { 'last-modified': 'Thu, 01 Jan 2015 00:00:00 GMT' },
    { 'x-amz-version-id': 'another' },
  ]) {
    s3.proxy.strike('GET', '/k', { kind: 'headers', change });
    expect(await readTill()).toEqual({ outcome: 'moved', got: Buffer.alloc(0) });
  }
  // What it sends in vain is not awaited: the connection is closed.
  const meta = await put(s3.backend, 'k', someBytes(20_000_000));
  expect(await kindOf(readAll(s3.backend, 'k', meta))).toBe('moved');
  await s3.proxy.until(() => s3.proxy.seen.at(-1)?.outcome === 'gone');
});

test('a server that sends another range than it was asked for is not believed', async () => {
  await put(s3.backend, 'k', bytes);
  const meta = await s3.backend.head('k');
  const read = (start: number, end: number) => kindOf(readAll(s3.backend, 'k', meta, { start, end }));
  for (const range of ['bytes 11-20/400000', 'bytes 10-19/400001', 'bytes 10-19/*', undefined]) {
    s3.proxy.strike('GET', '/k', { kind: 'headers', change: { 'content-range': range } });
    expect([range, await read(10, 20)]).toEqual([range, 'io']);
  }
  s3.proxy.strike('GET', '/k', { kind: 'body', status: 200, body: bytes.subarray(0, 10) });
  expect(await read(10, 20)).toBe('io');
});

test('a backend that stands still is given up in time, and its connection with it', async () => {
  await put(s3.backend, 'k', bytes);
  s3.proxy.strike('HEAD', '', { kind: 'hang' });
  expect(await kindOf(s3.backend.head('k'))).toBe('timeout');
  expect(s3.proxy.count('HEAD')).toBeGreaterThan(3);
  s3.proxy.strike('GET', '/k', { kind: 'stall', afterBytes: 100_000 });
  await expectPrefix(await readTill(), 'timeout');
  await s3.proxy.until(() => s3.proxy.seen.every((one) => one.outcome !== 'open'));
});

test('a reader that takes its time is no backend that stands still', async () => {
  const large = someBytes(3_000_000);
  const meta = await put(s3.backend, 'large', large);
  const chunks: Buffer[] = [];
  for await (const chunk of s3.backend.read('large', meta, { start: 0, end: large.length })) {
    if (chunks.length === 1) await new Promise((resolve) => setTimeout(resolve, 1_600));
    chunks.push(chunk);
  }
  expect(Buffer.concat(chunks).equals(large)).toBe(true);
});

test('readers that take their time leave room for others', async () => {
  const large = someBytes(20_000_000);
  const meta = await put(s3.backend, 'large', large);
  const narrow = s3.open({
    tuning: { ...tuning, initialConcurrency: 2, maxConcurrency: 2, minConcurrency: 2, maxWaitMs: 2_000 },
  });
  const read = () => narrow.read('large', meta, { start: 0, end: large.length })[Symbol.asyncIterator]();
  const slow = [read(), read()];
  for (const reader of slow) await reader.next();
  expect((await narrow.head('large')).etag).toBe(meta.etag);
  await narrow.delete('other');
  for (const reader of slow) {
    await reader.next();
    await reader.return?.(undefined);
  }
  expect((await narrow.head('large')).etag).toBe(meta.etag);
});

test('a backend that sends a byte now and then is given up', async () => {
  await put(s3.backend, 'k', bytes);
  const strict = s3.open({ tuning: { ...tuning, idleTimeoutMs: 200 }, minBytesPerSecond: 1_000 });
  const meta = await strict.head('k');
  s3.proxy.strike('GET', '/k', { kind: 'trickle', everyMs: 20 });
  expect(await kindOf(readAll(strict, 'k', meta))).toBe('timeout');
  await s3.proxy.until(() => s3.proxy.seen.every(({ outcome }) => outcome !== 'open'));
  // Slow readers are none of its faults.
  s3.proxy.rule = () => undefined;
  const demanding = s3.open({ tuning: { ...tuning, idleTimeoutMs: 200 }, minBytesPerSecond: 150_000 });
  s3.proxy.seen.length = 0;
  for await (const _ of demanding.read('k', meta, { start: 0, end: 200_000 })) {
    await new Promise((resolve) => setTimeout(resolve, 600));
  }
  expect(s3.proxy.count('GET')).toBe(1);
});

test('a machine whose clock is wrong signs by the clock of the storage once it was told', async () => {
  const wrong = { ...systemClock, nowMs: () => systemClock.nowMs() + 3_600_000 };
  const endpoint = `http://127.0.0.1:${s3.proxy.port}`;
  const late = openS3Backend(wrong, systemRandom, { uri: 's3://under/', endpoint, credentials, tuning });
  await put(s3.backend, 'k', bytes);
  expect(await kindOf(late.head('k'))).toBe('denied');
  expect((await late.head('k')).sizeBytes).toBe(bytes.length);
  await late.close();
});

test('a reader that stops or is cancelled takes the connection below with it', async () => {
  const large = someBytes(20_000_000);
  const meta = await put(s3.backend, 'large', large);
  const ends = () => s3.proxy.seen.filter((one) => one.method === 'GET').map((one) => one.outcome);
  for await (const _ of s3.backend.read('large', meta, { start: 0, end: large.length })) break;
  await s3.proxy.until(() => ends()[0] === 'gone');
  const cancel = new AbortController();
  const cancelled = (async () => {
    const { signal } = cancel;
    for await (const _ of s3.backend.read('large', meta, { start: 0, end: large.length }, { signal }))
      cancel.abort();
  })();
  expect(await kindOf(cancelled)).toBe('cancelled');
  await s3.proxy.until(() => ends()[1] === 'gone');
  s3.proxy.strike('HEAD', '', { kind: 'hang' });
  const asking = new AbortController();
  const head = kindOf(s3.backend.head('large', { signal: asking.signal }));
  await s3.proxy.until(() => s3.proxy.faults === 1);
  asking.abort();
  expect(await head).toBe('cancelled');
  await s3.proxy.until(() => s3.proxy.seen.at(-1)?.outcome === 'gone');
});

test('calls wait for their turn, as many as may and as long as may, and then are refused', async () => {
  await put(s3.backend, 'k', 'x');
  const narrow = s3.open({
    tuning: {
      ...tuning,
      idleTimeoutMs: 5_000,
      initialConcurrency: 1,
      maxConcurrency: 1,
      minConcurrency: 1,
      maxQueued: 1,
      maxWaitMs: 100,
    },
  });
  s3.proxy.strike('HEAD', '', { kind: 'delay', ms: 400 });
  const calls = [1, 2, 3].map(() =>
    narrow.head('k').then(
      () => 'answered',
      (error) => [error.kind, error.message],
    ),
  );
  expect(await Promise.all(calls)).toEqual([
    'answered',
    ['throttled', 'no call was free for 100 ms'],
    ['throttled', '1 calls wait for this backend already'],
  ]);
  s3.proxy.rule = () => undefined;
  await narrow.head('k');
});

test('an answer that is no S3 answer is an error and not a state of the object', async () => {
  for (const body of ['<html>hello</html>', '{}', '', '<ListBucketResult>']) {
    s3.proxy.strike('GET', 'list-type', { kind: 'refuse', status: 200, body });
    expect([body, await s3.backend.list({ prefix: '', limit: 5 }).catch((error) => error.kind)]).toEqual([
      body,
      'unavailable',
    ]);
  }
});
