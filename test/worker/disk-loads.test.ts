import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { DiskPageStore } from '../../src/worker/disk-page-store.ts';
import type { PageKey } from '../../src/worker/page-store.ts';
import { pageBytes, pageKey } from '../contracts/page-store.ts';
import { ChangingPolicies } from './changing-policies.ts';
import { DiskBench } from './disk-bench.ts';

const capacityBytes = 4_000_000;
const bytes = 10_000;
/** Regions are so long, and room for one is kept free. */
const regionBytes = capacityBytes / 32;
/** Pages that fill about a tenth of it. */
const tenth = 38;

let bench: DiskBench;
beforeEach(async () => {
  bench = await DiskBench.make();
});
afterEach(() => bench.close());

function keysOf(folder: string, count: number): PageKey[] {
  return Array.from({ length: count }, (_, i) => pageKey({ path: `${folder}/k${i}` }));
}

/** Twenty at once, as they come from a storage. */
async function write(
  store: DiskPageStore,
  keys: readonly PageKey[],
  isLoad?: true,
  length = bytes,
): Promise<void> {
  for (let from = 0; from < keys.length; from += 20) {
    const some = keys.slice(from, from + 20);
    await Promise.all(some.map((key) => store.write({ ...key, isLoad }, pageBytes(length))));
  }
}

async function read(store: DiskPageStore, keys: readonly PageKey[]): Promise<void> {
  for (let times = 0; times < 3; times++) for (const key of keys) await store.read(key, 0, 100);
}

const lost = (store: DiskPageStore, keys: readonly PageKey[]) => keys.filter((key) => !store.has(key)).length;

test('a load takes the place of what nobody reads, and of nothing that is read, however large it is and however often it comes', async () => {
  const store = await bench.open({ capacityBytes });
  const [hot, stale, loaded] = [
    keysOf('hot', 4 * tenth),
    keysOf('stale', 4 * tenth),
    keysOf('loaded', 20 * tenth),
  ];
  await write(store, hot);
  await read(store, hot);
  await write(store, stale);
  for (let times = 0; times < 3; times++) {
    await write(store, loaded, true);
    expect([lost(store, hot), lost(store, stale)]).toEqual([0, stale.length]);
    expect(loaded.length - lost(store, loaded)).toBeGreaterThan(4 * tenth);
    expect(store.usedBytes).toBeLessThanOrEqual(capacityBytes);
  }
});

test('where all is read a load finds no room, and says so by not being there', async () => {
  const store = await bench.open({ capacityBytes });
  const hot = keysOf('hot', 12 * tenth);
  for (const key of hot) {
    await write(store, [key]);
    await read(store, [key]);
  }
  const present = hot.filter((key) => store.has(key));
  await read(store, present);
  const loaded = keysOf('loaded', 10 * tenth);
  await write(store, loaded, true);
  await write(store, keysOf('large', tenth), true, 10 * bytes);
  expect([lost(store, present), lost(store, loaded)]).toEqual([0, loaded.length]);
  expect(capacityBytes - store.usedBytes).toBeGreaterThanOrEqual(regionBytes);
  // Others come in as ever.
  const newcomers = keysOf('new', tenth);
  await write(store, newcomers);
  expect(lost(store, newcomers.slice(-10))).toBe(0);
});

test('a load evicts nothing that is pinned, ends where nothing else is left, and leaves the room that pinned pages are carried through', async () => {
  const policies = ChangingPolicies.of({ 'pinned/': { pin: true } });
  const store = await bench.open({ capacityBytes, policies });
  const pinned = keysOf('pinned', 4 * tenth);
  await write(store, pinned);
  const hot = keysOf('hot', 4 * tenth);
  await write(store, hot);
  await read(store, hot);
  await write(store, keysOf('loaded', 20 * tenth), true);
  expect([lost(store, pinned), lost(store, hot)]).toEqual([0, 0]);
  await write(store, keysOf('new', 20 * tenth));
  expect(lost(store, pinned)).toBe(0);
});

test('pages that were loaded stay once they are read', async () => {
  const store = await bench.open({ capacityBytes });
  const loaded = keysOf('loaded', 3 * tenth);
  await write(store, keysOf('stale', 9 * tenth));
  await write(store, loaded, true);
  expect(lost(store, loaded)).toBe(0);
  await read(store, loaded);
  await write(store, keysOf('new', 20 * tenth));
  expect(lost(store, loaded)).toBe(0);
});
