import { expect, test } from '@jest/globals';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import { describeCoordStore, watchInto } from '../contracts/coord-store.ts';
import { FakeClock } from './fake-clock.ts';

const clock = new FakeClock();
describeCoordStore(
  'in memory',
  async () => createMemoryStore(clock, systemRandom),
  (ms) => clock.pass(ms),
);

test('a watch from a revision whose changes are forgotten is reset, once, and then over', async () => {
  const store = createMemoryStore(clock, systemRandom, { rememberedChanges: 10 });
  for (let i = 0; i < 40; i++) await store.putIf(`w/${i}`, 'x', 'any');
  const old = watchInto();
  await store.watch('w/', 5, old.onEvents, old.onReset);
  const recent = watchInto();
  await store.watch('w/', 35, recent.onEvents, recent.onReset);
  await store.putIf('w/last', 'x', 'any');
  await recent.until(6);
  expect(recent.resets()).toBe(0);
  expect(old.resets()).toBe(1);
  expect(old.events).toEqual([]);
  await store.close();
});

test('the keys of an ended lease are gone for a reader though no timer has fired yet', async () => {
  const late = new FakeClock();
  const store = createMemoryStore({ ...bind(late), sleep: () => new Promise(() => {}) }, systemRandom);
  const lease = await store.lease(100);
  await store.putIf('l/a', '1', 'any', lease);
  await late.pass(100);
  expect(await store.get('l/a')).toBeUndefined();
  await store.close();
});

function bind(from: FakeClock) {
  return { nowMs: () => from.nowMs(), monotonicMs: () => from.monotonicMs() };
}
