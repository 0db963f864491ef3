import { describe, expect, test } from '@jest/globals';
import { PageHasher } from '../../../src/worker/disk/page-hash.ts';
import { PageTable } from '../../../src/worker/disk/page-table.ts';
import { ReadBuffers } from '../../../src/worker/disk/read-buffers.ts';
import { keyTextOf } from '../../../src/worker/disk/record-format.ts';
import { RecordReader } from '../../../src/worker/disk/record-reader.ts';
import { RegionFiles } from '../../../src/worker/disk/region-files.ts';
import { Loans } from '../../../src/worker/loans.ts';
import { pageBytes, pageKey } from '../../contracts/page-store.ts';
import { DiskBench } from '../disk-bench.ts';
import { FaultyFileSystem } from '../faulty-file-system.ts';

const sliceBytes = 512 * 1024;
const pageLength = 200_000;

describe('memory that reads go into', () => {
  test('is used again once its loans are given back, and not before', () => {
    const buffers = new ReadBuffers();
    const loans = new Loans();
    const first = buffers.take(sliceBytes, loans);
    buffers.lend(first, loans);
    expect(buffers.take(sliceBytes, new Loans()).buffer).not.toBe(first.buffer);
    loans.giveBack();
    loans.giveBack();
    expect(buffers.freeCount).toBe(1);
    const again = buffers.take(sliceBytes - 64 * 1024, new Loans());
    expect(again.buffer).toBe(first.buffer);
    expect(again.length).toBe(sliceBytes - 64 * 1024);
  });

  test('whose reader has gone while it was read into is free as soon as it is lent', () => {
    const buffers = new ReadBuffers();
    const loans = new Loans();
    const bytes = buffers.take(sliceBytes, loans);
    loans.giveBack();
    expect(buffers.freeCount).toBe(0);
    buffers.lend(bytes, loans);
    expect(buffers.freeCount).toBe(1);
  });

  test('of a reader without loans is its own for ever', () => {
    const buffers = new ReadBuffers();
    const bytes = buffers.take(sliceBytes, undefined);
    buffers.lend(bytes, undefined);
    expect(buffers.freeCount).toBe(0);
  });

  test('for little, or for more than a slice, is not kept', () => {
    const buffers = new ReadBuffers();
    for (const length of [1, 64 * 1024 - 1, sliceBytes + 1]) {
      const loans = new Loans();
      const bytes = buffers.take(length, loans);
      expect(bytes.length).toBe(length);
      buffers.lend(bytes, loans);
      loans.giveBack();
      expect(buffers.freeCount).toBe(0);
    }
  });

  test('that waits is bounded', () => {
    const buffers = new ReadBuffers();
    const all = Array.from({ length: 50 }, () => new Loans());
    for (const loans of all) buffers.lend(buffers.take(sliceBytes, loans), loans);
    for (const loans of all) loans.giveBack();
    expect(buffers.freeCount).toBe(16);
  });
});

test('a slice that is read for one who has gone does not come into the memory of another', async () => {
  const bench = await DiskBench.make();
  const fs = new FaultyFileSystem();
  const files = new RegionFiles(fs, [bench.path], 2);
  try {
    const store = await bench.open();
    await store.write(pageKey({ path: 'one' }), pageBytes(pageLength, 1));
    await store.write(pageKey({ path: 'other' }), pageBytes(pageLength, 2));
    await store.settled();
    const table = new PageTable(store.tableMemory);
    const reader = new RecordReader(files);
    const read = (path: string, loans: Loans) => {
      const place = table.find(new PageHasher().page(pageKey({ path })));
      if (!place) throw new Error(`${path} is not there`);
      return reader.read(place, keyTextOf(pageKey({ path })), 0, pageLength, loans);
    };
    // Headers are read once.
    for (const path of ['one', 'other']) {
      const loans = new Loans();
      await read(path, loans);
      loans.giveBack();
    }
    const held = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    fs.fault = (operation) => {
      if (operation !== 'read') return undefined;
      fs.fault = () => undefined;
      reached.resolve();
      return held.promise;
    };
    const gone = new Loans();
    const late = read('one', gone);
    await reached.promise;
    gone.giveBack();
    const bytes = await read('other', new Loans());
    held.resolve();
    await late;
    expect(bytes?.equals(pageBytes(pageLength, 2))).toBe(true);
  } finally {
    files.closeAll();
    await bench.close();
  }
});
