import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { NodeFileSystem } from '../../../src/ufs/node-file-system.ts';
import { PageHasher } from '../../../src/worker/disk/page-hash.ts';
import { PageTable } from '../../../src/worker/disk/page-table.ts';
import {
  decodeRecordHeader,
  encodeRecordHeader,
  keyOf,
  keyTextOf,
} from '../../../src/worker/disk/record-format.ts';
import { RecordReader } from '../../../src/worker/disk/record-reader.ts';
import { RegionFiles } from '../../../src/worker/disk/region-files.ts';
import {
  decodeRegionIndex,
  encodeRegionHeader,
  type IndexRow,
  RegionIndexRows,
  regionHeaderBytes,
} from '../../../src/worker/disk/region-format.ts';
import { scanRegion } from '../../../src/worker/disk/region-scan.ts';
import { blockChecksums } from '../../../src/worker/page-format.ts';
import { pageBytes, pageKey } from '../../contracts/page-store.ts';
import { DiskBench } from '../disk-bench.ts';

const marker = Buffer.from('0123456789abcdef', 'hex');
const otherMarker = Buffer.from('fedcba9876543210', 'hex');

function record(at: number, path: string, length: number, mark = marker): Buffer {
  const page = pageBytes(length);
  const header = encodeRecordHeader(mark, at, {
    keyText: keyTextOf(pageKey({ path })),
    pageBytes: length,
    filledSeconds: 0,
    checksums: blockChecksums([page]),
  });
  return Buffer.concat([header, page]);
}

/** The paths of the records that are found in a region made of these parts. */
async function scanned(parts: readonly Buffer[]): Promise<(string | undefined)[]> {
  const path = join(tmpdir(), `forebay-region-${process.pid}`);
  const bytes = Buffer.concat([encodeRegionHeader({ region: 1, marker, queue: 'main' }), ...parts]);
  const handle = await open(path, 'w');
  await handle.writeFile(bytes);
  await handle.close();
  const file = await new NodeFileSystem().openForReading(path, 'read');
  try {
    const found: (string | undefined)[] = [];
    for await (const { header } of scanRegion(file, marker, bytes.length))
      found.push(keyOf(header.keyText)?.path);
    return found;
  } finally {
    await file.close();
    await rm(path);
  }
}

describe('a record', () => {
  test('is read as it was written, whatever its key', () => {
    const text = fc.string({ unit: 'binary', maxLength: 200 });
    const property = fc.property(
      text,
      text,
      text,
      fc.nat(),
      fc.nat(2 ** 32 - 1),
      (incarnation, path, generation, pageIndex, filledSeconds) => {
        const key = { incarnation, path, generation, pageSizeBytes: 4096, pageIndex };
        const checksums = blockChecksums([pageBytes(70_000)]);
        const keyText = keyTextOf(key);
        const bytes = encodeRecordHeader(marker, 640, {
          keyText,
          pageBytes: 70_000,
          filledSeconds,
          checksums,
        });
        const header = decodeRecordHeader(bytes, marker, 640);
        const headerBytes = bytes.length;
        expect(header).toEqual({ headerBytes, pageBytes: 70_000, keyText, filledSeconds, checksums });
        expect(headerBytes % 8).toBe(0);
        expect(keyOf(header?.keyText as Buffer)).toEqual(key);
      },
    );
    fc.assert(property, { numRuns: 200 });
  });

  test('is none at another place, of another region, or with any bit flipped', () => {
    const bytes = record(640, 'a', 100).subarray(0, -100);
    expect(decodeRecordHeader(bytes, marker, 648)).toBeUndefined();
    expect(decodeRecordHeader(bytes, otherMarker, 640)).toBeUndefined();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeRecordHeader(flipped, marker, 640)).toBeUndefined();
    }
  });

  test('of another key is not given out, though its place be given for it', async () => {
    const bench = await DiskBench.make();
    try {
      const store = await bench.open();
      await store.write(pageKey({ path: 'mine' }), pageBytes(500, 1));
      await store.write(pageKey({ path: 'large' }), pageBytes(200_000, 2));
      await store.settled();
      const files = new RegionFiles(new NodeFileSystem(), [bench.path], 2);
      const reader = new RecordReader(files);
      const table = new PageTable(store.tableMemory);
      for (const [path, seed] of [
        ['mine', 1],
        ['large', 2],
      ] as const) {
        const place = table.find(new PageHasher().page(pageKey({ path })));
        if (!place) throw new Error(`${path} is not there`);
        expect(await reader.read(place, keyTextOf(pageKey({ path })), 0, 500)).toEqual(pageBytes(500, seed));
        expect(await reader.read(place, keyTextOf(pageKey({ path: 'yours' })), 0, 500)).toBeUndefined();
      }
      files.closeAll();
    } finally {
      await bench.close();
    }
  });
});

describe('a region without an index', () => {
  const first = record(regionHeaderBytes, 'first', 1000);
  const at = regionHeaderBytes + first.length;

  test('is read record by record, small and large', async () => {
    const large = record(at, 'large', 600_000);
    const last = record(at + large.length, 'last', 10);
    expect(await scanned([first, large, last])).toEqual(['first', 'large', 'last']);
  });

  test('ends where a record is cut, damaged, or was left by another region', async () => {
    const second = record(at, 'second', 1000);
    const third = record(at + second.length, 'third', 1000);
    const damaged = Buffer.from(second);
    damaged[20] = (damaged[20] ?? 0) ^ 1;
    const foreign = record(at, 'foreign', 1000, otherMarker);
    expect(await scanned([first, second, third.subarray(0, -1)])).toEqual(['first', 'second']);
    expect(await scanned([first, damaged, third])).toEqual(['first']);
    expect(await scanned([first, foreign, third])).toEqual(['first']);
    expect(await scanned([first, Buffer.alloc(5000), third])).toEqual(['first']);
    expect(await scanned([])).toEqual([]);
  });
});

describe('the index of a region', () => {
  const rows: IndexRow[] = [0, 1, 2].map((i) => ({
    hash: [i, -1 - i, 2 ** 31 - 1, -(2 ** 31)],
    path32: -5 - i,
    incarnation: i === 1 ? 'ключ' : 'mount-1',
    folder: i === 2 ? 'папка/"b"/' : '',
    offset: 4_000_000_000 + i * 8,
    headerBytes: 64 + 8 * i,
    pageBytes: 1000 * i,
    filledSeconds: 2 ** 32 - 1 - i,
  }));
  const fileBytes = 4_100_000_000;
  const header = { region: 7, marker, queue: 'main' as const };
  const encoded = () => {
    const made = new RegionIndexRows(rows.length + 1);
    for (const row of rows) made.add(row);
    return made.encode(header, fileBytes);
  };

  test('is read as it was written', () => {
    const read = decodeRegionIndex(encoded(), header, fileBytes);
    expect(Array.from({ length: read?.rowCount ?? 0 }, (_, i) => read?.row(i))).toEqual(rows);
  });

  test('is none of another region or another length of it, and none with any bit flipped', () => {
    const bytes = encoded();
    expect(decodeRegionIndex(bytes, { ...header, region: 8 }, fileBytes)).toBeUndefined();
    expect(decodeRegionIndex(bytes, { ...header, marker: otherMarker }, fileBytes)).toBeUndefined();
    expect(decodeRegionIndex(bytes, header, fileBytes - 1)).toBeUndefined();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeRegionIndex(flipped, header, fileBytes)).toBeUndefined();
    }
  });
});
