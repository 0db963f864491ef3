import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { put } from '../contracts/backend.ts';
import { everything, type S3UnderTest, startS3 } from '../ufs/s3-under-test.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { mountOf } from './mount-of.ts';
import { sendSigned } from './signed-request.ts';

const settlingMs = 500;
const tuning = { settlingMs, retry: { attempts: 2, baseMs: 5, capMs: 10 } };
let below: S3UnderTest;
let gateway: GatewayUnderTest;

beforeAll(async () => {
  below = await startS3({ tuning });
  const freshness = { kind: 'lease', ms: 60_000 } as const;
  const plainly = below.open({
    abilities: { ...everything, conditionalCreate: false, conditionalPut: false },
  });
  const mounts = [
    { mount: { ...mountOf('sets', ''), freshness }, backend: below.open() },
    { mount: { ...mountOf('plain', ''), freshness }, backend: plainly },
  ];
  gateway = await startGateway(below.storage, mounts);
  for (const name of ['sets', 'plain']) await gateway.buckets.create({ name, owner: 'root', kind: 'mount' });
});
afterAll(async () => {
  await gateway.close();
  await below.close();
});

async function write(bucket: string, text: string, key = 'key'): Promise<number> {
  const sent = { method: 'PUT', target: `/${bucket}/${bucket}-${key}`, body: Buffer.from(text) };
  return (await sendSigned(gateway.port, sent)).status;
}

async function read(bucket: string, key = 'key') {
  const { status, headers, body } = await sendSigned(gateway.port, { target: `/${bucket}/${bucket}-${key}` });
  return [status === 200 ? body.toString() : status, headers['x-forebay-cache']];
}

/** The next PUT is cut off and lands when it is let go, with the server's answer to it. */
function keepBack(): () => Promise<number> {
  const released = Promise.withResolvers<void>();
  const landed = Promise.withResolvers<number>();
  below.proxy.strike('PUT', '-key', { kind: 'late', until: released.promise, landed: landed.resolve }, 1);
  return () => {
    released.resolve();
    return landed.promise;
  };
}

test('a PUT that lands after its repetition was acknowledged is never seen', async () => {
  for (const before of [404, 'three']) {
    expect((await read('sets'))[0]).toBe(before);
    const land = keepBack();
    expect(await write('sets', 'two')).toBe(503);
    // It may land at any time, so that nothing is kept of what is there.
    for (let i = 0; i < 2; i++)
      expect(await read('sets')).toEqual(before === 404 ? [404, undefined] : [before, 'bypass']);
    expect(await write('sets', 'three!')).toBe(200);
    expect((await read('sets'))[0]).toBe('three!');
    expect(await land()).toBe(412);
    expect(await read('sets')).toEqual(['three!', 'hit']);
    await write('sets', 'three');
  }
});

test('without compare-and-set it is seen at once if it lands, and what is written later comes after it', async () => {
  await put(below.backend, 'plain-key', 'one');
  expect((await read('plain'))[0]).toBe('one');
  const land = keepBack();
  expect(await write('plain', 'two')).toBe(503);
  const repeated = write('plain', 'three');
  expect(await read('plain')).toEqual(['one', 'bypass']);
  expect(await land()).toBe(200);
  expect(await read('plain')).toEqual(['two', 'bypass']);
  expect(await repeated).toBe(200);
  expect((await read('plain'))[0]).toBe('three');
  expect(await read('plain')).toEqual(['three', 'hit']);
});

test('a new object that lands late is seen at once, although it was seen not to be there', async () => {
  for (const bucket of ['sets', 'plain']) {
    const land = keepBack();
    expect(await write(bucket, 'late', 'new-key')).toBe(503);
    expect((await read(bucket, 'new-key'))[0]).toBe(404);
    expect(await land()).toBe(200);
    expect((await read(bucket, 'new-key'))[0]).toBe('late');
  }
});
