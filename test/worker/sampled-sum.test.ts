import { expect, test } from '@jest/globals';
import { sampledSum } from '../../src/worker/sampled-sum.ts';

test.each([0, 1, 2, 3, 10, 4095, 4096])('the sum of %i ones is exact', (count) => {
  expect(sampledSum(count, () => 1)).toBe(count);
});

test('where there is little, all of it is found', () => {
  const there = new Set([0, 4711, 999_999]);
  expect(sampledSum(1_000_000, (index) => (there.has(index) ? 2 : 0))).toBe(6);
});

test.each([
  ['even', () => 1],
  ['more at the beginning', (index: number) => (index < 250_000 ? 3 : 1)],
  ['more in the middle', (index: number) => (index > 400_000 && index < 600_000 ? 5 : 0)],
])('where there is much it is about right, and not all is looked at: %s', (_, of) => {
  const count = 1_000_000;
  let [sum, looks] = [0, 0];
  for (let index = 0; index < count; index++) sum += of(index);
  const about = sampledSum(count, (index) => {
    looks++;
    return of(index);
  });
  expect(Math.abs(about / sum - 1)).toBeLessThan(0.05);
  expect(looks).toBeLessThan(10_000);
});
