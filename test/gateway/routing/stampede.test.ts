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
  /** Reads of bytes, by key. */
  readonly reads = new Map<string, number>();

  of(inner: Backend): Backend {
    return new Proxy(inner, {
      get: (target, name) => {
        if (name === 'open') return undefined;
        if (name === 'head') return (...given: Parameters<Backend['head']>) => this.head(target, given);
        if (name === 'read') return (...given: Parameters<Backend['read']>) => this.read(target, given);
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  private async head(inner: Backend, given: Parameters<Backend['head']>) {
    this.begin();
    try {
      await systemClock.sleep(slowMs);
      return await inner.head(...given);
    } finally {
      this.underWay--;
    }
  }

  private async *read(inner: Backend, given: Parameters<Backend['read']>): AsyncGenerator<Buffer> {
    this.begin();
    this.reads.set(given[0], (this.reads.get(given[0]) ?? 0) + 1);
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
    const gone = await start((backend) => storage.of(backend));
    const others = ring.nodes.filter((node) => node !== gone);
    const owned = keys.filter((key) => ring.rolesOf(key).owner === gone);
    expect(owned.length).toBeGreaterThan(0);
    expect(await readFrom(others, owned, 4)).toBe(true);
    expect([...storage.reads].sort()).toEqual(owned.map((key) => [key, 1]).sort());
  },
  patienceMs,
);

test(
  'all nodes together ask no more of a storage at once than its mount may, with a node gone and all readers at the others',
  async () => {
    const storage = new BusyStorage();
    const maxRequests = 10;
    const gone = await start((backend, ownership) =>
      limitedBackend(systemClock, storage.of(backend), { maxRequests }, () => placeAmong(ownership)),
    );
    const others = ring.nodes.filter((node) => node !== gone);
    expect(await readFrom(others, keys, 2)).toBe(true);
    // The share of the one that is gone stays unused until a view without it.
    expect(storage.most).toBeGreaterThan(5);
    expect(storage.most).toBeLessThanOrEqual(maxRequests);
    expect(storage.reads.size).toBe(keys.length);
  },
  patienceMs,
);
