import { readFile, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DiskPageStore } from '../../../src/worker/disk-page-store.ts';
import { pageBytes, pageKey } from '../../contracts/page-store.ts';
import { DiskBench } from '../disk-bench.ts';
import { turn } from '../manual-clock.ts';

let bench: DiskBench;
beforeEach(async () => {
  bench = await DiskBench.make();
});
afterEach(() => bench.close());

async function scrubbedBytes(): Promise<number> {
  return (await bench.metrics.pageStoreScrubbedBytes.get()).values[0]?.value ?? 0;
}

/** Twenty pages in regions that nothing is written to any more. */
async function openFilled(scrubBytesPerSecond: number): Promise<DiskPageStore> {
  const former = await bench.open({ regionBytes: 40_000, capacityBytes: 3_000_000 });
  for (let i = 0; i < 20; i++) await former.write(pageKey({ path: `k${i}` }), pageBytes(10_000, i));
  await former.close();
  return bench.open({ regionBytes: 40_000, capacityBytes: 3_000_000, scrubBytesPerSecond });
}

/** A second, and what is done in it. */
async function second(): Promise<void> {
  await bench.clock.pass(1000);
  // The next second is waited for when the work of this one is done.
  while (bench.clock.sleeperCount === 0) await turn();
}

async function flipLastByte(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

describe('scrubbing', () => {
  test('finds a flipped bit that nobody has read, and drops that page alone', async () => {
    const store = await openFilled(1_000_000);
    for (const path of (await bench.regions()).slice(0, 2)) await flipLastByte(path);
    await second();
    expect([store.usage.pages, await bench.errors('checksum')]).toEqual([18, 2]);
    await store.close();
    expect((await bench.open({ capacityBytes: 3_000_000 })).usage.pages).toBe(18);
  });

  test('keeps to its rate, and goes on where it was', async () => {
    const store = await openFilled(25_000);
    expect(await scrubbedBytes()).toBe(0);
    for (let i = 1; i <= 8; i++) {
      await second();
      expect(await scrubbedBytes()).toBeLessThanOrEqual(25_000 * i + 10_200);
      expect(await scrubbedBytes()).toBeGreaterThanOrEqual(20_000 * i);
    }
    const pageBytesOnDisk = store.usage.bytes;
    for (let i = 0; i < 2; i++) await second();
    // It has come to the end, and begun anew.
    expect(await scrubbedBytes()).toBeGreaterThanOrEqual(pageBytesOnDisk);
  });

  test('begins anew when it is through', async () => {
    const store = await openFilled(1_000_000);
    for (let i = 1; i <= 3; i++) {
      await second();
      expect(await scrubbedBytes()).toBe(i * store.usage.bytes);
    }
    const [path] = (await bench.regions()) as [string];
    expect((await stat(path)).size).toBeGreaterThan(10_000);
    await flipLastByte(path);
    await second();
    expect(store.usage.pages).toBe(19);
  });

  test('counts as no use of a page', async () => {
    const store = await openFilled(1_000_000);
    for (let i = 0; i < 5; i++) await second();
    for (let i = 20; i < 400; i++) await store.write(pageKey({ path: `k${i}` }), pageBytes(10_000, i));
    expect(Array.from({ length: 20 }, (_, i) => store.has(pageKey({ path: `k${i}` })))).not.toContain(true);
  });

  test('is not done where it is not wanted, and ends with the store', async () => {
    const off = await openFilled(0);
    expect(bench.clock.sleeperCount).toBe(0);
    await off.close();
    const store = await bench.open({ scrubBytesPerSecond: 1000 });
    expect(bench.clock.sleeperCount).toBe(1);
    await store.close();
    expect(bench.clock.sleeperCount).toBe(0);
  });
});
