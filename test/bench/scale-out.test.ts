import { expect, test } from '@jest/globals';
import { dipAfter, type Tick } from '../../bench/scale-out/dips.ts';

const tick = (hits: number, storageReads = 100 - hits): Tick => ({
  seconds: 1,
  requests: 100,
  hits,
  failures: 0,
  storageReads,
});
const steady = (count: number, hits = 90) => Array.from({ length: count }, () => tick(hits));

test('a dip is what the worst window lacks of what was before, wherever the window begins', () => {
  const after = [...steady(7), tick(40), tick(40), ...steady(20)];
  const { before, worst, points } = dipAfter(steady(20), after, 10);
  expect([before.byHeader, worst.byHeader, worst.byStorage]).toEqual([0.9, 0.8, 0.8]);
  expect(points).toBeCloseTo(10, 9);
});

test('of the two counts the one that is worse counts', () => {
  const said = dipAfter(steady(10), [...steady(10), ...Array.from({ length: 10 }, () => tick(90, 30))], 10);
  expect(said.worst).toEqual({ byHeader: 0.9, byStorage: 0.7 });
  expect(said.points).toBeCloseTo(20, 9);
});

test('a ratio that grows is no dip, and what failed is told', () => {
  const { points, failures, requests } = dipAfter(
    steady(10, 70),
    [...steady(10), { ...tick(80), failures: 3 }],
    10,
  );
  expect(points).toBeLessThan(0);
  expect([failures, requests]).toEqual([3, 1_100]);
});
