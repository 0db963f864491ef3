import { expect, test } from '@jest/globals';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import { WatchedPrefix } from '../../src/coord/watched-prefix.ts';
import { delayed } from './delayed-watches.ts';
import { FakeClock } from './fake-clock.ts';

const clock = new FakeClock();
const memory = () => createMemoryStore(clock, systemRandom);

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

test('an entry can be read ahead of the watch, whose late events change nothing back', async () => {
  const { wrapped, release } = delayed(memory());
  let changes = 0;
  const watched = await WatchedPrefix.open(clock, wrapped, 'p/', Number, () => changes++);
  await wrapped.putIf('p/a', '1', 'any');
  await wrapped.putIf('p/a', '2', 'any');
  expect(watched.get('a')).toBeUndefined();
  await watched.refresh('a');
  await watched.refresh('b');
  expect([watched.get('a'), watched.get('b'), changes]).toEqual([2, undefined, 1]);
  release();
  expect([watched.get('a'), changes]).toEqual([2, 1]);
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
