import { expect, test } from '@jest/globals';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import type { CoordStore, StoreEvent } from '../../src/coord/store.ts';
import { WatchedPrefix } from '../../src/coord/watched-prefix.ts';
import { FakeClock } from './fake-clock.ts';

const clock = new FakeClock();
const memory = () => createMemoryStore(clock, systemRandom);

/** Holds back what watches deliver until `release`, as a store across a network does. */
function delayed(store: CoordStore) {
  const held: (() => void)[] = [];
  const watching: { reset?: () => void } = {};
  const wrapped: CoordStore = {
    get: (key) => store.get(key),
    list: (prefix) => store.list(prefix),
    putIf: (key, value, expected, lease) => store.putIf(key, value, expected, lease),
    deleteIf: (key, expected) => store.deleteIf(key, expected),
    lease: (ttlMs) => store.lease(ttlMs),
    close: () => store.close(),
    watch: (prefix, from, onEvents, onReset) => {
      watching.reset = onReset;
      return store.watch(
        prefix,
        from,
        (events: readonly StoreEvent[]) => held.push(() => onEvents(events)),
        onReset,
      );
    },
  };
  const release = () => {
    for (const deliver of held.splice(0)) deliver();
  };
  return { wrapped, release, reset: () => watching.reset?.() };
}

test('what was there at first, and what others change, is seen', async () => {
  const store = memory();
  await store.putIf('p/a', '1', 'any');
  let changes = 0;
  const watched = await WatchedPrefix.open(clock, store, 'p/', Number, () => changes++);
  expect(watched.get('a')).toBe(1);
  await store.putIf('p/b', '2', 'any');
  await store.putIf('q/c', '3', 'any');
  await store.deleteIf('p/a', 'any');
  expect(watched.values()).toEqual([2]);
  expect(changes).toBe(2);
});

test('own changes are seen when they return, however late the watch is, and late events change nothing back', async () => {
  const { wrapped, release } = delayed(memory());
  const seen: (number | undefined)[] = [];
  const watched: WatchedPrefix<number> = await WatchedPrefix.open(clock, wrapped, 'p/', Number, () => {
    seen.push(watched.get('a'));
  });
  expect(await watched.put('a', '1', 'absent')).toBe(true);
  const first = watched.revisionOf('a') as number;
  expect(await watched.put('a', '2', { revision: first })).toBe(true);
  expect(await watched.put('a', '3', { revision: first })).toBe(false);
  expect(watched.get('a')).toBe(2);
  expect(await watched.delete('a', watched.revisionOf('a') as number)).toBe(true);
  expect(watched.get('a')).toBeUndefined();
  expect(watched.revisionOf('a')).toBeUndefined();
  release();
  expect(watched.get('a')).toBeUndefined();
  expect(seen).toEqual([1, 2, undefined, undefined]);
  expect(await watched.put('a', '4', 'absent')).toBe(true);
  release();
  expect(watched.values()).toEqual([4]);
  expect(seen).toEqual([1, 2, undefined, undefined, 4]);
});

test('after a reset everything is read again', async () => {
  const { wrapped, reset } = delayed(memory());
  let changes = 0;
  const watched = await WatchedPrefix.open(clock, wrapped, 'p/', Number, () => changes++);
  await wrapped.putIf('p/a', '7', 'any');
  expect(watched.get('a')).toBeUndefined();
  reset();
  await new Promise((resolve) => setImmediate(resolve));
  expect(watched.get('a')).toBe(7);
  expect(changes).toBe(1);
});
