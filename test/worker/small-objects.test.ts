import { expect, test } from '@jest/globals';
import type { ByteText } from '../../src/common/byte-text.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { MemoryPageStore } from '../../src/worker/memory-page-store.ts';
import { pageKeyOf } from '../../src/worker/page-key.ts';
import type { ReadTarget } from '../../src/worker/reader.ts';
import { SharedCacheView } from '../../src/worker/shared-cache-view.ts';
import { SharedPageReader } from '../../src/worker/shared-page-reader.ts';
import { SmallObjects } from '../../src/worker/small-objects.ts';
import { pageBytes } from '../contracts/page-store.ts';
import { ReadingBench } from './reading.ts';

const MiB = 1024 * 1024;
const pageSizeBytes = 64 * 1024;

async function openScene() {
  const bench = new ReadingBench();
  const store = new MemoryPageStore(new Metrics(), {
    capacityBytes: MiB,
    maxPageBytes: pageSizeBytes,
    threadCount: 2,
  });
  const keep = async (path: string, bytes: Buffer): Promise<ReadTarget> => {
    const target = { ...bench.target(path, await bench.put(path, bytes)), pageSizeBytes };
    store.keep(pageKeyOf(target, 0), bytes);
    return target;
  };
  return { store, keep };
}

const text = (bytes: ByteText | undefined) => bytes?.toBuffer();

test('a small object is given out as it is in memory, again without a copy, and to other threads', async () => {
  const { store, keep } = await openScene();
  const target = await keep('small', pageBytes(5000));
  const first = store.smallObjects.find(target);
  expect(text(first)).toEqual(pageBytes(5000));
  expect(store.smallObjects.find(target)).toBe(first);
  expect(text(SharedPageReader.of(store.shared, 1).smallObjects.find(target))).toEqual(pageBytes(5000));
});

test('one whose page was removed, or had to make room, is not given out any more', async () => {
  const { store, keep } = await openScene();
  const other = SharedPageReader.of(store.shared, 1).smallObjects;
  const removed = await keep('removed', pageBytes(5000, 1));
  const evicted = await keep('evicted', pageBytes(5000, 2));
  for (const target of [removed, evicted]) {
    expect(store.smallObjects.find(target)).toBeDefined();
    expect(other.find(target)).toBeDefined();
  }
  await store.remove(removed.incarnation, removed.path);
  expect(store.smallObjects.find(removed)).toBeUndefined();
  expect(other.find(removed)).toBeUndefined();
  for (let i = 0; i < 120; i++) {
    const key = pageKeyOf(await keep(`other-${i}`, pageBytes(60_000, i)), 0);
    for (let use = 0; use < 3; use++) store.readNow(key, 0, 10);
  }
  expect(store.has(pageKeyOf(evicted, 0))).toBe(false);
  expect(store.smallObjects.find(evicted)).toBeUndefined();
  expect(other.find(evicted)).toBeUndefined();
});

test('metadata that two paths share gives each its own bytes', async () => {
  const { store, keep } = await openScene();
  const one = await keep('one', pageBytes(100, 1));
  const two = { ...one, path: 'two' };
  store.keep(pageKeyOf(two, 0), pageBytes(100, 2));
  expect(text(store.smallObjects.find(one))).toEqual(pageBytes(100, 1));
  expect(text(store.smallObjects.find(two))).toEqual(pageBytes(100, 2));
  expect(text(store.smallObjects.find(one))).toEqual(pageBytes(100, 1));
});

test('larger objects are left to others, and what is kept stays below its limit', async () => {
  const { store, keep } = await openScene();
  expect(store.smallObjects.find(await keep('large', pageBytes(9000)))).toBeUndefined();
  const view = new SharedCacheView(store.shared, 1);
  const few = new SmallObjects(view, new SharedPageReader(store.shared, view), 10_000);
  for (let i = 0; i < 8; i++) {
    const target = await keep(`small-${i}`, pageBytes(4000, i));
    expect(text(few.find(target))).toEqual(pageBytes(4000, i));
    expect(few.usedBytes).toBeLessThanOrEqual(10_000);
  }
});

test('uses are counted, so that what is asked for stays in memory', async () => {
  const { store, keep } = await openScene();
  const target = await keep('hot', pageBytes(5000));
  for (let i = 0; i < 60; i++) {
    for (let use = 0; use < 3; use++) expect(store.smallObjects.find(target)).toBeDefined();
    await keep(`other-${i}`, pageBytes(60_000, i));
  }
});
