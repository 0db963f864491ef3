import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { until } from '../support/until.ts';
import { JobNodes, wholeLoad } from './jobs-under-test.ts';

let nodes: JobNodes;
beforeEach(() => {
  nodes = new JobNodes();
});
afterEach(() => nodes.close());

const large = 700 * 1024 * 1024;

test('a load comes to every object once, over many shards', async () => {
  nodes.shelf.fill(2_500, (index) => (index % 25 === 0 ? large : index));
  const node = await nodes.add();
  const job = await nodes.over(node, (await node.jobs.create(wholeLoad)).id);
  expect(job).toMatchObject({ state: 'succeeded', listed: { isComplete: true, objects: 2_500 } });
  expect(job.counts).toMatchObject({ loaded: 2_500, cached: 0, failed: 0, gone: 0 });
  expect(job.counts.loadedBytes).toBe(nodes.shelf.bytes);
  expect(job.listed.shards).toBeGreaterThan(64);
  expect(nodes.shelf.cached.size).toBe(2_500);
  expect(nodes.shelf.loads).toBe(2_500);
});

test('what is there is counted as cached, an empty object too', async () => {
  nodes.shelf.fill(30, (index) => index);
  for (const key of [...nodes.shelf.sizes.keys()].slice(0, 10)) nodes.shelf.cached.add(key);
  const node = await nodes.add();
  const job = await nodes.over(node, (await node.jobs.create(wholeLoad)).id);
  expect(job.counts).toMatchObject({ loaded: 20, cached: 10, cachedBytes: 45 });
});

test('a plan counts what a load would do, and does nothing', async () => {
  nodes.shelf.fill(100, () => 7);
  nodes.shelf.cached.add('p/000001');
  const node = await nodes.add();
  const plan = await nodes.over(node, (await node.jobs.create({ ...wholeLoad, isPlan: true })).id);
  expect(nodes.shelf.cached.size).toBe(1);
  const job = await nodes.over(node, (await node.jobs.create(wholeLoad)).id);
  expect(plan.counts).toEqual(job.counts);
  expect(plan.counts).toMatchObject({ loaded: 99, loadedBytes: 693, cached: 1, cachedBytes: 7 });
});

test('a load fails whose objects fail, and names them with the reason', async () => {
  nodes.shelf.fill(40, () => 7);
  nodes.shelf.refused.add('p/000003');
  nodes.shelf.unkept.add('p/000020');
  const node = await nodes.add();
  const job = await nodes.over(node, (await node.jobs.create(wholeLoad)).id);
  expect(job.state).toBe('failed');
  expect(job.counts).toMatchObject({ loaded: 38, loadedBytes: 38 * 7, failed: 2 });
  expect(job.counts.failures).toEqual([
    { key: 'p/000003', reason: expect.stringContaining('the storage refuses it') },
    { key: 'p/000020', reason: expect.stringContaining('7 of its 7 bytes were not kept') },
  ]);
});

test('of many failed objects the first hundred are named, and all are counted', async () => {
  nodes.shelf.fill(1_200, () => 7);
  for (const key of nodes.shelf.sizes.keys()) nodes.shelf.refused.add(key);
  const node = await nodes.add();
  const job = await nodes.over(node, (await node.jobs.create(wholeLoad)).id);
  expect(job).toMatchObject({ state: 'failed', counts: { failed: 1_200, loaded: 0 } });
  expect(job.counts.failures).toHaveLength(100);
});

test('a job that finds nothing has failed', async () => {
  nodes.shelf.fill(10, () => 7);
  const node = await nodes.add();
  const { id } = await node.jobs.create({ ...wholeLoad, prefix: 'nothing/' });
  expect(await nodes.over(node, id)).toMatchObject({ state: 'failed', reason: 'no object was found there' });
});

test('a job over a storage that cannot be listed has failed, with the reason', async () => {
  nodes.shelf.isAway = true;
  const node = await nodes.add();
  const { id } = await node.jobs.create(wholeLoad);
  const job = await nodes.over(node, id);
  expect(job).toMatchObject({ state: 'failed', reason: expect.stringContaining('the storage is away') });
});

test('a job that is paused stands still, and goes on where it was', async () => {
  nodes.shelf.fill(3_000, () => 7);
  nodes.shelf.turn = () => new Promise((done) => setTimeout(done, 1));
  const node = await nodes.add();
  const { id } = await node.jobs.create(wholeLoad);
  await until(() => nodes.shelf.loads > 200);
  await node.jobs.change(id, 'pause');
  await until(async () => (await node.jobs.show(id)).workers.length === 0);
  const paused = await node.jobs.show(id);
  expect(paused.state).toBe('paused');
  expect(paused.counts.loaded).toBeGreaterThan(0);
  expect(paused.counts.loaded).toBeLessThan(3_000);
  const before = nodes.shelf.loads;
  await node.jobs.change(id, 'resume');
  const job = await nodes.over(node, id);
  expect(job.counts.loaded + job.counts.cached).toBe(3_000);
  // Only what was under way when it was paused is done again.
  expect(job.counts.cached).toBeLessThanOrEqual(32);
  expect(nodes.shelf.loads - before).toBeLessThanOrEqual(3_000 - paused.counts.loaded + 32);
});

test('a job that is stopped ends, tells what it did, and leaves nothing behind', async () => {
  nodes.shelf.fill(3_000, () => 7);
  nodes.shelf.turn = () => new Promise((done) => setTimeout(done, 1));
  const node = await nodes.add();
  const { id } = await node.jobs.create(wholeLoad);
  await until(() => nodes.shelf.loads > 200);
  await node.jobs.change(id, 'stop');
  await until(async () => (await nodes.store.list('job/shards/')).entries.length === 0);
  const job = await nodes.over(node, id);
  expect(job.state).toBe('stopped');
  expect(job.counts.loaded).toBeLessThan(3_000);
  await expect(node.jobs.change(id, 'resume')).rejects.toMatchObject({ kind: 'conflict' });
  await until(async () => (await nodes.store.list('job/claims/')).entries.length === 0);
});

test('a free forgets what is cached', async () => {
  nodes.shelf.fill(50, () => 7);
  for (const key of [...nodes.shelf.sizes.keys()].slice(0, 20)) nodes.shelf.cached.add(key);
  const node = await nodes.add();
  const { id } = await node.jobs.create({ ...wholeLoad, kind: 'free' });
  const job = await nodes.over(node, id);
  expect(job).toMatchObject({ state: 'succeeded', counts: { freed: 20, freedBytes: 140, cached: 30 } });
  expect(nodes.shelf.cached.size).toBe(0);
});

test('nodes share the work of a job', async () => {
  nodes.shelf.fill(200, () => large);
  nodes.shelf.turn = () => new Promise((done) => setTimeout(done, 5));
  const [one, two] = [await nodes.add(), await nodes.add()];
  const { id } = await one.jobs.create(wholeLoad);
  const workers = new Set<string>();
  await until(async () => {
    const job = await two.jobs.show(id);
    for (const worker of job.workers) workers.add(worker);
    return job.state !== 'running';
  });
  expect(workers.size).toBe(2);
  const { loaded, loadedBytes, cached } = (await one.jobs.show(id)).counts;
  // On a busy machine a claim may lapse while an object is loaded, which whoever takes it over finds in the cache.
  expect([loaded + cached, loadedBytes]).toEqual([200, loaded * large]);
  expect(cached).toBeLessThanOrEqual(10);
});

test('while there is no job the store is asked nothing', async () => {
  nodes.shelf.fill(3, () => 7);
  const node = await nodes.add();
  await nodes.over(node, (await node.jobs.create(wholeLoad)).id);
  await until(async () => (await nodes.store.get('job/coordinator')) === undefined);
  const { calls } = node.store;
  await new Promise((done) => setTimeout(done, 100));
  expect(node.store.calls).toBe(calls);
});
