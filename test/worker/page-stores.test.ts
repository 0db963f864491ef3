import { describe, expect, test } from '@jest/globals';
import { Metrics } from '../../src/common/metrics.ts';
import { MemoryPageStore } from '../../src/worker/memory-page-store.ts';
import { TieredPageStore } from '../../src/worker/tiered-page-store.ts';
import { pageBytes, pageKey, pageStoreContract } from '../contracts/page-store.ts';
import { DiskBench } from './disk-bench.ts';

const capacityBytes = 1_000_000;

pageStoreContract('memory', async () => {
  const store = new MemoryPageStore(new Metrics(), { capacityBytes, maxPageBytes: capacityBytes });
  return { store, close: () => store.close() };
});

pageStoreContract('a disk', async () => {
  const bench = await DiskBench.make();
  return { store: await bench.open(), close: () => bench.close() };
});

pageStoreContract('memory over a disk', async () => {
  const bench = await DiskBench.make();
  const memory = new MemoryPageStore(new Metrics(), { capacityBytes: 100_000, maxPageBytes: 10_000 });
  return { store: new TieredPageStore(memory, await bench.open()), close: () => bench.close() };
});

describe('memory over a disk', () => {
  test('keeps a small page in memory from its first read on, and a large one on the disk alone', async () => {
    const bench = await DiskBench.make();
    try {
      const disk = await bench.open();
      const small = pageKey();
      const large = pageKey({ path: 'large' });
      await disk.write(small, pageBytes(10_000));
      await disk.write(large, pageBytes(100_000));
      const memory = new MemoryPageStore(new Metrics(), { capacityBytes, maxPageBytes: capacityBytes });
      const store = new TieredPageStore(memory, disk, { promoteBytes: 50_000 });
      expect(store.readNow(small, 0, 10)).toBeUndefined();
      const reads = await Promise.all(Array.from({ length: 20 }, () => store.read(small, 10, 20)));
      for (const bytes of reads) expect(bytes).toEqual(pageBytes(10_000).subarray(10, 20));
      expect(store.readNow(small, 0, 10_000)).toEqual(pageBytes(10_000));
      expect(await store.read(large, 10, 20)).toEqual(pageBytes(100_000).subarray(10, 20));
      expect(memory.has(large)).toBe(false);
    } finally {
      await bench.close();
    }
  });

  test('takes a large page into memory when it is read from its beginning again, if it fits there', async () => {
    const bench = await DiskBench.make();
    try {
      const disk = await bench.open();
      const large = pageKey();
      const larger = pageKey({ path: 'larger' });
      await disk.write(large, pageBytes(100_000));
      await disk.write(larger, pageBytes(200_000));
      const memory = new MemoryPageStore(new Metrics(), { capacityBytes, maxPageBytes: 150_000 });
      const store = new TieredPageStore(memory, disk, { promoteBytes: 50_000 });
      for (const start of [10, 0, 10, 20]) await store.read(large, start, start + 10);
      expect(memory.has(large)).toBe(false);
      expect(await store.read(large, 0, 70_000)).toEqual(pageBytes(100_000).subarray(0, 70_000));
      expect(store.readNow(large, 90_000, 100_000)).toEqual(pageBytes(100_000).subarray(90_000));
      for (let i = 0; i < 3; i++) await store.read(larger, 0, 10);
      expect(memory.has(larger)).toBe(false);
    } finally {
      await bench.close();
    }
  });

  const removals: Record<string, (store: TieredPageStore) => Promise<void>> = {
    'by its path': (store) => store.remove('mount-1', pageKey().path),
    'with its mount': (store) => store.removeIncarnation('mount-1'),
  };
  for (const [how, remove] of Object.entries(removals)) {
    test(`keeps no page that comes from the disk while it is removed ${how}`, async () => {
      const bench = await DiskBench.make();
      try {
        const disk = await bench.open();
        await disk.write(pageKey(), pageBytes(1000));
        const hold = Promise.withResolvers<void>();
        let reading: Promise<unknown> = Promise.resolve();
        class SlowMemory extends MemoryPageStore {
          override async remove(...args: Parameters<MemoryPageStore['remove']>) {
            await super.remove(...args);
            hold.resolve();
            await reading;
          }
          override async removeIncarnation(incarnation: string) {
            await super.removeIncarnation(incarnation);
            hold.resolve();
            await reading;
          }
        }
        const memory = new SlowMemory(new Metrics(), { capacityBytes, maxPageBytes: capacityBytes });
        const store = new TieredPageStore(memory, disk);
        bench.fs.fault = (operation) => (operation === 'read' ? hold.promise : undefined);
        reading = store.read(pageKey(), 0, 1000);
        await remove(store);
        await reading;
        expect([store.has(pageKey()), store.readNow(pageKey(), 0, 1000)]).toEqual([false, undefined]);
      } finally {
        await bench.close();
      }
    });
  }
});

describe('a memory page store', () => {
  test('counts what a page costs beside its bytes', async () => {
    const store = new MemoryPageStore(new Metrics(), { capacityBytes: 100_000, maxPageBytes: 1000 });
    for (let i = 0; i < 10_000; i++) await store.write(pageKey({ path: `k${i}` }), Buffer.alloc(1));
    expect(store.usage.pages).toBeLessThan(200);
  });

  test('forgets all pages of a mount, and no others, however many there are', async () => {
    const store = new MemoryPageStore(new Metrics(), { capacityBytes: 30_000_000, maxPageBytes: 1000 });
    const keys = Array.from({ length: 9000 }, (_, i) =>
      pageKey({ incarnation: `mount-${i % 2}`, path: `k${i}` }),
    );
    for (const key of keys) store.keep(key, Buffer.alloc(10));
    const held = () => [0, 1].map((rest) => keys.filter((key, i) => i % 2 === rest && store.has(key)).length);
    const [others, unwanted] = held() as [number, number];
    expect(Math.min(others, unwanted)).toBeGreaterThan(4400);
    await store.removeIncarnation('mount-1');
    expect([held(), store.usage.pages]).toEqual([[others, 0], others]);
  });
});
