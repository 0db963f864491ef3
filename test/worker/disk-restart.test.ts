import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DiskPageStore } from '../../src/worker/disk-page-store.ts';
import type { PageKey } from '../../src/worker/page-store.ts';
import { pageBytes, pageKey } from '../contracts/page-store.ts';
import { DiskBench } from './disk-bench.ts';
import { SeededRandom } from './seeded.ts';

let bench: DiskBench;
beforeEach(async () => {
  bench = await DiskBench.make();
});
afterEach(() => bench.close());

const keys = Array.from({ length: 20 }, (_, i) => pageKey({ path: `k${i}`, pageIndex: i }));
const key3 = keys[3] as PageKey;

/** In regions of some pages each. */
async function fill(): Promise<DiskPageStore> {
  const store = await bench.open({ regionBytes: 8000 });
  for (const [i, key] of keys.entries()) await store.write(key, pageBytes(1000 + i, i));
  return store;
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

/** A process that is gone leaves its files as they are, and its lock. */
async function killed(store: DiskPageStore): Promise<string> {
  await store.settled();
  return bench.copy(`killed-${(await readdir(join(bench.path, '..'))).length}`);
}

describe('a restart', () => {
  test('serves at once what was there, without reading a region', async () => {
    const before = await fill();
    const { usage } = before;
    await before.close();
    let regionReads = 0;
    bench.fs.fault = (operation, path) => {
      if (operation === 'read' && path.endsWith('.region')) regionReads++;
      return undefined;
    };
    const store = await bench.open();
    // The beginning of each says which it is.
    expect(regionReads).toBe((await bench.regions()).length);
    expect(await served(store)).toBe(20);
    expect(store.usage).toEqual(usage);
    await store.settled();
    expect(store.usage).toEqual(usage);
  });

  for (const what of ['with', 'without'] as const) {
    test(`drops pages of mounts that went while no process ran, ${what} indexes of their regions`, async () => {
      const before = await fill();
      const gone = pageKey({ incarnation: 'gone' });
      await before.write(gone, pageBytes(1000));
      await before.close();
      if (what === 'without') for (const path of await bench.regions('index')) await rm(path);
      const store = await bench.open({ wanted: () => new Set(['mount-1', 'another']) });
      await store.settled();
      expect([await served(store), store.usage.pages, store.has(gone)]).toEqual([20, 20, false]);
      await store.close();
      const next = await bench.open();
      expect([await served(next), next.has(gone)]).toEqual([20, false]);
    });
  }

  for (const loss of ['lost', 'damaged', 'cut', 'of another region'] as const) {
    test(`with an index that is ${loss} finds all pages again in the regions`, async () => {
      const before = await fill();
      const { usage } = before;
      await before.close();
      const indexes = await bench.regions('index');
      expect(indexes.length).toBeGreaterThan(1);
      const first = await readFile(indexes[0] as string);
      for (const path of indexes) {
        if (loss === 'lost') await rm(path);
        else if (loss === 'damaged') await spoil(path);
        else if (loss === 'cut') await truncate(path, 100);
        else await writeFile(path, path === indexes[0] ? await readFile(indexes[1] as string) : first);
      }
      const store = await bench.open();
      await store.settled();
      expect(store.usage).toEqual(usage);
      expect(await served(store)).toBe(20);
      await store.close();
      expect(await bench.regions('index')).toEqual(indexes);
      const again = await bench.open();
      expect(again.usage).toEqual(usage);
      expect(await bench.errors('index')).toBe(0);
    });
  }

  test('serves while regions without an index are read', async () => {
    await (await fill()).close();
    const [first] = await bench.regions('index');
    await rm(first as string);
    const gate = Promise.withResolvers<void>();
    bench.fs.fault = (operation, path) =>
      operation === 'read' && path === first?.replace('.index', '.region') && opened++ > 0
        ? gate.promise
        : undefined;
    let opened = 0;
    const store = await bench.open();
    const { pages } = store.usage;
    expect(pages).toBeGreaterThan(0);
    expect(pages).toBeLessThan(20);
    expect(await served(store)).toBe(pages);
    await store.write(pageKey({ path: 'new' }), pageBytes(10));
    expect(store.has(pageKey({ path: 'new' }))).toBe(true);
    gate.resolve();
    await store.settled();
    expect(await served(store)).toBe(20);
  });

  test('after the process was killed has every page that had been written', async () => {
    const path = await killed(await fill());
    const store = await bench.open({ path });
    await store.settled();
    expect(await served(store)).toBe(20);
  });

  test('drops what a torn write left, and what follows it', async () => {
    const path = await killed(await fill());
    const [, second] = await bench.regions('region', path);
    await truncate(second as string, 64 + 1100 + 500);
    const store = await bench.open({ path });
    await store.settled();
    const count = await served(store);
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThan(20);
    expect(store.usage.pages).toBe(count);
    expect(await bench.errors('checksum')).toBe(0);
  });

  test('takes bytes of a page for no record, whatever they look like', async () => {
    const store = await bench.open();
    await store.write(pageKey({ path: 'victim' }), pageBytes(100));
    const [region] = (await bench.regions()) as [string];
    // An object that holds a whole region, in front of which a header is lost.
    await store.write(pageKey({ path: 'forged' }), await readFile(region));
    await store.remove('mount-1', 'victim');
    const path = await killed(store);
    await spoil((await bench.regions('region', path))[0] as string);
    const second = await bench.open({ path });
    await second.settled();
    expect(second.has(pageKey({ path: 'victim' }))).toBe(false);
  });

  test('with less room keeps what fits and removes the rest', async () => {
    await (await fill()).close();
    const store = await bench.open({ capacityBytes: 22_000 });
    await store.settled();
    expect(await bench.bytesOnDisk()).toBeLessThanOrEqual(22_000);
    expect(store.usage.pages).toBeGreaterThan(3);
    expect(await served(store)).toBe(store.usage.pages);
  });

  test('removes what is no file of its own in the folder of regions, and none elsewhere', async () => {
    await (await fill()).close();
    const strays = ['00000099.index', 'stray', '000000aa.region'].map((name) =>
      join(bench.path, 'regions', name),
    );
    const other = join(bench.path, 'notes.txt');
    for (const path of [...strays, other]) await writeFile(path, 'half a region');
    const store = await bench.open();
    await store.settled();
    expect(await served(store)).toBe(20);
    const names = await readdir(join(bench.path, 'regions'));
    expect(strays.filter((path) => names.includes(path))).toEqual([]);
    expect(await readFile(other, 'utf8')).toBe('half a region');
  });

  test('removes the files of the former layout', async () => {
    for (const folder of ['pages/00', 'pages/ff', 'tmp']) {
      await mkdir(join(bench.path, folder), { recursive: true });
      await writeFile(join(bench.path, folder, 'f'.repeat(32)), 'a page');
    }
    for (const name of ['index.sqlite', 'index.sqlite-wal']) await writeFile(join(bench.path, name), 'index');
    const store = await bench.open();
    await store.settled();
    const names = (await readdir(bench.path)).filter((name) => !name.startsWith('removals-'));
    expect(names.sort()).toEqual(['lock', 'regions']);
  });

  test('is refused a folder that another store uses, and has it afterwards', async () => {
    const first = await fill();
    const second = await bench.open();
    expect(await bench.isUp()).toBe(false);
    expect([await served(second), await served(first)]).toEqual([0, 20]);
    await first.close();
    await bench.tryAgain(second);
    expect([await bench.isUp(), await served(second)]).toEqual([true, 20]);
  });
});

describe('what was removed', () => {
  const removals = {
    'a path': (store: DiskPageStore) => store.remove('mount-1', 'k3'),
    'other versions of a path': (store: DiskPageStore) => store.remove('mount-1', 'k3', 'g2'),
    'an incarnation': (store: DiskPageStore) => store.removeIncarnation('mount-1'),
  };
  for (const [what, remove] of Object.entries(removals)) {
    for (const index of ['kept', 'lost']) {
      for (const end of ['closed', 'killed']) {
        test(`(${what}) does not come back when the store was ${end} and its indexes ${index}`, async () => {
          const store = await fill();
          const kept = pageKey({ path: 'k3', generation: 'g2' });
          const other = pageKey({ incarnation: 'mount-2' });
          await store.write(kept, pageBytes(50));
          await store.write(other, pageBytes(60));
          await remove(store);
          const again = keys[7] as PageKey;
          if (what === 'an incarnation') await store.write(again, pageBytes(1007, 7));
          let path = bench.path;
          if (end === 'killed') path = await killed(store);
          else await store.close();
          if (index === 'lost') for (const file of await bench.regions('index', path)) await rm(file);
          for (let start = 0; start < 2; start++) {
            const next = await bench.open({ path });
            await next.settled();
            expect(next.has(key3)).toBe(false);
            expect(next.has(other)).toBe(true);
            expect(next.has(kept)).toBe(what === 'other versions of a path');
            expect(await served(next)).toBe(what === 'an incarnation' ? 1 : 19);
            await next.close();
          }
        });
      }
    }
  }

  test('while regions are read that have no index does not come back', async () => {
    const path = await killed(await fill());
    for (const file of await bench.regions('index', path)) await rm(file);
    const gate = Promise.withResolvers<void>();
    const opened = new Set<string>();
    bench.fs.fault = (operation, file) => {
      if (operation !== 'read' || !file.endsWith('.region')) return undefined;
      // The first read of each tells which region it is; then its headers are read.
      if (opened.has(file)) return gate.promise;
      opened.add(file);
      return undefined;
    };
    const store = await bench.open({ path });
    expect(store.usage.pages).toBe(0);
    const removing = store.remove('mount-1', 'k3');
    const removingAll = store.removeIncarnation('mount-9');
    await bench.clock.pass(1);
    gate.resolve();
    await Promise.all([removing, removingAll]);
    expect(store.has(key3)).toBe(false);
    await store.settled();
    expect(await served(store)).toBe(19);
    await store.close();
    expect(await served(await bench.open({ path }))).toBe(19);
  });

  test('before it was written at all is not kept', async () => {
    const store = await bench.open();
    await store.write(pageKey({ incarnation: 'mount-3' }), pageBytes(10));
    const gate = Promise.withResolvers<void>();
    const writes = Promise.withResolvers<void>();
    bench.fs.fault = (operation, path) => {
      if (operation !== 'write' || !path.endsWith('.region')) return undefined;
      writes.resolve();
      return gate.promise;
    };
    const writing = keys.map((key, i) => store.write(key, pageBytes(1000 + i, i)));
    await writes.promise;
    const removing = store.remove('mount-1', 'k3');
    const removingAll = store.removeIncarnation('mount-2');
    gate.resolve();
    await Promise.all([...writing, removing, removingAll]);
    expect([store.has(key3), store.usage.pages]).toEqual([false, 20]);
    const path = await killed(store);
    const second = await bench.open({ path });
    await second.settled();
    expect([second.has(key3), second.usage.pages]).toEqual([false, 20]);
  });

  test('stays known while the log of it is begun anew', async () => {
    const store = await bench.open({ capacityBytes: 300_000 });
    const random = new SeededRandom(5);
    const live = new Set<string>();
    for (let i = 0; i < 600; i++) {
      const path = `k${i}`;
      await store.write(pageKey({ path }), pageBytes(300 + random.below(300), i));
      live.add(path);
      const gone = `k${random.below(i + 1)}`;
      await store.remove('mount-1', gone);
      live.delete(gone);
    }
    const { length } = await readFile(await bench.removalLog());
    expect(length).toBeLessThan(40_000);
    const path = await killed(store);
    for (const file of await bench.regions('index', path)) await rm(file);
    const second = await bench.open({ path, capacityBytes: 300_000 });
    await second.settled();
    for (let i = 0; i < 600; i++) {
      const name = `k${i}`;
      if (!live.has(name)) expect(second.has(pageKey({ path: name }))).toBe(false);
    }
    expect(second.usage.pages).toBe(store.usage.pages);
  });

  test('is not forgotten for a flipped bit in the log of it', async () => {
    const store = await fill();
    await store.remove('mount-1', 'k3');
    await store.remove('mount-1', 'k4');
    const original = await killed(store);
    const { length } = await readFile(await bench.removalLog(original));
    for (let at = 0; at < length; at += 13) {
      const path = `${original}-${at}`;
      await rm(path, { recursive: true, force: true });
      await cp(original, path, { recursive: true });
      const log = await bench.removalLog(path);
      const bytes = await readFile(log);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
      await writeFile(log, bytes);
      const next = await bench.open({ path });
      await next.settled();
      expect([next.has(key3), await served(next)]).toEqual([false, 18]);
      await next.close();
    }
  });

  for (const harm of ['lost', 'damaged'] as const) {
    test(`does not come back when the log of it is ${harm}: then nothing does`, async () => {
      const store = await fill();
      await store.remove('mount-1', 'k3');
      await store.close();
      const log = await bench.removalLog();
      if (harm === 'lost') await rm(log);
      else await writeFile(log, Buffer.alloc((await readFile(log)).length, 0x5a));
      const second = await bench.open();
      await second.settled();
      expect([await served(second), second.usage.pages]).toEqual([0, 0]);
      await second.write(key3, pageBytes(1003, 3));
      await second.close();
      expect(await served(await bench.open())).toBe(1);
    });
  }

  test('takes no room for long', async () => {
    const store = await fill();
    await store.remove('mount-1', 'k3');
    await store.removeIncarnation('mount-1');
    await store.settled();
    // What is left are the regions that are written to.
    expect((await bench.regions()).length).toBeLessThanOrEqual(2);
    expect(await bench.bytesOnDisk()).toBeLessThan(40_000);
  });
});

/** Overwrites the middle of a file. */
async function spoil(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes.fill(0x5a, 70, Math.min(bytes.length, 200));
  await writeFile(path, bytes);
}
