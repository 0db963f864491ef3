import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import type { DiskPageStore } from '../../src/worker/disk-page-store.ts';
import { SharedDiskReader } from '../../src/worker/shared-disk-reader.ts';
import { pageBytes, pageKey } from '../contracts/page-store.ts';
import { DiskBench } from './disk-bench.ts';

describe('pages on disk that another thread writes', () => {
  let bench: DiskBench;
  let store: DiskPageStore;
  let reader: SharedDiskReader;
  beforeEach(async () => {
    bench = await DiskBench.make();
    store = await bench.open();
    const disk = { table: store.tableMemory, directories: [bench.path] };
    reader = new SharedDiskReader(new NodeFileSystem(), disk);
  });
  afterEach(async () => {
    reader.close();
    await bench.close();
  });

  test('are read as they were written, any range of them, and no other key’s', async () => {
    const bytes = pageBytes(200_000);
    await store.write(pageKey(), bytes);
    for (const [start, end] of [
      [0, 200_000],
      [65_000, 66_000],
      [199_999, 200_000],
    ] as const) {
      expect((await reader.read(pageKey(), start, end))?.equals(bytes.subarray(start, end))).toBe(true);
    }
    expect(reader.pageBytesOf(pageKey())).toBe(200_000);
    expect(await reader.read(pageKey(), 0, 200_001)).toBeUndefined();
    for (const other of [pageKey({ generation: 'g2' }), pageKey({ path: 'x' }), pageKey({ pageIndex: 1 })]) {
      expect(await reader.read(other, 0, 10)).toBeUndefined();
    }
  });

  test('are gone as soon as they are removed, and there again when they are written anew', async () => {
    await store.write(pageKey(), pageBytes(100_000));
    expect(await reader.read(pageKey(), 0, 10)).toEqual(pageBytes(10));
    await store.remove('mount-1', 'folder/key');
    expect(await reader.read(pageKey(), 0, 10)).toBeUndefined();
    await store.write(pageKey(), pageBytes(100_000, 5));
    expect((await reader.read(pageKey(), 0, 100_000))?.equals(pageBytes(100_000, 5))).toBe(true);
    await store.removeIncarnation('mount-1');
    expect(reader.pageBytesOf(pageKey())).toBeUndefined();
  });

  test('are never wrong while others push them out', async () => {
    let found = 0;
    for (let i = 0; i < 150; i++) {
      const size = 30_000 + (i % 7) * 1000;
      const writing = store.write(pageKey({ path: `key-${i}` }), pageBytes(size, i));
      for (let back = 0; back < 60; back += 7) {
        const at = i - back;
        const length = 30_000 + (at % 7) * 1000;
        const bytes = at < 0 ? undefined : await reader.read(pageKey({ path: `key-${at}` }), 0, length);
        if (!bytes) continue;
        found++;
        expect(bytes.equals(pageBytes(length, at))).toBe(true);
      }
      await writing;
    }
    expect(found).toBeGreaterThan(100);
  });
});
