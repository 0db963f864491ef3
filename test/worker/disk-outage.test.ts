import { rename, rm, writeFile } from 'node:fs/promises';
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

describe('a page folder that is lost while the store runs', () => {
  const harms = {
    removed: () => rm(bench.path, { recursive: true }),
    'replaced by a file': async () => {
      await rm(bench.path, { recursive: true });
      await writeFile(bench.path, 'in the way');
    },
  };
  for (const [harm, inflict] of Object.entries(harms)) {
    test(`(${harm}) is passed by, and used again when it can be`, async () => {
      const store = await bench.open();
      await fill(store);
      await inflict();
      // Whether it is the folder still is looked at before something is written, once a second.
      await bench.clock.pass(1000);
      await store.write(pageKey({ path: 'new' }), pageBytes(10));
      expect([await served(store), await bench.isUp()]).toEqual([0, false]);
      expect(store.passedBy).toMatchObject([
        { path: bench.path, reason: expect.stringMatching(/missing|io/) },
      ]);
      expect(keys.some((key) => store.has(key))).toBe(false);
      await fill(store);
      expect(await served(store)).toBe(0);

      await rm(bench.path, { recursive: true, force: true });
      await bench.tryAgain(store);
      expect([await bench.isUp(), store.passedBy]).toEqual([true, []]);
      await fill(store);
      expect(await served(store)).toBe(20);
      await store.close();
      expect(await served(await bench.open())).toBe(20);
    });
  }

  test('is tried again as long as it fails, and no sooner', async () => {
    const store = await bench.open();
    await fill(store);
    await harms['replaced by a file']();
    await bench.clock.pass(1000);
    await store.write(pageKey({ path: 'new' }), pageBytes(10));
    for (let attempt = 0; attempt < 3; attempt++) {
      const before = await bench.errors('io');
      await bench.clock.pass(29_999);
      expect(await bench.errors('io')).toBe(before);
      await bench.tryAgain(store);
      expect([await bench.errors('io'), await bench.isUp()]).toEqual([before + 1, false]);
    }
  });

  test('gives back its pages when it is there again, less what was removed meanwhile', async () => {
    const store = await bench.open();
    await fill(store);
    await rename(bench.path, `${bench.path}-away`);
    await bench.clock.pass(1000);
    await store.write(pageKey({ path: 'new' }), pageBytes(10));
    expect([await served(store), await bench.isUp()]).toEqual([0, false]);
    await store.remove('mount-1', 'k3');
    await rename(`${bench.path}-away`, bench.path);
    await bench.tryAgain(store);
    await store.settled();
    expect([await served(store), store.usage.pages]).toEqual([19, 19]);
    await store.close();
    expect(await served(await bench.open())).toBe(19);
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
    await store.settled();
    expect([await bench.isUp(), await served(store)]).toEqual([true, 20]);
  });

  test('does not bring back what was removed before it could', async () => {
    const former = await bench.open();
    await fill(former);
    await former.write(pageKey({ incarnation: 'mount-2' }), pageBytes(10));
    await former.close();
    await rename(bench.path, `${bench.path}-away`);
    await writeFile(bench.path, 'in the way');
    const store = await bench.open();
    await store.remove('mount-1', 'k3');
    await store.removeIncarnation('mount-2');
    await rm(bench.path);
    await rename(`${bench.path}-away`, bench.path);
    await bench.tryAgain(store);
    await store.settled();
    expect([await served(store), store.usage.pages]).toEqual([19, 19]);
    await store.close();
    expect(await served(await bench.open())).toBe(19);
  });

  test('because its disk may only be read serves what is there', async () => {
    const former = await bench.open();
    await fill(former);
    await former.close();
    bench.fs.fault = (operation) =>
      ['create', 'write', 'rename', 'unlink', 'mkdir'].includes(operation) ? 'EROFS' : undefined;
    const store = await bench.open();
    expect(await served(store)).toBe(20);
    await store.write(pageKey({ path: 'new' }), pageBytes(10));
    expect([await bench.isUp(), await served(store)]).toEqual([false, 20]);
    await store.remove('mount-1', 'k3');
    expect(await served(store)).toBe(19);
    await bench.tryAgain(store);
    expect([await bench.isUp(), await served(store)]).toEqual([false, 19]);
    bench.fs.fault = () => undefined;
    await bench.tryAgain(store);
    await store.settled();
    expect([await bench.isUp(), await served(store)]).toEqual([true, 19]);
    await store.close();
    expect(await served(await bench.open())).toBe(19);
  });

  test('does not hold up the end', async () => {
    await writeFile(bench.path, 'in the way');
    const store = await bench.open();
    await store.close();
    expect(bench.clock.sleeperCount).toBe(0);
  });
});
