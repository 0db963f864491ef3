import { GetObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, expect, test } from '@jest/globals';
import type { Metrics } from '../../../src/common/metrics.ts';
import type { Ownership } from '../../../src/ring/ownership.ts';
import { until } from '../../support/until.ts';
import { someBytes } from '../../support/upload-body.ts';
import { plainBody } from '../../worker/reading.ts';
import { callsOf, type RingNode, RingNodes, servedBy } from './ring-nodes.ts';

const patienceMs = 120_000;
const Bucket = 'pages';
/** So many that small and large ones are among those that move, whatever the nodes are called. */
const keyCount = 80;
const keys = Array.from({ length: keyCount }, (_, i) => `key-${i}`);
const pageBytes = 65_536;
/** Small objects, such of three pages and a bit, and such that are streamed. */
const bodyOf = (key: string) => {
  const seed = Number(key.slice(4));
  const sizes = [4_096, 3 * pageBytes, 4_096, 10 * pageBytes] as const;
  return someBytes((sizes[seed % 4] ?? 0) + seed, seed);
};
/** What the key is overwritten with. */
const newBodyOf = (key: string) => someBytes(bodyOf(key).length, 1_000 + Number(key.slice(4)));
const lengthOf = (some: readonly string[]) => some.reduce((total, key) => total + bodyOf(key).length, 0);
const pagesOf = (some: readonly string[]) =>
  some.reduce((total, key) => total + Math.ceil(bodyOf(key).length / pageBytes), 0);

let ring: RingNodes;
afterEach(() => ring?.close());

async function get(node: RingNode | undefined, Key: string, Range?: string): Promise<Buffer> {
  const answer = await node?.gateway.client.send(new GetObjectCommand({ Bucket, Key, Range }));
  return Buffer.from((await answer?.Body?.transformToByteArray()) ?? []);
}

/** Behind the nodes' back, so that none of them has anything of it yet. */
const put = (key: string, body: Buffer) =>
  ring.storage.put(key, plainBody(body), { headers: {}, userMetadata: {} });

/** Every key is written, and its pages read up to `Range`, so that its owner has them. */
async function warmUp(Range = 'bytes=0-'): Promise<void> {
  const [first] = ring.nodes;
  await Promise.all(
    keys.map(async (key) => {
      await put(key, bodyOf(key));
      await ring.settled(key);
      await get(first, key, Range);
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

/** What an answer says of the cache. */
async function statusOf(node: RingNode, Key: string): Promise<string | undefined> {
  let status: string | undefined;
  const command = new GetObjectCommand({ Bucket, Key });
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      status = (result.response as { headers: Record<string, string> }).headers['x-forebay-cache'];
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
  const { Body } = await node.gateway.client.send(command);
  await Body?.transformToByteArray();
  return status;
}

/** Reads keys, each through another node than the one before. What the storage was read for it. */
async function readAll(expected = bodyOf, through: readonly RingNode[] = ring.nodes, some = keys) {
  const [reads, bytes] = [await storageReads(), await storageBytes()];
  for (const [i, key] of some.entries()) {
    const read = await get(through[i % through.length], key);
    expect([key, read.equals(expected(key))]).toEqual([key, true]);
  }
  return { reads: (await storageReads()) - reads, bytes: (await storageBytes()) - bytes };
}

/** A node joins. It, and the keys that are its own from then on. */
async function join(): Promise<{ readonly joined: RingNode; readonly moved: string[] }> {
  const joined = await ring.add();
  await ring.agreed();
  const moved = keys.filter((key) => ring.rolesOf(key).owner === joined);
  for (const key of moved) await ring.settled(key);
  expect(pagesOf(moved)).toBeGreaterThan(moved.length);
  return { joined, moved };
}

test(
  'after a node has joined, pages that were read before cost the storage no read; what it got counts as served from peers',
  async () => {
    ring = await RingNodes.start(3);
    await warmUp();
    const { joined, moved } = await join();
    expect(await readAll(bodyOf, [joined], moved)).toEqual({ reads: 0, bytes: 0 });
    expect(await servedBy(joined.gateway.metrics)).toEqual({ peer: lengthOf(moved) });
    expect(await handOffs('given')).toBe(pagesOf(moved));
    // It keeps them: nobody is asked again, whichever node is.
    expect(await readAll()).toEqual({ reads: 0, bytes: 0 });
    expect([await handOffs('given'), await handOffs('failed')]).toEqual([pagesOf(moved), 0]);
  },
  patienceMs,
);

test(
  'an answer of a page that another node has given is a hit, through whichever node it is asked for',
  async () => {
    ring = await RingNodes.start(3);
    await warmUp();
    const { joined, moved } = await join();
    const small = moved.filter((key) => bodyOf(key).length <= pageBytes);
    const [first] = ring.nodes as [RingNode];
    const said = await Promise.all(small.map((key, i) => statusOf(i % 2 === 0 ? joined : first, key)));
    expect(said).toEqual(small.map(() => 'hit'));
    expect(await handOffs('given')).toBe(small.length);
  },
  patienceMs,
);

test(
  'without handing over, each key that has moved is read from the storage once more',
  async () => {
    ring = await RingNodes.start(3, { handOff: false });
    await warmUp();
    const { moved } = await join();
    expect((await readAll()).bytes).toBe(lengthOf(moved));
    expect(await handOffs('given')).toBe(0);
  },
  patienceMs,
);

test(
  'what a draining node had is taken over from it',
  async () => {
    ring = await RingNodes.start(3);
    await warmUp();
    const [leaving, ...staying] = ring.nodes as [RingNode, RingNode, RingNode];
    await leaving.member.drain(30_000);
    await until(() => staying.every(({ ownership }) => stateOf(ownership, leaving) === 'draining'));
    for (const key of keys) await ring.settled(key);
    expect(await readAll(bodyOf, staying)).toEqual({ reads: 0, bytes: 0 });
    expect(await handOffs('given')).toBeGreaterThan(0);
  },
  patienceMs,
);

test(
  'an object that was replaced meanwhile is read as it is now',
  async () => {
    ring = await RingNodes.start(3);
    await warmUp();
    const { moved } = await join();
    for (const key of moved) await put(key, newBodyOf(key));
    const expected = (key: string) => (moved.includes(key) ? newBodyOf(key) : bodyOf(key));
    expect((await readAll(expected)).bytes).toBe(lengthOf(moved));
    expect(await handOffs('given')).toBe(0);
  },
  patienceMs,
);

test(
  'what the node before lacks comes from the storage, and it is asked about each object once',
  async () => {
    ring = await RingNodes.start(3);
    for (const key of keys) await put(key, bodyOf(key));
    const { joined, moved } = await join();
    for (const key of moved) await get(joined, key, 'bytes=0-9');
    await readAll(bodyOf, [joined], moved);
    expect(await storageBytes()).toBe(lengthOf(moved));
    expect([await handOffs('given'), await handOffs('lacking')]).toEqual([0, moved.length]);
  },
  patienceMs,
);

test(
  'of an object that it has in part, the beginning comes from the node before, and the rest in one read of the storage',
  async () => {
    ring = await RingNodes.start(3);
    await warmUp(`bytes=0-${2 * pageBytes - 1}`);
    const { joined, moved } = await join();
    const rest = moved.map((key) => Math.max(0, bodyOf(key).length - 2 * pageBytes));
    const bytes = rest.reduce((total, one) => total + one, 0);
    const reads = rest.filter((one) => one > 0).length;
    expect(await readAll(bodyOf, [joined], moved)).toEqual({ reads, bytes });
    const served = { peer: lengthOf(moved) - bytes, fill: bytes };
    expect(await servedBy(joined.gateway.metrics)).toMatchObject(served);
  },
  patienceMs,
);

test(
  'nodes before that cannot be reached are passed by, and left alone for a while',
  async () => {
    ring = await RingNodes.start(3);
    await warmUp();
    const { joined, moved } = await join();
    for (const node of ring.nodes) joined.pool.cut.add(node.workerId);
    const { bytes } = await readAll(bodyOf, [joined], moved);
    expect([bytes, await handOffs('given')]).toEqual([lengthOf(moved), 0]);
    expect(await handOffs('failed')).toBeGreaterThan(0);
  },
  patienceMs,
);

test.each(['answers', 'bodies'] as const)(
  'nodes before that are stuck in their %s are not waited for',
  async (stuckIn) => {
    ring = await RingNodes.start(3, { handOffTimeoutMs: 50 });
    await warmUp();
    const { joined, moved } = await join();
    for (const node of ring.nodes) if (node !== joined) node.stuckIn = stuckIn;
    const { bytes } = await readAll(bodyOf, [joined], moved);
    expect([bytes, await handOffs('given')]).toEqual([lengthOf(moved), 0]);
    expect(await handOffs('failed')).toBeGreaterThan(0);
  },
  patienceMs,
);

function stateOf(ownership: Ownership, { workerId }: RingNode): string | undefined {
  return ownership.view().member(workerId)?.state;
}
