import { afterEach, expect, test } from '@jest/globals';
import { type RingNode, RingNodes } from './ring-nodes.ts';

let ring: RingNodes;
afterEach(() => ring?.close());

test('a node asks all members what they cache, and leaves out who cannot be reached', async () => {
  ring = await RingNodes.start(3);
  const [one, two] = ring.nodes as [RingNode, RingNode];
  const ids = ring.nodes.map(({ workerId }) => workerId);
  const signal = AbortSignal.timeout(20_000);
  const all = await one.routing.usages(signal);
  expect([...all.keys()].sort()).toEqual(ids.toSorted());
  for (const usage of all.values()) expect(usage).toEqual({ bytes: 1_000, capacityBytes: 5_000, keys: 10 });
  two.isolate();
  expect([...(await one.routing.usages(signal)).keys()].sort()).toEqual(
    ids.filter((id) => id !== two.workerId).toSorted(),
  );
}, 60_000);
