import { expect, test } from '@jest/globals';
import { QuestionAges } from '../../src/peers/question-ages.ts';
import { ManualClock } from '../worker/manual-clock.ts';

test('what comes late is as old as it was on its way for longer than the quickest, whatever either clock began with', () => {
  const clock = new ManualClock();
  clock.steadyMs = 5_000;
  const ages = new QuestionAges(clock, 1_000_000);
  clock.steadyMs = 6_000;
  expect(ages.of(1_001_000)).toBe(0);
  clock.steadyMs = 46_000;
  expect(ages.of(1_001_000)).toBe(40_000);
  expect(ages.of(1_041_000)).toBe(0);
  // One that was quicker than the greeting.
  expect(ages.of(1_041_300)).toBe(0);
  expect(ages.of(1_041_000)).toBe(300);
});

test('clocks that drift apart age nothing', () => {
  const clock = new ManualClock();
  const ages = new QuestionAges(clock, 0);
  for (let minute = 0; minute < 60 * 24 * 30; minute++) {
    clock.steadyMs = minute * 60_000;
    expect(ages.of(minute * 60_000 * 0.9999)).toBeLessThan(200);
  }
  expect(ages.of(clock.steadyMs * 0.9999 - 31_000)).toBeGreaterThan(30_000);
});
