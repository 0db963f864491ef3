import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { put } from '../contracts/backend.ts';
import { someBytes } from '../support/upload-body.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { mountOf } from './mount-of.ts';
import { type Storage, storages } from './storages.ts';

const [through, around] = ['through', 'around'] as const;
const pageSizeBytes = 64 * 1024;
const sizes = [1, 700, pageSizeBytes - 1, pageSizeBytes, pageSizeBytes + 1, 300_000];

let storage: Storage;
let gateway: GatewayUnderTest;

beforeAll(async () => {
  storage = await storages.s3();
  const root = new MemoryBackend(systemClock, systemRandom);
  const lease = { kind: 'lease', ms: 600_000 } as const;
  const mounts = [through, around].map((writeMode) => ({
    mount: { ...mountOf(writeMode, ''), writeMode, freshness: lease },
    backend: storage.mounted,
  }));
  gateway = await startGateway(root, mounts, { pageSizeBytes, removesDeadPages: true });
  for (const name of [through, around]) await gateway.buckets.create({ name, owner: 'root', kind: 'mount' });
});
afterAll(async () => {
  await gateway.close();
  await storage.close();
});
beforeEach(() => {
  if (storage.proxy) storage.proxy.rule = () => undefined;
});

const putObject = (Bucket: string, Key: string, Body: Buffer, more = {}) =>
  gateway.client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));

async function getObject(Bucket: string, Key: string, Range?: string) {
  let cache: string | undefined;
  const command = new GetObjectCommand({ Bucket, Key, Range });
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers: Record<string, string> };
      cache = headers['x-forebay-cache'];
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
  const { Body, ETag } = (await gateway.client.send(command)) as GetObjectCommandOutput;
  return { bytes: Buffer.from((await Body?.transformToByteArray()) ?? []), cache, etag: ETag };
}

const asked = () => storage.proxy?.seen.length ?? 0;

describe('what is written through', () => {
  test.each(sizes)(
    'is read again, %i bytes of it, without asking its storage anything',
    async (sizeBytes) => {
      const bytes = someBytes(sizeBytes, sizeBytes);
      const { ETag } = await putObject(through, 'k', bytes);
      const before = asked();
      expect(await getObject(through, 'k')).toEqual({ bytes, cache: 'hit', etag: ETag });
      const from = Math.floor(sizeBytes / 2);
      const part = await getObject(through, 'k', `bytes=${from}-`);
      expect([part.bytes.equals(bytes.subarray(from)), part.cache]).toEqual([true, 'hit']);
      expect(asked()).toBe(before);
    },
  );

  test('is of the version that was written last, however often', async () => {
    for (let round = 1; round <= 10; round++) {
      const bytes = someBytes(100_000 + round, round);
      await putObject(through, 'again', bytes);
      const { bytes: got, cache } = await getObject(through, 'again');
      expect([got.equals(bytes), cache]).toEqual([true, 'hit']);
    }
  });

  test('is whole and of one version after several were written at once', async () => {
    const all = Array.from({ length: 6 }, (_, index) => someBytes(150_000, 50 + index));
    await Promise.allSettled(all.map((bytes) => putObject(through, 'at once', bytes)));
    const { bytes } = await getObject(through, 'at once');
    expect(all.filter((one) => one.equals(bytes))).toHaveLength(1);
    expect((await getObject(through, 'at once')).bytes.equals(bytes)).toBe(true);
  });

  test('leaves nothing where its storage refuses it', async () => {
    const old = someBytes(90_000, 1);
    await putObject(through, 'refused', old);
    const refused = putObject(through, 'refused', someBytes(90_000, 2), { IfNoneMatch: '*' });
    await expect(refused).rejects.toMatchObject({ name: 'PreconditionFailed' });
    expect((await getObject(through, 'refused')).bytes.equals(old)).toBe(true);
    if (storage.proxy)
      storage.proxy.rule = ({ method }) => (method === 'PUT' ? { kind: 'refuse', status: 403 } : undefined);
    await expect(putObject(through, 'refused', someBytes(90_000, 3))).rejects.toThrow();
    expect((await getObject(through, 'refused')).bytes.equals(old)).toBe(true);
  });

  test('is what the storage says where its answer is lost', async () => {
    await putObject(through, 'lost', someBytes(90_000, 1));
    const made = someBytes(90_000, 2);
    if (storage.proxy) storage.proxy.rule = ({ method }) => (method === 'PUT' ? { kind: 'lose' } : undefined);
    await expect(putObject(through, 'lost', made)).rejects.toThrow();
    if (storage.proxy) storage.proxy.rule = () => undefined;
    const { bytes } = await getObject(through, 'lost');
    expect(bytes.equals(made)).toBe(true);
  });

  test('is not taken for what somebody else has written at the same moment', async () => {
    const theirs = someBytes(90_000, 9);
    let isFirst = true;
    if (storage.proxy)
      // Behind the PUT and before it is asked what it made.
      storage.proxy.rule = ({ method }) => {
        if (method !== 'HEAD' || !isFirst) return undefined;
        isFirst = false;
        return { kind: 'before', run: () => put(storage.outside, 'both', theirs) };
      };
    await putObject(through, 'both', someBytes(90_000, 8)).catch(() => undefined);
    const { bytes } = await getObject(through, 'both');
    expect(bytes.equals(theirs) || bytes.equals(someBytes(90_000, 8))).toBe(true);
    const { ContentLength } = await gateway.client.send(
      new GetObjectCommand({ Bucket: through, Key: 'both' }),
    );
    expect(ContentLength).toBe(90_000);
  });

  test('is gone when it is deleted', async () => {
    await putObject(through, 'gone', someBytes(5_000));
    await gateway.client.send(new DeleteObjectCommand({ Bucket: through, Key: 'gone' }));
    await expect(getObject(through, 'gone')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });
});

test('what is written around is read from its storage the first time', async () => {
  const bytes = someBytes(70_000, 7);
  await putObject(around, 'k', bytes);
  const first = await getObject(around, 'k');
  expect([first.bytes.equals(bytes), first.cache]).toEqual([true, 'miss']);
  expect((await getObject(around, 'k')).cache).toBe('hit');
});
