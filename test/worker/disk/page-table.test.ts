import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from '@jest/globals';
import { mix, type PageHash, PageHasher } from '../../../src/worker/disk/page-hash.ts';
import { PageTable } from '../../../src/worker/disk/page-table.ts';
import { PageTableWriter, type TableRow } from '../../../src/worker/disk/page-table-writer.ts';
import { pageKey } from '../../contracts/page-store.ts';
import { SeededRandom } from '../seeded.ts';

/** Of a numbered page: a hash, and a place that follows from it. */
function rowOf(number: number): TableRow {
  const word = mix(number + 1);
  const hash: PageHash = [word, number, mix(word ^ 7), mix(word ^ 11)];
  return {
    hash,
    path32: mix(number % 50) || 1,
    offset: (word >>> 4) * 8,
    headerBytes: 8 + (number % 100) * 8,
    pageBytes: number * 3,
    filledSeconds: 2 ** 32 - 1 - number,
  };
}

describe('a page table', () => {
  test('agrees with a plain map under any changes', () => {
    const random = new SeededRandom(1);
    const table = new PageTableWriter(3000, 42);
    const model = new Map<number, { entry: number; region: number; offset: number }>();
    for (let i = 0; i < 60_000; i++) {
      const number = random.below(4000);
      const known = model.get(number);
      if (!known && !table.isFull && random.next() < 0.8) {
        const row = rowOf(number);
        const region = 1 + random.below(1000);
        const entry = table.insert(row, number % 7, number % 3, region);
        model.set(number, { entry, region, offset: row.offset });
      } else if (known && random.next() < 0.4) {
        table.remove(known.entry);
        model.delete(number);
      } else if (known) {
        Object.assign(known, { region: 5000 + i, offset: i * 8 });
        table.move(known.entry, 5000 + i, i * 8);
      }
      if (table.count !== model.size) throw new Error(`${table.count} entries, not ${model.size}`);
    }
    for (let number = 0; number < 4000; number++) {
      const row = rowOf(number);
      const known = model.get(number);
      const { headerBytes, pageBytes, filledSeconds } = row;
      const expected = known && { ...known, directory: number % 3, headerBytes, pageBytes, filledSeconds };
      expect(table.find(row.hash)).toEqual(expected);
    }
    for (let path = 0; path < 50; path++) {
      const entries = [...model].filter(([number]) => number % 50 === path).map(([, { entry }]) => entry);
      expect(table.entriesOfPath(mix(path) || 1).sort()).toEqual(entries.sort());
    }
  });

  test('is full at its limit, and takes as many again when they are gone', () => {
    const table = new PageTableWriter(4096, 1);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 4096; i++) table.insert(rowOf(i), 0, 0, 1);
      expect([table.isFull, table.lastEntry]).toEqual([true, 4096]);
      for (let i = 0; i < 4096; i++) table.remove(table.entryOf(rowOf(i).hash));
      expect([table.isFull, table.count]).toEqual([false, 0]);
    }
  });

  test('counts reads up to three, and one less for each time a page is carried', () => {
    const table = new PageTableWriter(100, 1);
    const entry = table.insert(rowOf(1), 0, 63, 4_000_000_000);
    for (const reads of [1, 2, 3, 3]) {
      table.touch(entry);
      expect(table.readsOf(entry)).toBe(reads);
    }
    for (const reads of [2, 1, 0, 0]) {
      table.move(entry, 4_000_000_001, 4_294_967_288);
      expect(table.readsOf(entry)).toBe(reads);
    }
    const place = { directory: 63, region: 4_000_000_001, offset: 4_294_967_288 };
    expect(table.find(rowOf(1).hash)).toMatchObject(place);
  });

  test('does not find pages of an incarnation that was removed', () => {
    const table = new PageTableWriter(100, 1);
    for (let i = 0; i < 10; i++) table.insert(rowOf(i), i % 2, 0, 1);
    table.setRemoved(1, true);
    const found = Array.from({ length: 10 }, (_, i) => table.find(rowOf(i).hash) !== undefined);
    expect(found).toEqual(Array.from({ length: 10 }, (_, i) => i % 2 === 0));
  });

  test('takes at most 68 bytes of memory an entry, lists of regions included', () => {
    const count = 1_000_000;
    const table = new PageTableWriter(count, 1);
    const fixedBytes = new PageTableWriter(64, 1).memory.byteLength;
    expect((table.memory.byteLength - fixedBytes) / count + 4).toBeLessThanOrEqual(68);
  });

  test('is right for a thread that reads while another one writes', async () => {
    const table = new PageTableWriter(20_000, 9);
    // These stay, so that they must be found at any moment; the first moves; those behind them come and go.
    const moving = table.insert({ ...rowOf(0), offset: 8 }, 0, 0, 1);
    for (let i = 1; i < 1000; i++) table.insert(rowOf(i), 0, 0, 1 + (i % 1000));
    const flag = new SharedArrayBuffer(4);
    const workerData = { memory: table.memory, flag, stable: 1000, churned: 6000 };
    const thread = new Worker(new URL('./table-reader.ts', import.meta.url), { workerData });
    const answer = new Promise<{ missed: number; wrong: number; looked: number; found: number }>(
      (resolve, reject) => thread.once('message', resolve).once('error', reject),
    );
    await new Promise((resolve) => thread.once('online', resolve));
    for (let round = 0; round < 4; round++) {
      for (let i = 1000; i < 6000; i++) table.insert(rowOf(i), 0, 0, 1 + (i % 1000));
      await setImmediate();
      for (let i = 1000; i < 6000; i++) table.remove(table.entryOf(rowOf(i).hash));
      for (let i = 0; i < 200_000; i++) table.move(moving, 1 + i, (1 + i) * 8);
    }
    Atomics.store(new Int32Array(flag), 0, 1);
    const { missed, wrong, looked, found } = await answer;
    expect(wrong).toBe(0);
    // A writer that the system puts aside in the middle of a change may cost a look-up now and then.
    expect(missed).toBeLessThanOrEqual(looked / 1000);
    expect(looked).toBeGreaterThan(1000);
    expect(found).toBeGreaterThan(0);
    await thread.terminate();
  });

  test('looks again where a chain was changed under a look-up that found nothing', () => {
    const table = new PageTableWriter(100, 1);
    for (let i = 0; i < 10; i++) table.insert(rowOf(i), 0, 0, 1);
    let looks = 0;
    class Disturbed extends PageTable {
      protected override search(hash: PageHash): number {
        looks++;
        if (looks > 3) return super.search(hash);
        table.remove(table.entryOf(rowOf(looks).hash));
        return 0;
      }
    }
    expect(new Disturbed(table.memory).find(rowOf(9).hash)).toBeDefined();
    expect(new Disturbed(table.memory).find(rowOf(1).hash)).toBeUndefined();
    expect(looks).toBe(5);
  });

  test('gives a place as it was at one moment, though the page moves under the look-up', () => {
    const table = new PageTableWriter(100, 1);
    const { hash } = rowOf(1);
    const entry = table.insert(rowOf(1), 0, 0, 1);
    let looks = 0;
    class Disturbed extends PageTable {
      protected override hasHash(at: number, wanted: PageHash): boolean {
        // The second look at the hash comes when the place has been read.
        if (++looks === 2) table.move(entry, 2, 16);
        return super.hasHash(at, wanted);
      }
    }
    expect(new Disturbed(table.memory).find(hash)).toMatchObject({ region: 2, offset: 16 });
  });

  test('gives no place to a look-up under which the page goes and comes back elsewhere', () => {
    const table = new PageTableWriter(100, 1);
    const { hash } = rowOf(1);
    table.insert(rowOf(1), 0, 0, 1);
    let looks = 0;
    class Disturbed extends PageTable {
      protected override hasHash(at: number, wanted: PageHash): boolean {
        if (++looks === 2) {
          table.remove(table.entryOf(hash));
          table.insert({ ...rowOf(1), offset: 24 }, 1, 2, 3);
        }
        return super.hasHash(at, wanted);
      }
    }
    expect(new Disturbed(table.memory).find(hash)).toMatchObject({ directory: 2, region: 3, offset: 24 });
  });

  test('does not find a page of a removed incarnation whose number is free again by the end of the look-up', () => {
    const table = new PageTableWriter(100, 1);
    const { hash } = rowOf(1);
    const entry = table.insert(rowOf(1), 7, 0, 1);
    table.setRemoved(7, true);
    let looks = 0;
    class Disturbed extends PageTable {
      override isRemoved(incarnation: number): boolean {
        if (++looks === 1) {
          table.remove(entry);
          table.setRemoved(7, false);
        }
        return super.isRemoved(incarnation);
      }
    }
    expect(new Disturbed(table.memory).find(hash)).toBeUndefined();
    expect(looks).toBe(1);
  });

  test('refuses memory that holds something else', () => {
    expect(() => new PageTable(new SharedArrayBuffer(4096))).toThrow('no page table');
  });
});

describe('hashes of pages', () => {
  test('differ in every part of the key, and never within a version', () => {
    const hasher = new PageHasher();
    const keys = [
      pageKey(),
      pageKey({ incarnation: 'mount-2' }),
      pageKey({ path: 'folder/key2' }),
      pageKey({ generation: 'g2' }),
      pageKey({ pageSizeBytes: 65_536 }),
      pageKey({ pageSizeBytes: 131_072 }),
      ...Array.from({ length: 10_000 }, (_, i) => pageKey({ pageIndex: i + 1 })),
    ];
    expect(new Set(keys.map((key) => hasher.page(key).join())).size).toBe(keys.length);
    expect(new Set(keys.map((key) => hasher.page(key)[2])).size).toBeGreaterThan(10_000);
    // The same whatever was hashed before.
    expect(keys.map((key) => hasher.page(key))).toEqual(keys.map((key) => new PageHasher().page(key)));
  });
});
