import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DiskPageStore } from '../../src/worker/disk-page-store.ts';
import { pageBytes, pageKey } from '../contracts/page-store.ts';
import { DiskBench } from './disk-bench.ts';

const keys = Array.from({ length: 20 }, (_, i) => pageKey({ path: `k${i}`, pageIndex: i }));
const rejections: unknown[] = [];
const onRejection = (reason: unknown) => rejections.push(reason);

let bench: DiskBench;
beforeEach(async () => {
  bench = await DiskBench.make();
  process.on('unhandledRejection', onRejection);
});
afterEach(async () => {
  await bench.close();
  process.off('unhandledRejection', onRejection);
  expect(rejections.splice(0)).toEqual([]);
});

async function fill(store: DiskPageStore): Promise<void> {
  for (const [i, key] of keys.entries()) await store.write(key, pageBytes(1000 + i, i));
}

/** How many of the pages are served; none with wrong bytes. */
async function served(store: DiskPageStore): Promise<number> {
  let count = 0;
  for (const [i, key] of keys.entries()) {
    const bytes = await store.read(key, 0, 1000 + i);
    if (bytes) expect(bytes).toEqual(pageBytes(1000 + i, i));
    if (bytes) count++;
  }
  return count;
}

async function spoilIndex(): Promise<void> {
  for (const suffix of ['', '-wal', '-shm']) {
    const path = join(bench.path, `index.sqlite${suffix}`);
    const { length } = await readFile(path).catch(() => Buffer.alloc(0));
    if (length > 0) await writeFile(path, randomBytes(length));
  }
}

describe('a page folder that is lost while the store runs', () => {
  const harms = {
    removed: () => rm(bench.path, { recursive: true }),
    'replaced by a file': async () => {
      await rm(bench.path, { recursive: true });
      await writeFile(bench.path, 'in the way');
    },
  };
  for (const [harm, inflict] of Object.entries(harms)) {
    for (const index of ['whole', 'damaged']) {
      test(`(${harm}, its index ${index}) is passed by, and used again when it can be`, async () => {
        const store = await bench.open();
        await fill(store);
        await bench.clock.pass(200);
        if (index === 'damaged') await spoilIndex();
        await inflict();
        expect(await served(store)).toBe(0);
        await fill(store);
        await bench.clock.pass(200);
        expect([await served(store), await bench.isUp()]).toEqual([0, false]);

        await rm(bench.path, { recursive: true, force: true });
        await bench.tryAgain(store);
        expect(await bench.isUp()).toBe(true);
        await fill(store);
        expect(await served(store)).toBe(20);
        await store.close();
        expect(await served(await bench.open())).toBe(20);
      });
    }
  }

  test('is tried again as long as it fails, and no sooner', async () => {
    const store = await bench.open();
    await harms['replaced by a file']();
    await fill(store);
    for (let attempt = 0; attempt < 3; attempt++) {
      const before = await bench.errors('io');
      await bench.clock.pass(29_999);
      expect(await bench.errors('io')).toBe(before);
      await bench.tryAgain(store);
      expect([await bench.errors('io'), await bench.isUp()]).toEqual([before + 1, false]);
    }
  });

  test('gives back its pages when it is there again', async () => {
    const store = await bench.open();
    await fill(store);
    await rename(bench.path, `${bench.path}-away`);
    await fill(store);
    expect(await served(store)).toBe(0);
    await store.write(pageKey({ path: 'new' }), pageBytes(10));
    expect(await bench.isUp()).toBe(false);
    await rename(`${bench.path}-away`, bench.path);
    await bench.tryAgain(store);
    expect([await served(store), store.usage.pages]).toEqual([20, 20]);
  });
});

describe('a page folder that cannot be used at the start', () => {
  test('keeps no page until it can, and then has those that it held before', async () => {
    const former = await bench.open();
    await fill(former);
    await former.close();
    await rename(bench.path, `${bench.path}-away`);
    await writeFile(bench.path, 'in the way');
    const store = await bench.open();
    expect([await bench.isUp(), await bench.errors('io')]).toEqual([false, 1]);
    await fill(store);
    expect(await served(store)).toBe(0);
    await rm(bench.path);
    await rename(`${bench.path}-away`, bench.path);
    await bench.tryAgain(store);
    expect([await bench.isUp(), await served(store)]).toEqual([true, 20]);
  });

  test('because its disk may only be read serves what is there', async () => {
    const former = await bench.open();
    await fill(former);
    await former.close();
    bench.fs.fault = (operation) =>
      ['create', 'write', 'rename', 'unlink'].includes(operation) ? 'EROFS' : undefined;
    const store = await bench.open();
    expect(await served(store)).toBe(20);
    await store.write(pageKey({ path: 'new' }), pageBytes(10));
    expect([await bench.isUp(), await served(store)]).toEqual([false, 20]);
  });

  test('does not hold up the end', async () => {
    await writeFile(bench.path, 'in the way');
    const store = await bench.open();
    await store.close();
    expect(bench.clock.sleeperCount).toBe(0);
  });
});

describe('a page index that fails', () => {
  test('where nothing can stand in its place is done without', async () => {
    const index = join(bench.path, 'index.sqlite');
    await mkdir(join(index, 'full'), { recursive: true });
    const store = await bench.open();
    await fill(store);
    await bench.clock.pass(200);
    expect([await served(store), await bench.isUp()]).toEqual([20, true]);
    expect(await bench.errors('index')).toBeGreaterThan(0);
    await store.close();
    const second = await bench.open();
    await second.reconciled;
    expect(await served(second)).toBe(20);
  });

  test('cannot end the process, for none of its files is mapped into memory', async () => {
    const store = await bench.open();
    await fill(store);
    await bench.clock.pass(200);
    const names = (await readdir(bench.path)).filter((name) => name.startsWith('index'));
    expect(names.sort()).toEqual(['index.sqlite', 'index.sqlite-wal']);
    for (const name of names) await truncate(join(bench.path, name), 0);
    await store.write(pageKey({ path: 'new' }), pageBytes(10));
    await bench.clock.pass(200);
    expect(await served(store)).toBe(20);
  });

  test('while the store runs is begun anew', async () => {
    const store = await bench.open();
    await fill(store);
    await bench.clock.pass(200);
    await spoilIndex();
    await store.write(pageKey({ path: 'new' }), pageBytes(10));
    await bench.clock.pass(200);
    expect([await served(store), await bench.isUp()]).toEqual([20, true]);
    await store.close();
    const second = await bench.open();
    await second.reconciled;
    expect([await served(second), second.usage.pages]).toEqual([20, 21]);
  });
});
