import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { JobStore } from '../../src/jobs/job-store.ts';
import { until } from '../support/until.ts';
import { type JobNode, JobNodes, wholeLoad } from './jobs-under-test.ts';

let nodes: JobNodes;
beforeEach(() => {
  nodes = new JobNodes();
});
afterEach(() => nodes.close());

async function chainFrom(node: JobNode, id: string) {
  const jobs = [await nodes.over(node, id)];
  for (let next = jobs[0]?.next; next !== undefined; next = jobs.at(-1)?.next)
    jobs.push(await nodes.over(node, next));
  return jobs;
}

test('of keys with a pattern those of its form are loaded, and no other is counted', async () => {
  nodes.shelf.fill(12_000, () => 7);
  const node = await nodes.add();
  // What hardly any key matches, and what lies behind more lists than are read at once.
  for (const [pattern, count] of [
    ['p/*99', 120],
    ['p/01199?', 10],
    ['p/*', 12_000],
  ] as const) {
    const { id } = await node.jobs.create({ ...wholeLoad, isPlan: true, pattern });
    const job = await nodes.over(node, id);
    expect(job).toMatchObject({ state: 'succeeded', listed: { objects: count, bytes: 7 * count } });
    expect(job.counts).toMatchObject({ loaded: count, loadedBytes: 7 * count });
  }
  const { id } = await node.jobs.create({ ...wholeLoad, pattern: 'p/*x' });
  expect(await nodes.over(node, id)).toMatchObject({ state: 'failed', reason: 'no object was found there' });
});

test('what is given key by key is loaded, and what is not there of it has failed', async () => {
  nodes.shelf.fill(3_000, () => 7);
  const node = await nodes.add();
  const { id, state } = await node.jobs.create({ ...wholeLoad, prefix: '', hasManifest: true });
  expect(state).toBe('collecting');
  const given = [...nodes.shelf.sizes.keys()].filter((_, index) => index % 3 === 0);
  await node.jobs.addKeys(id, given.slice(0, 400));
  await node.jobs.addKeys(id, given.slice(400, 900));
  await node.jobs.addKeys(id, [...given.slice(900), 'p/x']);
  await node.jobs.change(id, 'resume');
  const job = await nodes.over(node, id);
  expect(job.counts).toMatchObject({ loaded: 1_000, loadedBytes: 7_000, failed: 1, gone: 0 });
  expect(job.counts.failures).toEqual([{ key: 'p/x', reason: 'there is no such object' }]);
  expect(job.listed).toMatchObject({ isComplete: true, objects: 1_001 });
  expect([...nodes.shelf.cached].sort()).toEqual(given);
});

test('keys come in order, once each, and before the job begins', async () => {
  const node = await nodes.add();
  const { id } = await node.jobs.create({ ...wholeLoad, hasManifest: true });
  await node.jobs.addKeys(id, ['a', 'b']);
  await expect(node.jobs.addKeys(id, ['b'])).rejects.toMatchObject({ kind: 'invalid' });
  await expect(node.jobs.addKeys(id, ['d', 'c'])).rejects.toMatchObject({ kind: 'invalid' });
  await node.jobs.change(id, 'stop');
  await expect(node.jobs.addKeys(id, ['x'])).rejects.toMatchObject({ kind: 'conflict' });
  await expect(node.jobs.addKeys('none', ['x'])).rejects.toMatchObject({ kind: 'not-found' });
});

test('what a load is found to lack afterwards is loaded again, until nothing is lacking', async () => {
  nodes.shelf.fill(300, () => 7);
  const node = await nodes.add();
  for (const key of ['p/000003', 'p/000299']) nodes.shelf.damaged.add(key);
  const [load, ...checks] = await chainFrom(
    node,
    (await node.jobs.create({ ...wholeLoad, verifies: true })).id,
  );
  expect(load).toMatchObject({ kind: 'load', state: 'succeeded', counts: { loaded: 300 } });
  expect(
    checks.map(({ kind, state, counts: { loaded, cached } }) => ({ kind, state, loaded, cached })),
  ).toEqual([
    { kind: 'verify', state: 'succeeded', loaded: 2, cached: 298 },
    { kind: 'verify', state: 'succeeded', loaded: 0, cached: 300 },
  ]);
});

test('a load of which something is lacking each time has failed, and names it', async () => {
  nodes.shelf.fill(3, () => 7);
  const node = await nodes.add();
  nodes.shelf.turn = async () => {
    nodes.shelf.damaged.add('p/000001');
  };
  const checks = await chainFrom(node, (await node.jobs.create({ ...wholeLoad, verifies: true })).id);
  expect(checks).toHaveLength(6);
  expect(checks.at(-1)).toMatchObject({
    state: 'failed',
    counts: {
      loaded: 0,
      cached: 2,
      failed: 1,
      failures: [
        {
          key: 'p/000001',
          reason: '7 of its 7 bytes had gone once more: is there room for all that is loaded?',
        },
      ],
    },
  });
});

test('parts of the job with the higher priority are taken on first', async () => {
  nodes.shelf.fill(4_000, () => 7);
  for (let i = 0; i < 2_000; i++) nodes.shelf.sizes.set(`q/${String(i).padStart(6, '0')}`, 7);
  const store = await JobStore.open(systemClock, systemRandom, nodes.store);
  const low = await store.create({ ...wholeLoad, priority: 'low' });
  // So that it is the older one.
  await until(() => systemClock.nowMs() > low.createdMs);
  const high = await store.create({ ...wholeLoad, priority: 'high', prefix: 'q/' });
  await store.close();
  const node = await nodes.add();
  await nodes.over(node, high.id);
  await nodes.over(node, low.id);
  const { order } = nodes.shelf;
  expect(order.length).toBe(6_000);
  // Whatever of the other was begun before this one was planned.
  expect(order.findLastIndex((key) => key.startsWith('q/'))).toBeLessThan(5_500);
});

test('a plan tells how long its job may take, and what has to go for it', async () => {
  nodes.shelf.fill(200, () => 1_000);
  nodes.shelf.room = { usedBytes: 900_000, capacityBytes: 1_000_000, nodes: 2 };
  const node = await nodes.add();
  const plan = await nodes.over(node, (await node.jobs.create({ ...wholeLoad, isPlan: true })).id);
  expect(plan.forecast).toEqual({
    seconds: 1,
    basis: '200 objects/s, 100 MiB/s: assumed, as no such job has ended yet',
    evictedBytes: 100_000,
    capacityBytes: 1_000_000,
  });
  const slow = { ...wholeLoad, isPlan: true, bytesPerSecond: 10_000 };
  const bound = await nodes.over(node, (await node.jobs.create(slow)).id);
  expect(bound.forecast).toMatchObject({ seconds: 10, basis: 'the bandwidth that is allowed' });
  // The same job again is expected to take as long as it did.
  nodes.shelf.turn = () => new Promise((done) => setTimeout(done, 50));
  const { id } = await node.jobs.create(wholeLoad);
  const job = await nodes.over(node, id);
  nodes.shelf.turn = async () => {};
  nodes.shelf.cached.clear();
  const again = await nodes.over(node, (await node.jobs.create({ ...wholeLoad, isPlan: true })).id);
  expect(again.forecast?.basis).toMatch(/the fastest of the last load jobs$/);
  expect(again.forecast?.seconds).toBeCloseTo(((job.endedMs ?? 0) - job.createdMs) / 1000, 5);
});

test('each node goes through its own disks, and what was damaged is counted once', async () => {
  const [one, two] = [await nodes.add(), await nodes.add()];
  nodes.shelf.regionsOf.set('node-0', ['a', 'b', 'damaged']);
  nodes.shelf.regionsOf.set('node-1', ['a', 'damaged-1', 'damaged-2']);
  const { id } = await one.jobs.create({ ...wholeLoad, kind: 'scrub', bucket: '', prefix: '' });
  const job = await nodes.over(two, id);
  expect(job).toMatchObject({
    state: 'succeeded',
    counts: { cached: 57, freed: 3, freedBytes: 3, failed: 0 },
  });
});

test('a node that goes while its disks are gone through is named, and nobody waits for it', async () => {
  const one = await nodes.add();
  nodes.shelf.alive.add('node-9');
  nodes.shelf.regionsOf.set('node-0', ['a']);
  const { id } = await one.jobs.create({ ...wholeLoad, kind: 'scrub', bucket: '', prefix: '' });
  await until(async () => (await one.jobs.show(id)).counts.cached === 10);
  nodes.shelf.alive.delete('node-9');
  const job = await nodes.over(one, id);
  expect(job).toMatchObject({ state: 'failed', counts: { cached: 10, failed: 1 } });
  expect(job.counts.failures).toEqual([{ key: 'node node-9', reason: 'it went away before it was through' }]);
});

test('a sync counts what has changed, is gone, and is as it was, of all nodes', async () => {
  const [one] = [await nodes.add(), await nodes.add()];
  const states = ['same', 'changed', 'gone'] as const;
  const known = (count: number, first: number) =>
    new Map(
      Array.from({ length: count }, (_, i) => [`p/${first + i}`, states[i % 3] as (typeof states)[number]]),
    );
  nodes.shelf.known.set('node-0', known(3_000, 10_000));
  nodes.shelf.known.set('node-1', known(6, 20_000));
  const { id } = await one.jobs.create({ ...wholeLoad, kind: 'sync' });
  const job = await nodes.over(one, id);
  expect(job).toMatchObject({ state: 'succeeded', counts: { cached: 1_002, loaded: 1_002, gone: 1_002 } });
});
