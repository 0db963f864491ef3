import { readFile, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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

describe('a damaged page file', () => {
  test('is absent and given up wherever a bit was flipped', async () => {
    const store = await bench.open();
    const key = pageKey();
    const bytes = pageBytes(700);
    await store.write(key, bytes);
    const { size } = await stat(bench.fileOf(key));
    for (let at = 0; at < size; at += at < size - 700 ? 1 : 13) {
      if (!store.has(key)) await store.write(key, bytes);
      await flip(bench.fileOf(key), at);
      expect(await store.read(key, 0, 700)).toBeUndefined();
      expect(store.has(key)).toBe(false);
    }
    expect(store.usage).toMatchObject({ pages: 0, bytes: 0 });
    expect((await bench.errors('checksum')) + (await bench.errors('short'))).toBeGreaterThan(100);
  });

  test('planted defect: would be served if checksums were not compared', async () => {
    const store = await bench.open({ mutants: { skipPageChecksum: true } });
    await store.write(pageKey(), pageBytes(700));
    const { size } = await stat(bench.fileOf(pageKey()));
    await flip(bench.fileOf(pageKey()), size - 1);
    expect(await store.read(pageKey(), 0, 700)).toBeDefined();
  });

  test('is served for ranges that touch only whole blocks', async () => {
    const store = await bench.open();
    const bytes = pageBytes(4 * blockBytes);
    await store.write(pageKey(), bytes);
    const { size } = await stat(bench.fileOf(pageKey()));
    await flip(bench.fileOf(pageKey()), size - 1);
    const start = blockBytes - 10;
    const end = 3 * blockBytes;
    expect((await store.read(pageKey(), start, end))?.equals(bytes.subarray(start, end))).toBe(true);
    expect(await store.read(pageKey(), end, end + 1)).toBeUndefined();
    expect(await store.read(pageKey(), start, end)).toBeUndefined();
  });

  test('is absent when it was cut, deleted or took the place of another', async () => {
    const store = await bench.open();
    for (const length of [5000, 4 * blockBytes]) {
      for (const harm of ['cut', 'deleted', 'moved'] as const) {
        const key = pageKey({ path: `${harm}-${length}` });
        const other = pageKey({ path: `other-${harm}-${length}` });
        await store.write(key, pageBytes(length));
        await store.write(other, pageBytes(length, 2));
        if (harm === 'cut') await truncate(bench.fileOf(key), length - 1);
        else if (harm === 'deleted') await rm(bench.fileOf(key));
        else await rename(bench.fileOf(other), bench.fileOf(key));
        expect(await store.read(key, length - 100, length)).toBeUndefined();
        expect(store.has(key)).toBe(false);
      }
    }
    expect(await bench.errors('missing')).toBe(2);
  });
});

describe('a failing disk', () => {
  for (const [code, reason] of [
    ['ENOSPC', 'no-space'],
    ['EIO', 'io'],
  ] as const) {
    test(`that answers ${code} to a write is left alone for a while`, async () => {
      const store = await bench.open();
      let writes = 0;
      bench.fs.fault = (operation) => {
        if (operation !== 'write') return undefined;
        writes++;
        return code;
      };
      await store.write(pageKey(), pageBytes(100));
      await store.write(pageKey({ path: 'b' }), pageBytes(100));
      expect([store.has(pageKey()), writes, await bench.errors(reason)]).toEqual([false, 1, 1]);
      expect(store.usage).toMatchObject({ pages: 0, bytes: 0 });
      expect(await bench.files()).toEqual([]);
      bench.fs.fault = () => undefined;
      await store.write(pageKey(), pageBytes(100));
      expect([store.has(pageKey()), await bench.isUp()]).toEqual([false, false]);
      await bench.tryAgain(store);
      expect(await bench.isUp()).toBe(true);
      await store.write(pageKey(), pageBytes(100));
      expect(await store.read(pageKey(), 0, 100)).toEqual(pageBytes(100));
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
});

describe('file descriptors', () => {
  test('are bounded and all given back', async () => {
    const store = await bench.open({ maxOpenFiles: 4, capacityBytes: 10_000_000 });
    const keys = Array.from({ length: 12 }, (_, i) => pageKey({ path: `k${i}` }));
    for (const [i, key] of keys.entries()) await store.write(key, pageBytes(i % 2 ? 1000 : 200_000, i));
    bench.fs.maxOpenFiles = 0;
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const number = (i * 7) % 12;
        const bytes = await store.read(pageKey({ path: `k${number}` }), 10, 900);
        expect(bytes?.equals(pageBytes(1000, number).subarray(10, 900))).toBe(true);
      }),
    );
    expect(bench.fs.maxOpenFiles).toBeLessThanOrEqual(5);
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

describe('a restart', () => {
  const keys = Array.from({ length: 20 }, (_, i) => pageKey({ path: `k${i}`, pageIndex: i }));

  async function fill() {
    const store = await bench.open();
    for (const [i, key] of keys.entries()) await store.write(key, pageBytes(1000 + i, i));
    return store;
  }

  test('serves at once what was there, without looking at the files', async () => {
    const before = await fill();
    const { usage } = before;
    await before.close();
    const gate = Promise.withResolvers<void>();
    bench.fs.fault = (operation, path) =>
      operation === 'list' && /pages\/..$/.test(path) ? gate.promise : undefined;
    const store = await bench.open();
    for (const [i, key] of keys.entries()) {
      expect(await store.read(key, 0, 1000 + i)).toEqual(pageBytes(1000 + i, i));
    }
    expect(store.usage).toEqual(usage);
    gate.resolve();
    await store.reconciled;
    expect(store.usage).toEqual(usage);
  });

  for (const loss of ['lost', 'damaged', 'damaged inside'] as const) {
    test(`with its index ${loss} finds all pages again in the files`, async () => {
      const before = await fill();
      const { usage } = before;
      await before.close();
      const index = join(bench.path, 'index.sqlite');
      if (loss === 'lost') await rm(index);
      else if (loss === 'damaged') await writeFile(index, 'this is no database at all, by any means');
      else await spoil(index, 4096 + 50);
      const store = await bench.open();
      await store.reconciled;
      expect(store.usage).toEqual(usage);
      for (const [i, key] of keys.entries()) {
        expect(await store.read(key, 0, 1000 + i)).toEqual(pageBytes(1000 + i, i));
      }
      await store.close();
      const again = await bench.open();
      expect(again.usage).toEqual(usage);
    });
  }

  test('forgets rows whose file is gone and removes files that are no pages', async () => {
    await (await fill()).close();
    await rm(bench.fileOf(keys[3] as (typeof keys)[0]));
    const stray = [
      join(bench.path, 'pages', '00', 'f'.repeat(32)),
      join(bench.path, 'pages', 'ff', 'f'.repeat(32)),
      join(bench.path, 'tmp', '17'),
    ];
    for (const path of stray) await writeFile(path, 'half a page');
    const store = await bench.open();
    await store.reconciled;
    expect(store.usage.pages).toBe(19);
    expect(await bench.files()).toHaveLength(19);
    const sizes = await Promise.all((await bench.files()).map(async (path) => (await stat(path)).size));
    expect(store.usage.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
  });

  test('with less room keeps what fits and removes the rest', async () => {
    await (await fill()).close();
    const store = await bench.open({ capacityBytes: 8000 });
    await store.reconciled;
    expect(store.usage.bytes).toBeLessThanOrEqual(8000);
    await store.close();
    expect(await bench.files()).toHaveLength(store.usage.pages);
  });

  test('after a crash at any moment serves only whole pages and accounts for every file', async () => {
    const random = new SeededRandom(7);
    const store = await bench.open({ capacityBytes: 30_000, indexCommitMs: 5 });
    const copies: Promise<string>[] = [];
    for (let round = 0; round < 12; round++) {
      const writes = Array.from({ length: 8 }, () => {
        const i = random.below(60);
        return store.write(pageKey({ path: `k${i}` }), pageBytes(500 + 40 * i, i));
      });
      if (random.next() < 0.5) await bench.clock.pass(5);
      copies.push(bench.copy(`crash-${round}`).catch(() => ''));
      await Promise.all(writes);
    }
    // A copy that met a file which vanished under it is no state that a crash could leave.
    const whole = (await Promise.all(copies)).filter((path) => path !== '');
    expect(whole.length).toBeGreaterThan(2);
    for (const path of whole) {
      const survivor = await bench.open({ path, capacityBytes: 30_000 });
      for (let i = 0; i < 60; i++) {
        const bytes = await survivor.read(pageKey({ path: `k${i}` }), 0, 500 + 40 * i);
        if (bytes) expect(bytes.equals(pageBytes(500 + 40 * i, i))).toBe(true);
      }
      await survivor.reconciled;
      await survivor.close();
      const files = await bench.files(path);
      const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
      expect(survivor.usage).toMatchObject({
        pages: files.length,
        bytes: sizes.reduce((sum, size) => sum + size, 0),
      });
      expect(survivor.usage.bytes).toBeLessThanOrEqual(30_000);
    }
  });
});

describe('the capacity', () => {
  test('is never exceeded on the disk itself', async () => {
    const store = await bench.open({ capacityBytes: 20_000 });
    await store.reconciled;
    for (let round = 0; round < 15; round++) {
      await Promise.all(
        [0, 1, 2].map((i) => store.write(pageKey({ path: `k${round}-${i}` }), pageBytes(3000))),
      );
      const sizes = await Promise.all((await bench.files()).map(async (path) => (await stat(path)).size));
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(store.usage.bytes);
      expect(store.usage.bytes).toBeLessThanOrEqual(20_000);
    }
  });

  test('of a page of 4 KiB takes little more than its bytes', async () => {
    const store = await bench.open();
    await store.write(pageKey(), pageBytes(4096));
    expect(store.usage.bytes).toBeLessThan(4096 + 256);
  });
});

/** Overwrites the middle of a file, past the part that is looked at when it is opened. */
async function spoil(path: string, from: number): Promise<void> {
  const bytes = await readFile(path);
  bytes.fill(0x5a, from, Math.min(bytes.length, from + 3000));
  await writeFile(path, bytes);
  await utimes(path, new Date(), new Date());
}
