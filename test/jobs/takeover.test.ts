import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { JobNodes, wholeLoad } from './jobs-under-test.ts';

let nodes: JobNodes;
beforeEach(() => {
  nodes = new JobNodes();
});
afterEach(() => nodes.close());

test('what a node planned and worked at that dies another plans and works at', async () => {
  nodes.shelf.fill(20, () => 7);
  const gate = Promise.withResolvers<void>();
  nodes.shelf.turn = () => gate.promise;
  // By then it looks around again and again, and waits for its objects.
  const first = await nodes.add({ at: 80, how: 'before' });
  const { id } = await first.jobs.create(wholeLoad);
  await first.store.hit;
  expect((await nodes.store.list('job/claims/')).entries.map(({ value }) => value)).toEqual(['node-0']);
  expect((await nodes.store.get('job/coordinator'))?.value).toBe('node-0');
  nodes.shelf.turn = async () => {};
  const job = await nodes.over(await nodes.add(), id);
  gate.resolve();
  expect(job).toMatchObject({ state: 'succeeded', counts: { loaded: 20, cached: 0, failed: 0 } });
});
