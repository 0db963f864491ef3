import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { CheckedRegion } from '../../../src/worker/disk/region-check.ts';
import type { DiskPageStore } from '../../../src/worker/disk-page-store.ts';
import { pageBytes, pageKey } from '../../contracts/page-store.ts';
import { DiskBench } from '../disk-bench.ts';

const regionBytes = 40_000;
const capacityBytes = 3_000_000;
const { signal } = new AbortController();

let bench: DiskBench;
beforeEach(async () => {
  bench = await DiskBench.make();
});
afterEach(() => bench.close());

async function fill(store: DiskPageStore): Promise<void> {
  for (let i = 0; i < 20; i++) await store.write(pageKey({ path: `k${i}` }), pageBytes(10_000, i));
}

async function checkAll(store: DiskPageStore, isPlan = false): Promise<CheckedRegion> {
  const whole = { count: 0, bytes: 0 };
  const damaged = { count: 0, bytes: 0 };
  for (const name of store.regionChecks.names()) {
    const found = await store.regionChecks.run(name, { isPlan, pace: async () => {}, signal });
    whole.count += found.whole.count;
    whole.bytes += found.whole.bytes;
    damaged.count += found.damaged.count;
    damaged.bytes += found.damaged.bytes;
  }
  return { whole, damaged };
}

async function flipLastByte(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

test('all pages are read, those of the region that is written to among them', async () => {
  const store = await bench.open({ regionBytes, capacityBytes });
  await fill(store);
  const { pages, bytes } = store.usage;
  expect(await checkAll(store)).toEqual({ whole: { count: pages, bytes }, damaged: { count: 0, bytes: 0 } });
  expect(pages).toBe(20);
});

test('damaged pages are dropped and counted, and no others', async () => {
  const former = await bench.open({ regionBytes, capacityBytes });
  await fill(former);
  await former.close();
  const store = await bench.open({ regionBytes, capacityBytes });
  await store.settled();
  for (const path of (await bench.regions()).slice(0, 2)) await flipLastByte(path);
  expect(await checkAll(store, true)).toMatchObject({ whole: { count: 20 }, damaged: { count: 0 } });
  const found = await checkAll(store);
  expect([found.whole.count, found.damaged.count, store.usage.pages]).toEqual([18, 2, 18]);
  expect(found.whole.bytes).toBe(store.usage.bytes);
  expect(await checkAll(store)).toMatchObject({ whole: { count: 18 }, damaged: { count: 0 } });
});

test('a damaged page that is checked by its key is dropped', async () => {
  const former = await bench.open({ regionBytes, capacityBytes });
  await fill(former);
  await former.close();
  const store = await bench.open({ regionBytes, capacityBytes });
  await store.settled();
  for (const path of await bench.regions()) await flipLastByte(path);
  const keys = Array.from({ length: 20 }, (_, i) => pageKey({ path: `k${i}` }));
  const whole: boolean[] = [];
  for (const key of keys) whole.push(await store.check(key));
  expect(whole).toContain(false);
  expect(keys.map((key) => store.has(key))).toEqual(whole);
});

test('what has gone meanwhile is not found, and a check that is given up ends', async () => {
  const store = await bench.open({ regionBytes, capacityBytes });
  await fill(store);
  const [name = ''] = store.regionChecks.names();
  const gone = AbortSignal.abort();
  await expect(
    store.regionChecks.run(name, { isPlan: false, pace: async () => {}, signal: gone }),
  ).rejects.toMatchObject({ name: 'AbortError' });
  for (let i = 0; i < 20; i++) await store.remove('mount-1', `k${i}`);
  expect(await checkAll(store)).toEqual({ whole: { count: 0, bytes: 0 }, damaged: { count: 0, bytes: 0 } });
});
