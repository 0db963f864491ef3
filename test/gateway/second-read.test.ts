import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { MeteredBackend } from '../../src/ufs/metered.ts';
import { put } from '../contracts/backend.ts';
import { someBytes } from '../support/upload-body.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { mountOf } from './mount-of.ts';
import { type Storage, storages } from './storages.ts';

const Bucket = 'bucket';
const pageSizeBytes = 64 * 1024;
const sizes = [0, 1, 700, 70_000, 300_000];
const objects = 120;
const listLimit = 50;

const metrics = new Metrics();
let storage: Storage;
let gateway: GatewayUnderTest;

beforeAll(async () => {
  storage = await storages.s3();
  const mount = { ...mountOf(Bucket, ''), freshness: { kind: 'lease', ms: 60_000 } as const };
  const root = new MemoryBackend(systemClock, systemRandom);
  const backend = new MeteredBackend(metrics, storage.mounted, Bucket);
  gateway = await startGateway(root, [{ mount, backend }], { pageSizeBytes });
  await gateway.buckets.create({ name: Bucket, owner: 'root', kind: 'mount' });
  for (let i = 0; i < objects; i++) {
    await put(storage.outside, `folder-${i % 7}/object-${i}`, someBytes(sizes[i % sizes.length] ?? 0, i + 1));
  }
});
afterAll(async () => {
  await gateway.close();
  await storage.close();
});

/** As `aws s3 sync` into an empty folder: lists everything and gets each object. The bytes, and what the storage was asked for. */
async function readEverything() {
  const seen = storage.proxy?.seen ?? [];
  const before = seen.length;
  let bytes = 0;
  let lists = 0;
  for (let ContinuationToken: string | undefined, more = true; more; lists++) {
    const page = await gateway.client.send(
      new ListObjectsV2Command({ Bucket, MaxKeys: listLimit, ContinuationToken }),
    );
    for (const { Key, Size } of page.Contents ?? []) {
      const { Body } = await gateway.client.send(new GetObjectCommand({ Bucket, Key }));
      const got = (await Body?.transformToByteArray())?.length ?? 0;
      expect([Key, got]).toEqual([Key, Size]);
      bytes += got;
    }
    more = page.IsTruncated ?? false;
    ContinuationToken = page.NextContinuationToken;
  }
  const asked = seen.slice(before);
  const isList = ({ url }: { url: string }) => url.includes('list-type');
  return {
    bytes,
    lists,
    asked: {
      lists: asked.filter(isList).length,
      heads: asked.filter(({ method }) => method === 'HEAD').length,
      gets: asked.filter((one) => one.method === 'GET' && !isList(one)).length,
    },
  };
}

test('what is read costs the storage one question, and what was read once is read again without a byte from the storage, nor a question but the lists', async () => {
  const first = await readEverything();
  expect(first.asked).toEqual({ lists: first.lists, heads: 0, gets: objects });
  const moved = await metrics.backendBytes.get();
  expect(moved.values).toEqual([{ labels: { mount: Bucket, direction: 'read' }, value: first.bytes }]);
  const second = await readEverything();
  expect(await metrics.backendBytes.get()).toEqual(moved);
  expect(second.bytes).toBe(first.bytes);
  expect(second.asked).toEqual({ lists: second.lists, heads: 0, gets: 0 });
});
