import { readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { blockBytes } from '../../src/worker/page-format.ts';
import { pageBytes, pageKey } from '../contracts/page-store.ts';
import { DiskBench } from './disk-bench.ts';
import { SeededRandom } from './seeded.ts';

let bench: DiskBench;
beforeEach(async () => {
  bench = await DiskBench.make();
});
afterEach(() => bench.close());

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
  await writeFile(path, bytes);
}

describe('a damaged record', () => {
  test('is absent and given up wherever a bit was flipped', async () => {
    const store = await bench.open({ capacityBytes: 20_000_000 });
    const bytes = pageBytes(700);
    let count = 0;
    for (let at = 0; ; at += at < 300 ? 1 : 13) {
      const key = pageKey({ path: `k${1000 + at}` });
      await store.write(key, bytes);
      const recordBytes = store.usage.bytes;
      if (at >= recordBytes) break;
      const [region] = (await bench.regions()) as [string];
      await flip(region, (await stat(region)).size - recordBytes + at);
      expect(await store.read(key, 0, 700)).toBeUndefined();
      expect(store.has(key)).toBe(false);
      count++;
    }
    expect(count).toBeGreaterThan(300);
    expect(await bench.errors('checksum')).toBe(count);
    expect(store.usage.pages).toBe(1);
  });

  test('planted defect: would be served if checksums were not compared', async () => {
    const store = await bench.open({ mutants: { skipPageChecksum: true } });
    await store.write(pageKey(), pageBytes(700));
    const [region] = (await bench.regions()) as [string];
    await flip(region, (await stat(region)).size - 1);
    expect(await store.read(pageKey(), 0, 700)).toBeDefined();
  });

  test('is served for ranges that touch only whole blocks', async () => {
    const store = await bench.open();
    const bytes = pageBytes(4 * blockBytes);
    await store.write(pageKey(), bytes);
    const [region] = (await bench.regions()) as [string];
    await flip(region, (await stat(region)).size - 1);
    const start = blockBytes - 10;
    const end = 3 * blockBytes;
    expect((await store.read(pageKey(), start, end))?.equals(bytes.subarray(start, end))).toBe(true);
    expect(await store.read(pageKey(), end, end + 1)).toBeUndefined();
    expect(await store.read(pageKey(), start, end)).toBeUndefined();
  });

  test('does not come back with the next start, even where its other blocks are whole', async () => {
    const store = await bench.open();
    await store.write(pageKey(), pageBytes(4 * blockBytes));
    await store.write(pageKey({ path: 'other' }), pageBytes(100));
    const [region] = (await bench.regions()) as [string];
    await flip(region, 64 + 4 * blockBytes);
    expect(await store.read(pageKey(), 4 * blockBytes - 1, 4 * blockBytes)).toBeUndefined();
    await store.close();
    const second = await bench.open();
    expect(second.has(pageKey())).toBe(false);
    expect(await second.read(pageKey({ path: 'other' }), 0, 100)).toEqual(pageBytes(100));
  });
});

describe('a damaged region', () => {
  for (const length of [5000, 4 * blockBytes]) {
    for (const harm of ['cut', 'deleted', 'replaced by another'] as const) {
      test(`that was ${harm} makes its pages absent (of ${length} bytes)`, async () => {
        const store = await bench.open({ maxOpenFiles: 1 });
        const keys = [pageKey({ path: 'a' }), pageKey({ path: 'b' })] as const;
        // Each is larger than a region and has one of its own, as far as the second opens another.
        for (const key of keys) await store.write(key, pageBytes(Math.max(length, 40_000)));
        const regions = (await bench.regions()) as [string, string];
        expect(regions).toHaveLength(2);
        await store.settled();
        if (harm === 'cut') await truncate(regions[0], 64 + length - 1);
        else if (harm === 'deleted') await rm(regions[0]);
        else await rename(regions[1], regions[0]);
        await store.read(keys[1], 0, 10);
        const end = Math.max(length, 40_000);
        expect(await store.read(keys[0], end - 100, end)).toBeUndefined();
        await store.settled();
        expect(store.has(keys[0])).toBe(false);
        expect(await bench.isUp()).toBe(true);
        if (harm !== 'replaced by another') expect(await store.read(keys[1], 0, 10)).toBeDefined();
      });
    }
  }
});

describe('a failing disk', () => {
  for (const [code, reason] of [
    ['ENOSPC', 'no-space'],
    ['EIO', 'io'],
  ] as const) {
    test(`that answers ${code} to a write is left alone for a while`, async () => {
      const store = await bench.open();
      await store.write(pageKey({ path: 'before' }), pageBytes(50));
      let writes = 0;
      bench.fs.fault = (operation) => {
        if (operation !== 'write') return undefined;
        writes++;
        return code;
      };
      await store.write(pageKey(), pageBytes(100));
      await store.write(pageKey({ path: 'b' }), pageBytes(100));
      expect([store.has(pageKey()), writes, await bench.errors(reason)]).toEqual([false, 1, 1]);
      expect(store.usage.pages).toBe(1);
      bench.fs.fault = () => undefined;
      await store.write(pageKey(), pageBytes(100));
      expect([store.has(pageKey()), await bench.isUp()]).toEqual([false, false]);
      await bench.tryAgain(store);
      expect(await bench.isUp()).toBe(true);
      await store.write(pageKey(), pageBytes(100));
      expect(await store.read(pageKey(), 0, 100)).toEqual(pageBytes(100));
      expect(await store.read(pageKey({ path: 'before' }), 0, 50)).toEqual(pageBytes(50));
    });
  }

  test('that cannot read a page makes it absent', async () => {
    const store = await bench.open();
    await store.write(pageKey(), pageBytes(100));
    bench.fs.fault = (operation) => (operation === 'read' ? 'EIO' : undefined);
    expect(await store.read(pageKey(), 0, 100)).toBeUndefined();
    expect([store.has(pageKey()), await bench.errors('io')]).toEqual([false, 1]);
  });

  test('without free file descriptors loses no page', async () => {
    const store = await bench.open();
    await store.write(pageKey(), pageBytes(100));
    bench.fs.fault = (operation) => (operation === 'open' ? 'EMFILE' : undefined);
    expect(await store.read(pageKey(), 0, 100)).toBeUndefined();
    bench.fs.fault = () => undefined;
    expect(await store.read(pageKey(), 0, 100)).toEqual(pageBytes(100));
  });

  test('is passed by while the pages of another directory go on', async () => {
    const directories = ['one', 'two'].map((name) => ({
      path: `${bench.path}-${name}`,
      capacityBytes: 500_000,
    }));
    const store = await bench.open({ directories });
    bench.fs.fault = (operation, path) =>
      operation === 'write' && path.includes('-one/') ? 'EIO' : undefined;
    const keys = Array.from({ length: 20 }, (_, i) => pageKey({ path: `k${i}` }));
    // The first page for the broken one finds it out; what was under way to it is not kept.
    for (const key of keys) await store.write(key, pageBytes(100));
    for (const key of keys) await store.write(key, pageBytes(100));
    expect(keys.every((key) => store.has(key))).toBe(true);
    expect(await Promise.all(directories.map(({ path }) => bench.isUp(path)))).toEqual([false, true]);
    bench.fs.fault = () => undefined;
    await bench.tryAgain(store);
    expect(await Promise.all(directories.map(({ path }) => bench.isUp(path)))).toEqual([true, true]);
  });
});

describe('file descriptors', () => {
  test('are bounded and all given back', async () => {
    const store = await bench.open({ maxOpenFiles: 4, capacityBytes: 10_000_000 });
    const keys = Array.from({ length: 12 }, (_, i) => pageKey({ path: `k${i}` }));
    for (const [i, key] of keys.entries()) await store.write(key, pageBytes(i % 2 ? 300_000 : 200_000, i));
    await store.settled();
    bench.fs.maxOpenFiles = 0;
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const number = (i * 7) % 12;
        const bytes = await store.read(pageKey({ path: `k${number}` }), 10, 900);
        expect(bytes?.equals(pageBytes(1000, number).subarray(10, 900))).toBe(true);
      }),
    );
    // Beside those that are read: the log of removals, a region of each queue that is written, and one that is being closed.
    expect(store.openFileCount).toBeLessThanOrEqual(4);
    expect(bench.fs.maxOpenFiles).toBeLessThanOrEqual(4 + 4);
    await store.close();
    expect(bench.fs.openFiles).toBe(0);
  });

  test('of a page that is removed while it is read stay good', async () => {
    const store = await bench.open({ capacityBytes: 10_000_000 });
    const bytes = pageBytes(1_000_000);
    await store.write(pageKey(), bytes);
    await store.read(pageKey(), 0, 10);
    const opened = Promise.withResolvers<void>();
    bench.fs.fault = (operation) => (operation === 'read' ? opened.promise : undefined);
    const read = store.read(pageKey(), 0, 1_000_000);
    await store.remove('mount-1', 'folder/key');
    opened.resolve();
    expect((await read)?.equals(bytes)).toBe(true);
    expect(store.has(pageKey())).toBe(false);
  });
});

describe('the capacity', () => {
  test('is never exceeded on the disk itself', async () => {
    const store = await bench.open({ capacityBytes: 200_000 });
    const random = new SeededRandom(3);
    for (let round = 0; round < 60; round++) {
      await Promise.all(
        [0, 1, 2].map((i) =>
          store.write(pageKey({ path: `k${round}-${i}` }), pageBytes(3000 + random.below(9000))),
        ),
      );
      if (round % 7 === 0) await store.remove('mount-1', `k${round}-1`);
      expect(await bench.bytesOnDisk()).toBeLessThanOrEqual(200_000);
      expect(store.usedBytes).toBeLessThanOrEqual(200_000);
    }
    await store.close();
    expect(await bench.bytesOnDisk()).toBeLessThanOrEqual(200_000);
    expect(store.usage.pages).toBeGreaterThan(10);
  });

  test('counts every file', async () => {
    const store = await bench.open();
    for (let i = 0; i < 30; i++) await store.write(pageKey({ path: `k${i}` }), pageBytes(5000));
    await store.close();
    const second = await bench.open();
    expect(second.usedBytes).toBe(await bench.bytesOnDisk());
  });

  test('of a page of 4 KiB takes little more than its bytes', async () => {
    const store = await bench.open();
    await store.write(pageKey(), pageBytes(4096));
    expect(store.usage.bytes).toBeLessThan(4096 + 256);
  });

  test('takes ten thousand objects of 4 KiB in less than 60 MB', async () => {
    const store = await bench.open({ capacityBytes: 100_000_000 });
    const page = pageBytes(4096);
    for (let i = 0; i < 10_000; i += 50) {
      await Promise.all(
        Array.from({ length: 50 }, (_, j) =>
          store.write(pageKey({ path: `some/longer/path/of/an/object-${i + j}` }), page),
        ),
      );
    }
    expect(store.usage.pages).toBe(10_000);
    await store.close();
    expect(await bench.bytesOnDisk()).toBeLessThan(60_000_000);
    // A row of an index and its share of the rest.
    const indexes = await Promise.all(
      (await bench.regions('index')).map(async (path) => (await stat(path)).size),
    );
    expect(indexes.reduce((sum, size) => sum + size, 0) / 10_000).toBeLessThan(100);
  });

  test('is not used up where others need the file system', async () => {
    const store = await bench.open({ minFreeBytes: 1_000_000 });
    for (let i = 0; i < 30; i++) await store.write(pageKey({ path: `k${i}` }), pageBytes(10_000));
    const before = store.usedBytes;
    expect(before).toBeGreaterThan(300_000);
    // Others have taken all but a little more than what is to stay free: the oldest pages make room for new ones.
    bench.fs.freeBytes = 1_030_000;
    await bench.clock.pass(1000);
    for (let i = 30; i < 60; i++) await store.write(pageKey({ path: `k${i}` }), pageBytes(10_000));
    expect(store.usedBytes).toBeLessThanOrEqual(before + 30_000);
    expect([store.has(pageKey({ path: 'k59' })), store.has(pageKey({ path: 'k0' }))]).toEqual([true, false]);
    // There is no room for anything: nothing is kept, as on a full disk.
    bench.fs.freeBytes = 100_000;
    await bench.clock.pass(1000);
    await store.write(pageKey({ path: 'late' }), pageBytes(10_000));
    // The page is given up before the fault is told.
    await store.settled();
    expect([await bench.isUp(), await bench.errors('no-space')]).toEqual([false, 1]);
    expect(store.usedBytes).toBeLessThan(20_000);
  });

  test('of the table makes room as that of the disk does', async () => {
    const store = await bench.open({ maxPages: 200, capacityBytes: 3_000_000 });
    for (let i = 0; i < 1000; i++) await store.write(pageKey({ path: `k${i}` }), pageBytes(1000, i));
    expect(store.usage.pages).toBeLessThanOrEqual(200);
    expect(store.usage.pages).toBeGreaterThan(80);
    expect(await store.read(pageKey({ path: 'k999' }), 0, 1000)).toEqual(pageBytes(1000, 999));
  });
});
