import { GetObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, expect, test } from '@jest/globals';
import { systemClock } from '../../../src/common/clock.ts';
import { placeAmong } from '../../../src/ring/place-among.ts';
import type { Backend } from '../../../src/ufs/backend.ts';
import { limitedBackend } from '../../../src/ufs/limited.ts';
import { someBytes } from '../../support/upload-body.ts';
import { plainBody } from '../../worker/reading.ts';
import { type RingNode, RingNodes, type Wrap } from './ring-nodes.ts';

const patienceMs = 120_000;
const Bucket = 'pages';
const keys = Array.from({ length: 48 }, (_, i) => `key-${i}`);
const bodyOf = (key: string) => someBytes(4_096, Number(key.slice(4)));
const slowMs = 20;

let ring: RingNodes;
afterEach(() => ring?.close());

/** A storage that takes its time, and counts what all nodes ask of it. */
class BusyStorage {
  underWay = 0;
  most = 0;
  readonly reads: { readonly key: string; readonly start: number; readonly by: string }[] = [];
  readonly heads: { readonly key: string; readonly by: string }[] = [];

  /** As the node `by` reaches it. */
  of(inner: Backend, by: string): Backend {
    return new Proxy(inner, {
      get: (target, name) => {
        if (name === 'open') return undefined;
        if (name === 'head') return (...given: Parameters<Backend['head']>) => this.head(target, by, given);
        if (name === 'read') return (...given: Parameters<Backend['read']>) => this.read(target, by, given);
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  private async head(inner: Backend, by: string, given: Parameters<Backend['head']>) {
    this.begin();
    this.heads.push({ key: given[0], by });
    try {
      await systemClock.sleep(slowMs);
      return await inner.head(...given);
    } finally {
      this.underWay--;
    }
  }

  private async *read(
    inner: Backend,
    by: string,
    given: Parameters<Backend['read']>,
  ): AsyncGenerator<Buffer> {
    this.begin();
    this.reads.push({ key: given[0], start: given[2].start, by });
    try {
      await systemClock.sleep(slowMs);
      yield* inner.read(...given);
    } finally {
      this.underWay--;
    }
  }

  private begin(): void {
    this.underWay++;
    this.most = Math.max(this.most, this.underWay);
  }
}

async function start(wrap: Wrap): Promise<RingNode> {
  ring = await RingNodes.start(4, {}, {}, wrap);
  for (const key of keys)
    await ring.storage.put(key, plainBody(bodyOf(key)), { headers: {}, userMetadata: {} });
  const [gone] = ring.nodes as [RingNode];
  gone.isolate();
  return gone;
}

/** Who would keep a segment if a node were not there. */
function successorOf(key: string, segment: number, { workerId, ownership }: RingNode): string | undefined {
  return ownership.view().placementOwnerOf(ring.hashOf(key), segment, new Set([workerId]));
}

/** A key whose second segment lies on another node than its metadata, the first segment and the third. */
function keyWithSegmentElsewhere(): { readonly key: string; readonly gone: RingNode } {
  const [first] = ring.nodes as [RingNode];
  for (let i = 0; ; i++) {
    const key = `large-${i}`;
    const [one, two, three] = [0, 1, 2].map((segment) =>
      first.ownership.view().placementOwnerOf(ring.hashOf(key), segment),
    );
    const gone = ring.nodes.find(({ workerId }) => workerId === two);
    if (gone && two !== one && two !== three) return { key, gone };
  }
}

/** Asks the nodes that are left, `times` each for all keys at once; whether all bytes were right. */
async function readFrom(nodes: readonly RingNode[], some: readonly string[], times: number) {
  const reads = some.flatMap((key) =>
    nodes.flatMap((node) =>
      Array.from({ length: times }, async () => {
        const { Body } = await node.gateway.client.send(new GetObjectCommand({ Bucket, Key: key }));
        return Buffer.from((await Body?.transformToByteArray()) ?? []).equals(bodyOf(key));
      }),
    ),
  );
  return (await Promise.all(reads)).every((isRight) => isRight);
}

test(
  'what a node that cannot be reached has owned is read from the storage once, whichever nodes are asked for it',
  async () => {
    const storage = new BusyStorage();
    const gone = await start((backend, { workerId }) => storage.of(backend, workerId));
    const others = ring.nodes.filter((node) => node !== gone);
    const owned = keys.filter((key) => ring.rolesOf(key).owner === gone);
    expect(owned.length).toBeGreaterThan(0);
    expect(await readFrom(others, owned, 4)).toBe(true);
    const expected = owned.map((key) => `${key} by ${successorOf(key, 0, gone)}`).sort();
    expect(storage.reads.map(({ key, by }) => `${key} by ${by}`).sort()).toEqual(expected);
    expect([...new Set(storage.heads.map(({ key, by }) => `${key} by ${by}`))].sort()).toEqual(expected);
  },
  patienceMs,
);

test(
  'a segment of a node that cannot be reached is read once too, by the node that would have it without that one',
  async () => {
    const storage = new BusyStorage();
    ring = await RingNodes.start(4, { segmentBytes: 2 * 65_536 }, {}, (backend, { workerId }) =>
      storage.of(backend, workerId),
    );
    const { key, gone } = keyWithSegmentElsewhere();
    const body = someBytes(6 * 65_536, 7);
    await ring.storage.put(key, plainBody(body), { headers: {}, userMetadata: {} });
    gone.isolate();
    const others = ring.nodes.filter((node) => node !== gone);
    const reads = others.map(async (node) => {
      const { Body } = await node.gateway.client.send(new GetObjectCommand({ Bucket, Key: key }));
      return Buffer.from((await Body?.transformToByteArray()) ?? []).equals(body);
    });
    expect(await Promise.all(reads)).toEqual([true, true, true]);
    const ofSegment = storage.reads.filter(({ start }) => start >= 131_072 && start < 262_144);
    expect(new Set(ofSegment.map(({ by }) => by))).toEqual(new Set([successorOf(key, 1, gone)]));
    expect(new Set(ofSegment.map(({ start }) => start)).size).toBe(ofSegment.length);
  },
  patienceMs,
);

test(
  'all nodes together ask no more of a storage at once than its mount may, with a node gone and all readers at the others',
  async () => {
    const storage = new BusyStorage();
    const maxRequests = 10;
    const gone = await start((backend, ownership) =>
      limitedBackend(systemClock, storage.of(backend, ownership.workerId), { maxRequests }, () =>
        placeAmong(ownership),
      ),
    );
    const others = ring.nodes.filter((node) => node !== gone);
    expect(await readFrom(others, keys, 2)).toBe(true);
    // The share of the one that is gone stays unused until a view without it.
    expect(storage.most).toBeGreaterThan(5);
    expect(storage.most).toBeLessThanOrEqual(maxRequests);
    expect(new Set(storage.reads.map(({ key }) => key)).size).toBe(keys.length);
  },
  patienceMs,
);
