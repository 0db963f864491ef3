import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Freshness } from '../../src/common/freshness.ts';
import { put } from '../contracts/backend.ts';
import { someBytes } from '../support/upload-body.ts';
import { type S3UnderTest, startS3 } from '../ufs/s3-under-test.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { mountOf } from './mount-of.ts';
import { type SentRequest, sendSigned } from './signed-request.ts';

let below: S3UnderTest;
let gateway: GatewayUnderTest;
let key: string;
let keys = 0;

const freshnesses: Record<string, Freshness> = {
  lease: { kind: 'lease', ms: 60_000 },
  always: { kind: 'always' },
  immutable: { kind: 'immutable' },
};

beforeAll(async () => {
  below = await startS3();
  const mounts = Object.entries(freshnesses).map(([bucket, freshness]) => ({
    mount: { ...mountOf(bucket, ''), freshness },
    backend: below.open(),
  }));
  gateway = await startGateway(below.storage, mounts);
  for (const { mount } of mounts) {
    await gateway.buckets.create({ name: mount.bucket, owner: 'root', kind: 'mount' });
  }
});
afterAll(async () => {
  await gateway.close();
  await below.close();
});
beforeEach(() => {
  keys++;
  key = `key-${keys}`;
});

/** At the storage, not through the gateway under test. */
const putBelow = (bytes: Buffer | string, name = key) => put(below.backend, name, bytes);

async function ask(cacheControl?: string, bucket = 'lease', more: Partial<SentRequest> = {}) {
  const headers = {
    ...(cacheControl === undefined ? {} : { 'cache-control': cacheControl }),
    ...more.headers,
  };
  const before = below.proxy.seen.length;
  const {
    status,
    headers: answered,
    body,
  } = await sendSigned(gateway.port, {
    target: `/${bucket}/${key}`,
    ...more,
    headers,
  });
  return {
    status,
    text: body.toString(),
    code: /<Code>(.*)<\/Code>/.exec(body.toString())?.[1],
    cache: answered['x-forebay-cache'],
    validatedMs: Date.parse(answered['x-forebay-validated'] ?? ''),
    asked: below.proxy.seen.slice(before).map((one) => one.method),
  };
}

test('an answer says when its metadata was validated, and a hit under a lease says the same again', async () => {
  await putBelow('one');
  const startedMs = Date.now();
  const cold = await ask();
  const endedMs = Date.now();
  expect(cold.validatedMs).toBeGreaterThanOrEqual(startedMs);
  expect(cold.validatedMs).toBeLessThanOrEqual(endedMs);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const hot = await ask();
  expect([hot.cache, hot.validatedMs, hot.asked]).toEqual(['hit', cold.validatedMs, []]);
  const head = await ask(undefined, 'lease', { method: 'HEAD' });
  expect([head.validatedMs, head.asked]).toEqual([cold.validatedMs, []]);
  const asked = await ask('no-cache');
  expect([asked.cache, asked.asked]).toEqual(['hit', ['HEAD']]);
  expect(asked.validatedMs).toBeGreaterThan(cold.validatedMs);
  expect((await ask()).validatedMs).toBe(asked.validatedMs);
});

test('that there is no object is told with the time as of which it is so', async () => {
  const cold = await ask();
  expect([cold.status, cold.code, cold.asked]).toEqual([404, 'NoSuchKey', ['GET']]);
  const hot = await ask();
  expect([hot.status, hot.validatedMs, hot.asked]).toEqual([404, cold.validatedMs, []]);
});

describe('under a lease', () => {
  test.each(['no-cache', 'max-age=0'])('%s shows what is there now', async (cacheControl) => {
    await putBelow('one');
    await ask();
    await putBelow('two!');
    expect((await ask()).text).toBe('one');
    expect((await ask(cacheControl)).text).toBe('two!');
    expect((await ask()).text).toBe('two!');
  });

  test.each(['no-cache', 'max-age=0'])('%s ends a remembered 404', async (cacheControl) => {
    expect((await ask()).status).toBe(404);
    await putBelow('one');
    expect((await ask()).status).toBe(404);
    expect((await ask(cacheControl)).text).toBe('one');
    expect((await ask()).text).toBe('one');
  });

  test('max-age asks only what is older', async () => {
    await putBelow('one');
    await ask();
    await new Promise((resolve) => setTimeout(resolve, 1_010));
    expect((await ask('max-age=60')).asked).toEqual([]);
    const asked = await ask('max-age=1');
    expect([asked.asked, asked.cache]).toEqual([['HEAD'], 'hit']);
    expect((await ask('max-age=1')).asked).toEqual([]);
  });

  test('what is malformed counts for nothing', async () => {
    await putBelow('one');
    await ask();
    for (const text of ['max-age=none', 'max-age=-1', 'no cache', 'max-age', ',,=']) {
      expect([text, (await ask(text)).asked]).toEqual([text, []]);
    }
  });
});

describe('no-store', () => {
  test('keeps neither metadata nor pages, nor that there is nothing', async () => {
    for (let i = 0; i < 2; i++) expect((await ask('no-store')).asked).toEqual(['HEAD']);
    await putBelow(someBytes(300_000));
    for (let i = 0; i < 2; i++) {
      const { cache, asked } = await ask('no-store');
      expect([cache, asked]).toEqual(['bypass', ['HEAD', 'GET']]);
    }
    expect((await ask()).cache).toBe('miss');
  });

  test('is answered with what was kept before', async () => {
    await putBelow('one');
    await ask();
    expect(await ask('no-store')).toMatchObject({ cache: 'hit', text: 'one', asked: [] });
  });

  test('drops what it finds to be no longer so', async () => {
    await putBelow('one');
    await ask();
    await putBelow('two!');
    expect((await ask('no-store, no-cache')).text).toBe('two!');
    expect((await ask()).text).toBe('two!');
  });
});

describe('only-if-cached', () => {
  test('is answered from what is here, or with 504, and never asks', async () => {
    await putBelow('one');
    expect(await ask('only-if-cached')).toMatchObject({ status: 504, code: 'GatewayTimeout', asked: [] });
    expect(await ask('only-if-cached', 'lease', { method: 'HEAD' })).toMatchObject({
      status: 504,
      asked: [],
    });
    await ask(undefined, 'lease', { method: 'HEAD' });
    expect(await ask('only-if-cached', 'lease', { method: 'HEAD' })).toMatchObject({
      status: 200,
      asked: [],
    });
    // What is known of the object is enough for this, but its bytes are not here.
    expect(await ask('only-if-cached')).toMatchObject({ status: 504, asked: [] });
    await ask();
    expect(await ask('only-if-cached')).toMatchObject({ status: 200, text: 'one', cache: 'hit', asked: [] });
  });

  test('needs all the pages that it asks for', async () => {
    const pages = 5_000_000;
    await putBelow(someBytes(pages));
    await ask(undefined, 'lease', { headers: { range: 'bytes=0-9' } });
    const status = async (range: string) => {
      const { status: found, asked } = await ask('only-if-cached', 'lease', { headers: { range } });
      expect(asked).toEqual([]);
      return found;
    };
    expect(await status('bytes=0-4000000')).toBe(206);
    expect(await status(`bytes=0-${pages - 1}`)).toBe(504);
    expect(await status(`bytes=${pages - 10}-`)).toBe(504);
    expect(await status(`bytes=${pages}-`)).toBe(416);
  });

  test('takes a remembered 404, and conditions that metadata decides', async () => {
    expect((await ask('only-if-cached')).status).toBe(504);
    await ask();
    expect((await ask('only-if-cached')).status).toBe(404);
    const { etag } = await putBelow('one');
    await ask('no-cache', 'lease', { method: 'HEAD' });
    const headers = { 'if-none-match': `"${etag}"` };
    expect((await ask('only-if-cached', 'lease', { headers })).status).toBe(304);
    expect((await ask('only-if-cached', 'lease', { headers: { 'if-match': '"x"' } })).status).toBe(412);
  });

  test('beside no-cache, and where nothing is used unasked, has no answer', async () => {
    await putBelow('one');
    for (const bucket of ['lease', 'always']) await ask(undefined, bucket);
    expect(await ask('only-if-cached, no-cache')).toMatchObject({ status: 504, asked: [] });
    expect(await ask('only-if-cached', 'always')).toMatchObject({ status: 504, asked: [] });
  });
});

test('an immutable mount asks when it is told to', async () => {
  await putBelow('one');
  await ask(undefined, 'immutable');
  await putBelow('two!');
  expect(await ask('max-age=60', 'immutable')).toMatchObject({ text: 'one', asked: [] });
  expect((await ask('no-cache', 'immutable')).text).toBe('two!');
});

test('whether Cache-Control is signed, or the request is signed in its query, makes no difference', async () => {
  await putBelow('one');
  await ask();
  const noCache = { 'cache-control': 'no-cache' };
  for (const [more, asked] of [
    [{ headers: noCache }, ['HEAD']],
    [{ unsigned: noCache }, ['HEAD']],
    [{ presigned: true, unsigned: noCache }, ['HEAD']],
    [{ presigned: true }, []],
  ] as const) {
    expect(await ask(undefined, 'lease', more)).toMatchObject({ status: 200, text: 'one', asked });
  }
});
