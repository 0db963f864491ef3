import { expect, test } from '@jest/globals';
import { measureLoad } from '../../bench/ring/load.ts';
import { evennessOf, workersOf } from '../../bench/ring/value.ts';
import { Ring } from '../../src/ring/ring.ts';

test('a ring of 200 workers is as even, and moves as little, as is promised', () => {
  const before = new Ring(workersOf(199));
  const after = new Ring(workersOf(200), undefined, before);
  const { heaviestToMean, movedToIdeal } = evennessOf(before, after);
  expect(heaviestToMean).toBeLessThanOrEqual(1.1);
  expect(movedToIdeal).toBeLessThanOrEqual(1.15);
});

test('nodes ask the coordination store no more than is promised, and a view that one changes is not loaded by all', async () => {
  const rows = new Map((await measureLoad(12)).map((row) => [row.phase, row]));
  expect(rows.get('steady')).toMatchObject({ views: 0, eventsPerNode: 0 });
  for (const row of rows.values()) expect(row.requestsPerNodeAndSecond).toBeLessThan(4.5);
  expect(rows.get('one joins')?.views).toBe(1);
  expect(rows.get('one joins')?.requestsPerNodeAndSecond).toBeLessThan(3.3);
});
