import { beforeEach, expect, test } from '@jest/globals';
import { AdaptiveLimit } from '../../src/ufs/limit.ts';
import { kindOf } from '../contracts/backend.ts';
import { ManualClock, turn } from '../worker/manual-clock.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

function limitOf(initial: number, more: { maximum?: number; maxQueued?: number } = {}): AdaptiveLimit {
  return new AdaptiveLimit(clock, {
    backend: 'test:',
    initial,
    minimum: 2,
    maximum: more.maximum ?? 100,
    maxQueued: more.maxQueued ?? 10,
    maxWaitMs: 1_000,
    cutIntervalMs: 500,
    idleMs: 100,
    maxLent: 3,
  });
}

/** One round: as many calls as may be under way at once, all of which go well. */
async function round(limit: AdaptiveLimit): Promise<void> {
  const permits = await Promise.all(Array.from({ length: limit.limit }, () => limit.acquire()));
  for (const permit of permits) permit.release();
}

test('a complaint halves the limit, several of one moment once, and never below the least', async () => {
  const limit = limitOf(64);
  const permits = await Promise.all(Array.from({ length: 20 }, () => limit.acquire()));
  for (const permit of permits) permit.throttled();
  expect(limit.limit).toBe(32);
  for (const expected of [16, 8, 4, 2, 2]) {
    await clock.pass(500);
    permits[0]?.throttled();
    expect(limit.limit).toBe(expected);
  }
});

test('while callers wait, as many calls as may be at once that go well add one, up to the most', async () => {
  const limits: number[] = [];
  const limit = limitOf(4, { maximum: 7, maxQueued: 100 });
  let underWay = 0;
  const call = async () => {
    const permit = await limit.acquire();
    underWay++;
    expect(underWay).toBeLessThanOrEqual(limit.limit);
    await turn();
    underWay--;
    permit.release();
    limits.push(limit.limit);
  };
  await Promise.all(Array.from({ length: 60 }, call));
  for (const value of [5, 6, 7]) {
    const calls = limits.indexOf(value) - Math.max(0, limits.indexOf(value - 1));
    expect(calls).toBeGreaterThanOrEqual(value - 1);
    expect(calls).toBeLessThanOrEqual(value);
  }
  expect(Math.max(...limits)).toBe(7);
});

test('a limit that is not used up does not grow', async () => {
  const limit = limitOf(4);
  for (let i = 0; i < 100; i++) (await limit.acquire()).release();
  expect(limit.limit).toBe(4);
});

test('no more calls are under way than may be, and those that wait come in order', async () => {
  const limit = limitOf(2);
  const order: number[] = [];
  const held = [await limit.acquire(), await limit.acquire()];
  const waiting = [0, 1, 2].map(async (index) => {
    const permit = await limit.acquire();
    order.push(index);
    return permit;
  });
  await turn();
  expect([order, limit.queued]).toEqual([[], 3]);
  held[0]?.release();
  held[0]?.release();
  await turn();
  expect([order, limit.queued]).toEqual([[0], 2]);
  held[1]?.release();
  (await waiting[0])?.release();
  await turn();
  expect(order).toEqual([0, 1, 2]);
});

test('a call that is refused, cancelled or tired of waiting leaves nothing behind', async () => {
  const limit = limitOf(2, { maxQueued: 2 });
  const held = [await limit.acquire(), await limit.acquire()];
  const cancel = new AbortController();
  const cancelled = kindOf(limit.acquire(cancel.signal));
  const tired = kindOf(limit.acquire());
  expect(await kindOf(limit.acquire())).toBe('throttled');
  cancel.abort();
  expect(await cancelled).toBe('cancelled');
  expect(await kindOf(limit.acquire(AbortSignal.abort()))).toBe('cancelled');
  await clock.pass(1_000);
  expect(await tired).toBe('throttled');
  expect([limit.queued, clock.sleeperCount]).toEqual([0, 0]);
  for (const permit of held) permit.release();
  await round(limit);
});

test('calls that wait for their own callers make room for others after a while, so many at most, and go on at once', async () => {
  const limit = limitOf(4);
  const slow = await Promise.all(Array.from({ length: 4 }, () => limit.acquire()));
  for (const permit of slow) permit.pause();
  slow[0]?.resume();
  slow[0]?.pause();
  const admitted: number[] = [];
  const others = Array.from({ length: 4 }, async (_, index) => {
    const permit = await limit.acquire();
    admitted.push(index);
    return permit;
  });
  await clock.pass(99);
  expect([admitted, limit.queued]).toEqual([[], 4]);
  await clock.pass(1);
  expect([admitted, limit.queued]).toEqual([[0, 1, 2], 1]);
  // Back at once, though there is no room: more than may be are under way, and nobody else is let in before they have gone.
  for (const permit of slow) permit.resume();
  for (const permit of slow.slice(0, 3)) permit.release();
  await turn();
  expect(admitted).toEqual([0, 1, 2]);
  slow[3]?.release();
  await turn();
  expect(admitted).toEqual([0, 1, 2, 3]);
  for (const permit of await Promise.all(others)) permit.release();
  await round(limit);
});

test('a call that is over gives back what it has, paused or not, once', async () => {
  const limit = limitOf(2);
  for (let i = 0; i < 5; i++) {
    const permits = await Promise.all([limit.acquire(), limit.acquire()]);
    permits[0]?.pause();
    await clock.pass(200);
    const third = await limit.acquire();
    for (const permit of [...permits, third]) {
      permit.release();
      permit.release();
      permit.pause();
      permit.resume();
    }
  }
  await round(limit);
  expect(limit.queued).toBe(0);
});
