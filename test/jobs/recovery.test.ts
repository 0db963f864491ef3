import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { JobStore } from '../../src/jobs/job-store.ts';
import { until } from '../support/until.ts';
import type { Fault } from './failing-store.ts';
import { type JobNode, JobNodes, wholeLoad } from './jobs-under-test.ts';

const large = 700 * 1024 * 1024;
const objects = 12;
const refused = 'p/000004';

let nodes: JobNodes;
beforeEach(() => {
  nodes = new JobNodes();
  // A shard for each of the large ones, and one for those in between.
  nodes.shelf.fill(objects, (index) => (index % 3 === 0 ? 10 : large));
  nodes.shelf.refused.add(refused);
});
afterEach(() => nodes.close());

/** Whatever has died on the way: each object is in the sums once, and in the right place. */
async function endsExactly(node: JobNode, id: string): Promise<void> {
  const { state, counts, listed } = await nodes.over(node, id);
  expect(state).toBe('failed');
  expect(listed).toMatchObject({ isComplete: true, objects, bytes: nodes.shelf.bytes });
  expect(counts.failed).toBe(1);
  expect(counts.failures.map(({ key }) => key)).toEqual([refused]);
  expect(counts.loaded + counts.cached).toBe(objects - 1);
  expect(counts.loadedBytes + counts.cachedBytes).toBe(nodes.shelf.bytes - large);
  expect(nodes.shelf.cached.size).toBe(objects - 1);
  await until(async () => (await nodes.store.list('job/shards/')).entries.length === 0);
}

const calls = Array.from({ length: 36 }, (_, index) => 2 + index * 2);

describe.each(['before', 'after'] as const)('a node that dies %s a call of the store', (how) => {
  test.each(calls)('number %i is replaced, and nothing is counted twice or lost', async (at) => {
    const fault: Fault = { at, how };
    const first = await nodes.add(fault);
    const job = await create(nodes);
    await Promise.race([first.store.hit, until(async () => (await stateOf(job.id)) !== 'running')]);
    const next = await nodes.add();
    await endsExactly(next, job.id);
  });
});

describe('a node that stands still', () => {
  test.each(calls)(
    'at call number %i, and goes on when another has taken its work, counts nothing twice',
    async (at) => {
      const first = await nodes.add({ at, how: 'stall' });
      const job = await create(nodes);
      await Promise.race([first.store.hit, until(async () => (await stateOf(job.id)) !== 'running')]);
      let loads = 0;
      const half = Promise.withResolvers<void>();
      nodes.shelf.turn = async () => {
        if (++loads === objects / 2) half.resolve();
      };
      const next = await nodes.add();
      await Promise.race([half.promise, nodes.over(next, job.id)]);
      first.store.release();
      await endsExactly(next, job.id);
    },
  );
});

describe.each(['before', 'after'] as const)(
  'a load that is verified, whose node dies %s a call of the store',
  (how) => {
    // Where the load comes to its end, and what is after it begins.
    test.each(Array.from({ length: 12 }, (_, index) => 36 + index * 3))(
      'number %i is verified, once',
      async (at) => {
        nodes.shelf.refused.clear();
        nodes.shelf.damaged.add('p/000007');
        const first = await nodes.add({ at, how });
        const job = await create(nodes, { ...wholeLoad, verifies: true });
        const isBegun = () => stateOf(`${job.id}-1`).then((state) => state !== undefined);
        await Promise.race([first.store.hit, until(isBegun)]);
        const next = await nodes.add();
        const chain = [await nodes.over(next, job.id)];
        for (let id = chain[0]?.next; id !== undefined; id = chain.at(-1)?.next)
          chain.push(await nodes.over(next, id));
        // What one that died had loaded again and not told of is found there by the next.
        expect([2, 3]).toContain(chain.length);
        expect(chain.map(({ state }) => state)).toEqual(chain.map(() => 'succeeded'));
        expect(chain.at(-1)?.counts).toMatchObject({ loaded: 0, cached: objects, failed: 0 });
        expect(next.jobs.list()).toHaveLength(chain.length);
      },
    );
  },
);

test('a load that is verified is verified also where its node dies as soon as it has said that the load is over', async () => {
  nodes.shelf.refused.clear();
  const at = (key: string, value: string) =>
    key.startsWith('job/records/') && value.includes('"state":"succeeded"');
  const first = await nodes.add({ at, how: 'after' });
  const job = await create(nodes, { ...wholeLoad, verifies: true });
  await first.store.hit;
  const after = `${job.id}-1`;
  expect(await stateOf(after)).toBe('running');
  const next = await nodes.add();
  expect((await nodes.over(next, after)).state).toBe('succeeded');
});

/** By somebody who works at nothing. */
async function create(all: JobNodes, spec = wholeLoad) {
  const store = await JobStore.open(systemClock, systemRandom, all.store);
  const job = await store.create(spec);
  await store.close();
  return job;
}

async function stateOf(id: string): Promise<string | undefined> {
  const entry = await nodes.store.get(`job/records/${id}`);
  return (JSON.parse(entry?.value ?? '{}') as { state?: string }).state;
}
