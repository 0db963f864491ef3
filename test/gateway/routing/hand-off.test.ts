import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, expect, test } from '@jest/globals';
import type { Metrics } from '../../../src/common/metrics.ts';
import { someBytes } from '../../support/upload-body.ts';
import { callsOf, type RingNode, RingNodes, servedBy } from './ring-nodes.ts';

const patienceMs = 120_000;
const Bucket = 'pages';
const keyCount = 40;
const keys = Array.from({ length: keyCount }, (_, i) => `key-${i}`);
/** Three pages and a bit, or a small object. */
const bodyOf = (key: string) => {
  const seed = Number(key.slice(4));
  return someBytes(seed % 2 === 0 ? 4_096 + seed : 3 * 65_536 + seed, seed);
};

let ring: RingNodes;
afterEach(() => ring?.close());

async function get(node: RingNode | undefined, Key: string): Promise<Buffer> {
  const answer = await node?.gateway.client.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await answer?.Body?.transformToByteArray()) ?? []);
}

const put = (node: RingNode | undefined, Key: string, Body: Buffer) =>
  node?.gateway.client.send(new PutObjectCommand({ Bucket, Key, Body }));

/** Every key is written and read once, so that its owner has its pages. */
async function warmUp(): Promise<void> {
  const [first] = ring.nodes;
  await Promise.all(
    keys.map(async (key) => {
      await put(first, key, bodyOf(key));
      await ring.settled(key);
      expect((await get(first, key)).equals(bodyOf(key))).toBe(true);
    }),
  );
}

async function sum(of: (metrics: Metrics) => Promise<number>): Promise<number> {
  const counts = await Promise.all(ring.nodes.map(({ gateway }) => of(gateway.metrics)));
  return counts.reduce((total, count) => total + count, 0);
}

const storageReads = () =>
  sum(async (metrics) => (await callsOf(metrics, 'read')) + (await callsOf(metrics, 'open')));

const storageBytes = () =>
  sum(async (metrics) => {
    const { values } = await metrics.backendBytes.get();
    const read = values.filter(({ labels }) => labels.direction === 'read');
    return read.reduce((total, { value }) => total + value, 0);
  });

const handOffs = (result: string) =>
  sum(async (metrics) => {
    const { values } = await metrics.handOffs.get();
    return values.reduce((total, { labels, value }) => total + (labels.result === result ? value : 0), 0);
  });

/** Reads all keys, each through another node than the one before. What the storage was read for it. */
async function readAll(expected = bodyOf): Promise<{ reads: number; bytes: number }> {
  const [reads, bytes] = [await storageReads(), await storageBytes()];
  for (const [i, key] of keys.entries()) {
    const read = await get(ring.nodes[i % ring.nodes.length], key);
    expect([key, read.equals(expected(key))]).toEqual([key, true]);
  }
  return { reads: (await storageReads()) - reads, bytes: (await storageBytes()) - bytes };
}

/** A node joins. The keys that are its own from then on. */
async function join(): Promise<string[]> {
  const node = await ring.add();
  await ring.agreed();
  const moved = keys.filter((key) => ring.rolesOf(key).owner === node);
  for (const key of moved) await ring.settled(key);
  expect(moved.length).toBeGreaterThan(1);
  return moved;
}

test(
  'after a node has joined, pages that were read before cost the storage no read; what it got counts as served from peers',
  async () => {
    ring = await RingNodes.start(3);
    await warmUp();
    const moved = await join();
    const [joined] = ring.nodes.slice(-1) as [RingNode];
    expect(await readAll()).toEqual({ reads: 0, bytes: 0 });
    const pages = moved.map((key) => Math.ceil(bodyOf(key).length / 65_536));
    expect(await handOffs('given')).toBe(pages.reduce((total, count) => total + count, 0));
    // It keeps them: nobody is asked again.
    expect(await readAll()).toEqual({ reads: 0, bytes: 0 });
    expect(await handOffs('given')).toBe(pages.reduce((total, count) => total + count, 0));
    for (const key of moved) await get(joined, key);
    const served = await servedBy(joined.gateway.metrics);
    expect(served.fill ?? 0).toBe(0);
  },
  patienceMs,
);

test(
  'without handing over, each key that has moved is read from the storage once more',
  async () => {
    ring = await RingNodes.start(3, { handOff: false });
    await warmUp();
    const moved = await join();
    const bytes = moved.reduce((total, key) => total + bodyOf(key).length, 0);
    expect((await readAll()).bytes).toBe(bytes);
    expect(await handOffs('given')).toBe(0);
  },
  patienceMs,
);
