import { expect, test } from '@jest/globals';
import { allAtOnce } from '../../src/common/steps.ts';
import { Ring, type RingWorker } from '../../src/ring/ring.ts';
import { movedShare, planRing } from '../../src/ring/ring-plan.ts';

const workers = (...numbers: number[]) => numbers.map((n) => ({ workerId: `worker-${n}`, weight: 1 }));

test('a plan tells which part moves when workers come and go, as samples of objects do', () => {
  for (const [before, after] of [
    [workers(1, 2, 3), workers(1, 2, 3, 4)],
    [workers(1, 2, 3, 4), workers(1, 3)],
    [workers(1, 2, 3), workers(2, 3, 4, 5)],
    [workers(1, 2), workers(1, 2)],
  ] as const) {
    const [one, other] = [new Ring(before, 64), new Ring(after, 64)];
    let moved = 0;
    const count = 40_000;
    for (let i = 0; i < count; i++) {
      const position = ((i + 0.5) / count) * 2 ** 48;
      if (one.ownerAt(position) !== other.ownerAt(position)) moved += 1;
    }
    expect(movedShare(one, other)).toBeCloseTo(moved / count, 3);
    expect(movedShare(other, one)).toBeCloseTo(movedShare(one, other), 12);
  }
});

test('a plan gives the part that has to move at least, each share before and after, and the balance', () => {
  const planned = (before: readonly RingWorker[], after: readonly RingWorker[], virtualNodes: number) =>
    allAtOnce(planRing(new Ring(before, virtualNodes), after));
  const plan = planned(workers(1, 2, 3), [...workers(1, 2), { workerId: 'large', weight: 2 }], 2048);
  expect(plan.idealShare).toBeCloseTo(0.5, 9);
  expect(plan.movedShare / plan.idealShare).toBeLessThan(1.2);
  expect(plan.balance).toBeLessThan(1.1);
  expect(plan.workers.map(({ workerId }) => workerId)).toEqual(['large', 'worker-1', 'worker-2', 'worker-3']);
  for (const when of ['shareBefore', 'shareAfter'] as const) {
    expect(plan.workers.reduce((sum, worker) => sum + worker[when], 0)).toBeCloseTo(1, 9);
  }
  const lost = plan.workers.map(({ shareLost }) => shareLost);
  expect(lost.reduce((sum, share) => sum + share, 0)).toBeCloseTo(plan.movedShare, 9);
  // Who goes loses all, who comes nothing.
  expect([lost[0], lost[3]]).toEqual([0, expect.closeTo(plan.workers[3]?.shareBefore ?? 0, 9)]);
  expect(planned([], workers(1), 8)).toMatchObject({ movedShare: 1, idealShare: 1, balance: 1 });
});
