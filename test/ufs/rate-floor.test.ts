import { expect, test } from '@jest/globals';
import { RateFloor } from '../../src/ufs/rate-floor.ts';
import { ManualClock } from '../worker/manual-clock.ts';

test('what comes too slowly is noticed once enough of its own time is over, and only that time counts', async () => {
  const clock = new ManualClock();
  const floor = new RateFloor(clock, { minBytesPerSecond: 1_000, windowMs: 10_000 });
  const turn = async (ms: number, bytes: number) => {
    floor.begin();
    await clock.pass(ms);
    return floor.end(bytes);
  };
  expect(await turn(9_999, 1)).toBe(true);
  await clock.pass(1_000_000);
  expect(await turn(1, 9_999)).toBe(true);
  // From here on it is counted anew.
  expect(await turn(9_000, 0)).toBe(true);
  expect(await turn(1_000, 9_999)).toBe(false);
  expect(await turn(29_000, 29_000)).toBe(true);
  expect(await turn(29_000, 1)).toBe(false);
});

test('without a least rate anything will do', async () => {
  const clock = new ManualClock();
  const floor = new RateFloor(clock, { minBytesPerSecond: 0, windowMs: 10 });
  floor.begin();
  await clock.pass(100_000);
  expect(floor.end(0)).toBe(true);
});
