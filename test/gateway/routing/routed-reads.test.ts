import { once } from 'node:events';
import type { Readable } from 'node:stream';
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterEach, expect, test } from '@jest/globals';
import type { ByteRange } from '../../../src/common/byte-range.ts';
import type { Backend } from '../../../src/ufs/backend.ts';
import { put as putTo } from '../../contracts/backend.ts';
import { someBytes } from '../../support/upload-body.ts';
import { callsOf, type RingNode, RingNodes, servedBy } from './ring-nodes.ts';

const patienceMs = 120_000;
let ring: RingNodes;
afterEach(() => ring?.close());

const Bucket = 'pages';

async function get(node: RingNode, Key: string, Range?: string) {
  const headers: Record<string, string> = {};
  const command = new GetObjectCommand({ Bucket, Key, Range });
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      Object.assign(headers, (result.response as { headers: Record<string, string> }).headers);
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
  const answer: GetObjectCommandOutput = await node.gateway.client.send(command);
  const bytes = Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
  return { bytes, cache: headers['x-forebay-cache'], owner: headers['x-forebay-owner'], etag: answer.ETag };
}

const put = (node: RingNode | undefined, Key: string, Body: Buffer) =>
  node?.gateway.client.send(new PutObjectCommand({ Bucket, Key, Body }));

const nameOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: Error) => error.name,
  );

const statusOf = (promise: Promise<unknown>) =>
  promise.then(
    () => '200',
    (error: Error & { $metadata?: { httpStatusCode?: number } }) =>
      `${error.$metadata?.httpStatusCode} ${error.name}`,
  );

test(
  'an object is kept by its owner alone, as soon as it was put: it is hit through every node, which all name the owner',
  async () => {
    ring = await RingNodes.start(3);
    for (let i = 0; i < 6; i++) {
      const key = `small-${i}`;
      const sent = someBytes(4096, i);
      const { owner, others } = ring.rolesOf(key);
      await put(owner, key, sent);
      await ring.settled(key);
      const caches: unknown[] = [];
      for (const node of [...others, owner, ...others]) {
        const read = await get(node, key);
        expect([read.bytes.equals(sent), read.owner]).toEqual([true, owner.workerId]);
        caches.push(read.cache);
      }
      expect(caches).toEqual(['hit', 'hit', 'hit', 'hit', 'hit']);
    }
    for (const { gateway } of ring.nodes) {
      expect(await callsOf(gateway.metrics, 'head')).toBe(0);
    }
    const served = await Promise.all(ring.nodes.map(({ gateway }) => servedBy(gateway.metrics)));
    const sum = (source: string) => served.reduce((total, one) => total + (one[source] ?? 0), 0);
    expect({ hit: sum('hit'), peer: sum('peer'), fill: sum('fill'), bypass: sum('bypass') }).toEqual({
      hit: 6 * 4096,
      peer: 6 * 4 * 4096,
      fill: 0,
      bypass: 0,
    });
    for (const { gateway } of ring.nodes) {
      const handed = (await gateway.metrics.peerBytes.get()).values;
      const bytes = handed.reduce((total, { value }) => total + value, 0);
      const owned = [0, 1, 2, 3, 4, 5].filter((i) => ring.rolesOf(`small-${i}`).owner.gateway === gateway);
      expect(bytes).toBe(owned.length * 4 * 4096);
    }
  },
  patienceMs,
);

test(
  'what one node has written every node reads at once, under a lease, hot or not',
  async () => {
    ring = await RingNodes.start(3);
    const [a, b, c] = ring.nodes as [RingNode, RingNode, RingNode];
    for (let round = 0; round < 12; round++) {
      const writer = [a, b, c][round % 3] as RingNode;
      const sent = someBytes(10_000 + round, round);
      await put(writer, 'shared', sent);
      for (const node of [a, b, c, a]) expect((await get(node, 'shared')).bytes.equals(sent)).toBe(true);
    }
  },
  patienceMs,
);

test(
  'a long object is stitched from the nodes that hold its segments, whole or any range of it',
  async () => {
    ring = await RingNodes.start(3, { segmentBytes: 256 * 1024 });
    const sent = someBytes(3_000_000, 7);
    const [a, b, c] = ring.nodes as [RingNode, RingNode, RingNode];
    await put(a, 'long', sent);
    await ring.settled('long');
    for (const node of [a, b, c]) expect((await get(node, 'long')).bytes.equals(sent)).toBe(true);
    const edge = 256 * 1024;
    for (const [first, last] of [
      [0, 0],
      [edge - 1, edge],
      [edge, 2 * edge - 1],
      [edge - 10, 2 * edge + 10],
      [5, 2_999_999],
      [2_999_999, 2_999_999],
      [1_000_000, 1_999_999],
    ] as const) {
      for (const node of [a, b, c]) {
        const { bytes } = await get(node, 'long', `bytes=${first}-${last}`);
        expect(bytes.equals(sent.subarray(first, last + 1))).toBe(true);
      }
    }
    const held = await Promise.all(
      ring.nodes.map(async ({ gateway }) => (await callsOf(gateway.metrics, 'read')) > 0),
    );
    expect(held).toEqual([true, true, true]);
    // Pages lie once in the cluster: what the nodes have read of the storage, together, is the object but for what its owner kept when it was put.
    const read = await Promise.all(
      ring.nodes.map(async ({ gateway }) => {
        const { values } = await gateway.metrics.backendBytes.get();
        return values
          .filter(({ labels }) => labels.direction === 'read')
          .reduce((sum, { value }) => sum + value, 0);
      }),
    );
    expect(read.reduce((sum, bytes) => sum + bytes, 0)).toBe(sent.length - edge);
  },
  patienceMs,
);

test(
  'heads, conditions, absent keys and ranges beyond the end are answered through any node as by the owner',
  async () => {
    ring = await RingNodes.start(3);
    const { owner, others } = ring.rolesOf('k');
    await put(owner, 'k', Buffer.from('0123456789'));
    for (const node of [owner, ...others]) {
      const { client } = node.gateway;
      const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'k' }));
      expect([head.ContentLength, typeof head.ETag]).toEqual([10, 'string']);
      expect(
        await statusOf(client.send(new GetObjectCommand({ Bucket, Key: 'k', IfNoneMatch: head.ETag }))),
      ).toBe('304 Unknown');
      expect(await nameOf(client.send(new GetObjectCommand({ Bucket, Key: 'k', IfMatch: '"other"' })))).toBe(
        'PreconditionFailed',
      );
      expect(await nameOf(client.send(new GetObjectCommand({ Bucket, Key: 'none' })))).toBe('NoSuchKey');
      expect(await nameOf(get(node, 'k', 'bytes=10-11'))).toBe('InvalidRange');
      expect((await get(node, 'k', 'bytes=-3')).bytes.toString()).toBe('789');
      const { VersionId } = head;
      if (VersionId) {
        const version = await client.send(new GetObjectCommand({ Bucket, Key: 'k', VersionId }));
        expect(await version.Body?.transformToString()).toBe('0123456789');
      }
    }
  },
  patienceMs,
);

test(
  'reads pass by an owner that cannot be reached, as the storage has the object now, and no more of them at once than is set',
  async () => {
    ring = await RingNodes.start(2, { maxPassedBy: 0 });
    const { owner, others } = ring.rolesOf('k');
    const [other] = others as [RingNode];
    await put(owner, 'k', Buffer.from('before'));
    await get(other, 'k');
    owner.isolate();
    expect(await nameOf(get(other, 'k'))).toBe('SlowDown');
    await ring.close();
    ring = await RingNodes.start(3);
    const roles = ring.rolesOf('k');
    await put(roles.owner, 'k', Buffer.from('before'));
    await get(roles.others[0] as RingNode, 'k');
    roles.owner.isolate();
    const heads = async () => {
      const counts = await Promise.all(ring.nodes.map(({ gateway }) => callsOf(gateway.metrics, 'head')));
      return counts.reduce((sum, count) => sum + count, 0);
    };
    for (const node of [...roles.others, ...roles.others]) {
      const before = await heads();
      const read = await get(node, 'k');
      expect([read.bytes.toString(), read.owner]).toEqual(['before', roles.owner.workerId]);
      expect(await heads()).toBe(before + 1);
    }
  },
  patienceMs,
);

test(
  'a question that another node has handed on, or that was sent long ago, is not answered',
  async () => {
    ring = await RingNodes.start(2);
    const { owner, others } = ring.rolesOf('k');
    const [other] = others as [RingNode];
    await put(owner, 'k', Buffer.from('here'));
    const view = other.ownership.view();
    const ask = async (changes: Record<string, unknown>) => {
      const about = { bucket: Bucket, key: 'k', incarnation: ring.mount.incarnation };
      const asked = { op: 'lookup', view: { generation: view.generation, epoch: view.epoch }, hops: 1 };
      const question = {
        ...about,
        ...asked,
        sentMs: other.clock.monotonicMs(),
        read: { start: 0 },
        ...changes,
      };
      const member = view.member(owner.workerId);
      if (!member) throw new Error('it is no member');
      const exchange = await other.pool.open(member, 'small', Buffer.from(JSON.stringify(question)));
      return exchange.receive().then(
        (message) => Object.keys(JSON.parse(message.toString()) as object),
        (error: { kind: string }) => error.kind,
      );
    };
    expect(await ask({})).toEqual(['ok']);
    expect(await ask({ hops: 2 })).toBe('overloaded');
    expect(await ask({ sentMs: other.clock.monotonicMs() - 60_000 })).toBe('overloaded');
    expect(await ask({ op: 'something else' })).toBe('overloaded');
    expect(await ask({ incarnation: 'another' })).toEqual(['error']);
  },
  patienceMs,
);

test(
  'an answer that is stitched from several nodes is of one version, whatever is written meanwhile: the rest of it, or none',
  async () => {
    ring = await RingNodes.start(3, { segmentBytes: 256 * 1024 });
    const [a, b, c] = ring.nodes as [RingNode, RingNode, RingNode];
    const sizeBytes = 24 * 1024 * 1024;
    const before = someBytes(sizeBytes, 1);
    await put(a, 'long', before);
    for (const [reader, writer] of [
      [b, c],
      [c, a],
    ] as const) {
      await put(writer, 'long', before);
      const { Body } = await reader.gateway.client.send(new GetObjectCommand({ Bucket, Key: 'long' }));
      const body = Body as Readable;
      const parts: Buffer[] = [await firstOf(body)];
      await put(writer, 'long', someBytes(sizeBytes, 2));
      let isWhole = true;
      try {
        for await (const part of body) parts.push(part as Buffer);
      } catch {
        isWhole = false;
      }
      const read = Buffer.concat(parts);
      expect(read.equals(before.subarray(0, read.length))).toBe(true);
      // Bytes may have been on their way already; if all were, there was nothing to be found out.
      expect(isWhole).toBe(read.length === sizeBytes);
    }
  },
  patienceMs,
);

async function firstOf(body: Readable): Promise<Buffer> {
  await once(body, 'readable');
  return body.read() as Buffer;
}

/** A storage that changes what it holds before each question. */
function restless(inner: Backend, change: (key: string) => Promise<unknown>): Backend {
  const outer: Backend = Object.create(inner);
  outer.head = async (key, options) => {
    await change(key);
    return inner.head(key, options);
  };
  outer.read = async function* (key, meta, range, options) {
    await change(key);
    yield* inner.read(key, meta, range, options);
  };
  outer.open = async (key, { start, end }) => {
    await change(key);
    const meta = await inner.head(key);
    const range = { start, end: Math.min(end ?? meta.sizeBytes, meta.sizeBytes) };
    const bytes: Buffer[] = [];
    for await (const piece of inner.read(key, meta, range)) bytes.push(Buffer.from(piece));
    const read = async function* (part: ByteRange) {
      yield Buffer.concat(bytes).subarray(part.start - start, part.end - start);
    };
    return { meta, range, read, close: () => {} };
  };
  return outer;
}

test(
  'an object that changes faster than its owner can ask two questions is read through every node',
  async () => {
    let count = 0;
    const sizeBytes = 100_000;
    ring = await RingNodes.start(3, {}, { freshness: { kind: 'always' } }, (inner) =>
      restless(inner, (key) => putTo(inner, key, someBytes(sizeBytes + count, count++))),
    );
    await putTo(ring.storage, 'key', someBytes(sizeBytes));
    for (const node of ring.nodes) {
      for (const range of [undefined, 'bytes=70000-99999', 'bytes=10-19']) {
        const { bytes } = await get(node, 'key', range);
        const [first, last] = range?.slice(6).split('-').map(Number) ?? [0, Number.POSITIVE_INFINITY];
        const all = Array.from({ length: count }, (_, i) => someBytes(sizeBytes + i, i));
        const parts = all.map((whole) => whole.subarray(first, (last ?? 0) + 1));
        expect(parts.some((part) => part.equals(bytes))).toBe(true);
      }
    }
  },
  patienceMs,
);
