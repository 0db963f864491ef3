import { afterEach, expect, test } from '@jest/globals';
import { systemClock } from '../../../src/common/clock.ts';
import { Metrics } from '../../../src/common/metrics.ts';
import { MovedError, OwnedMetadata } from '../../../src/gateway/routing/owned-metadata.ts';
import { defaultMetadataCacheSettings, MetadataCache } from '../../../src/worker/metadata-cache.ts';
import type { MetadataTarget } from '../../../src/worker/reader.ts';
import { TestBody } from '../../support/upload-body.ts';
import { type RingNode, RingNodes } from './ring-nodes.ts';

const patienceMs = 120_000;
let ring: RingNodes;
afterEach(() => ring?.close());

/** Metadata of one key as a node's part in the ring has it, and how often the storage was asked. */
async function sceneOn(node: RingNode, freshness: MetadataTarget['freshness']) {
  let heads = 0;
  const backend = new Proxy(ring.storage, {
    get: (target, name) => {
      if (name === 'head') heads++;
      return Reflect.get(target, name) as unknown;
    },
  });
  const target: MetadataTarget = {
    backend,
    mount: 'm',
    incarnation: ring.mount.incarnation,
    path: 'k',
    freshness,
  };
  const cache = new MetadataCache(systemClock, new Metrics(), defaultMetadataCacheSettings);
  const never = async () => false;
  const questions = { invalidate: never, lapsed: never };
  const metadata = new OwnedMetadata(systemClock, cache, node.ownership, questions, 1_000);
  const asked = () => heads;
  return { metadata, cache, target, asked };
}

/** Two nodes, one of which owns the key and may use what it knows of it. */
async function ownerAndOther(): Promise<{ readonly owner: RingNode; readonly other: RingNode }> {
  ring = await RingNodes.start(2);
  const { owner, others } = ring.rolesOf('k');
  await ring.settled('k');
  return { owner, other: others[0] as RingNode };
}

const plain = { headers: {}, userMetadata: {} };
const lease = { kind: 'lease', ms: 600_000 } as const;
const put = (text: string) => () => ring.storage.put('k', new TestBody(text), plain);
const nameOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: unknown) => (error instanceof MovedError ? 'moved' : `${(error as { code?: string }).code}`),
  );

test(
  'the owner keeps what it has learned; another node asks the storage each time and leaves nothing behind',
  async () => {
    const { owner, other: second } = await ownerAndOther();
    await put('x')();
    const own = await sceneOn(owner, lease);
    await own.metadata.get(own.target);
    expect(own.metadata.peek(own.target)).toBeDefined();
    await own.metadata.get(own.target);
    expect(own.asked()).toBe(1);
    const other = await sceneOn(second, lease);
    await other.metadata.get(other.target);
    await other.metadata.get(other.target);
    expect(other.asked()).toBe(2);
    expect([other.metadata.peek(other.target), other.cache.usage.entries]).toEqual([undefined, 0]);
    // Nor is used what lies there all the same.
    await other.cache.get(other.target);
    expect(other.cache.peek(other.target)).toBeDefined();
    expect(other.metadata.peek(other.target)).toBeUndefined();
  },
  patienceMs,
);

test(
  'without a view lease nothing is used that is known, and nothing is changed that may be kept',
  async () => {
    const { owner } = await ownerAndOther();
    await put('x')();
    const { metadata, target, asked } = await sceneOn(owner, lease);
    await metadata.get(target);
    await owner.member.close();
    expect(metadata.peek(target)).toBeUndefined();
    await metadata.get(target);
    expect(asked()).toBe(2);
    expect(await nameOf(metadata.write(target, put('y')))).toBe('ServiceUnavailable');
    expect((await ring.storage.head('k')).sizeBytes).toBe(1);
    expect(await nameOf(metadata.write({ ...target, freshness: { kind: 'always' } }, put('yy')))).toBe(
      'done',
    );
  },
  patienceMs,
);

test(
  'a node changes what it does not own only where nobody ever keeps it',
  async () => {
    ring = await RingNodes.start(2);
    const { others } = ring.rolesOf('k');
    const kept = await sceneOn(others[0] as RingNode, lease);
    expect(await nameOf(kept.metadata.write(kept.target, put('x')))).toBe('moved');
    const never = await sceneOn(others[0] as RingNode, { kind: 'always' });
    expect(await nameOf(never.metadata.write(never.target, put('x')))).toBe('done');
  },
  patienceMs,
);

test(
  'a change that nobody can be told of, for which the object has passed to another node meanwhile, is not acknowledged',
  async () => {
    const { owner, other } = await ownerAndOther();
    const { metadata, target } = await sceneOn(owner, lease);
    const changing = metadata.write(target, async () => {
      await other.ownership.suspect(owner.workerId, AbortSignal.timeout(patienceMs));
      await owner.ownership.whenApplied(other.ownership.view(), AbortSignal.timeout(patienceMs));
      return put('late')();
    });
    expect(await nameOf(changing)).toBe('ServiceUnavailable');
    expect(metadata.peek(target)).toBeUndefined();
  },
  patienceMs,
);

test(
  'a change that was held up beyond the view lease is not let go, and surely had no effect',
  async () => {
    const { owner } = await ownerAndOther();
    const { metadata, target } = await sceneOn(owner, lease);
    const changing = metadata.write(target, async (checkStill) => {
      await owner.member.close();
      await checkStill();
      return put('late')();
    });
    expect(await changing.catch((error: unknown) => error)).toMatchObject({
      code: 'ServiceUnavailable',
      headers: { 'x-forebay-effect': 'none' },
    });
    await expect(ring.storage.head('k')).rejects.toMatchObject({ kind: 'not-found' });
  },
  patienceMs,
);

test(
  'a change of which a part was let go before does not say that it had no effect',
  async () => {
    const { owner } = await ownerAndOther();
    const { metadata, target } = await sceneOn(owner, lease);
    const changing = metadata.write(target, async (checkStill) => {
      await checkStill();
      await owner.member.close();
      await checkStill();
      return put('late')();
    });
    const error = (await changing.catch((reason: unknown) => reason)) as { code: string; headers: unknown };
    expect(error.code).toBe('ServiceUnavailable');
    expect(error.headers).not.toHaveProperty('x-forebay-effect');
  },
  patienceMs,
);

test(
  'what a node that is gone owned is asked of the storage each time until nothing of that node can take effect any more',
  async () => {
    const { owner, other } = await ownerAndOther();
    await put('x')();
    const { metadata, target, asked } = await sceneOn(other, lease);
    // It releases nothing.
    owner.stuckIn = 'answers';
    await other.ownership.suspect(owner.workerId, AbortSignal.timeout(patienceMs));
    const hash = ring.hashOf('k');
    await other.ownership.whenSettled(hash, AbortSignal.timeout(patienceMs));
    await metadata.write(target, put('y'));
    let validated = 0;
    while (!other.ownership.mayKeepMetadata(hash)) {
      await metadata.get(target);
      expect(asked()).toBe(++validated);
      // What was asked may be kept only if keeping was let before the answer was judged.
      const kept = metadata.peek(target);
      expect(kept === undefined || other.ownership.mayKeepMetadata(hash)).toBe(true);
      await systemClock.sleep(50);
    }
    expect(validated).toBeGreaterThan(0);
    await metadata.get(target);
    expect(metadata.peek(target)).toBeDefined();
  },
  patienceMs,
);
