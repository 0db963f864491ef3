import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compareUtf8 } from '../../src/common/utf8-order.ts';
import type { HdfsStatus } from '../../src/ufs/hdfs-client.ts';
import { compareStored, HdfsNames } from '../../src/ufs/hdfs-names.ts';

/** As INode.compareTo has it. */
function bySignedBytes(a: string, b: string): number {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  for (let at = 0; at < Math.min(x.length, y.length); at++) {
    const difference = x.readInt8(at) - y.readInt8(at);
    if (difference !== 0) return difference;
  }
  return x.length - y.length;
}

const character = fc.constantFrom(
  ...[
    'a',
    'b',
    'z',
    '-',
    '.',
    '\x01',
    '\x7f',
    '\x80',
    'é',
    '中',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '😀',
    '\u{10ffff}',
  ],
);
const name = fc.array(character, { minLength: 1, maxLength: 6 }).map((characters) => characters.join(''));
const file = (pathSuffix: string): HdfsStatus => ({
  type: 'FILE',
  pathSuffix,
  fileId: 1,
  length: 0,
  modificationTime: 0,
});

test('names in the order of signed bytes are given in that of unsigned ones, from any name on, whatever a page holds', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(name, { maxLength: 60 }),
      fc.oneof(
        name,
        fc.constant(''),
        name.map((one) => `${one}\0`),
      ),
      fc.integer({ min: 1, max: 20 }),
      async (names, from, pageSize) => {
        const stored = [...names].sort(bySignedBytes);
        const sorted = new HdfsNames(async (after) => {
          const rest = after === undefined ? stored : stored.filter((one) => bySignedBytes(one, after) > 0);
          return { entries: rest.slice(0, pageSize).map(file), hasMore: rest.length > pageSize };
        }, from);
        const given: string[] = [];
        for (let entry = await sorted.next(); entry; entry = await sorted.next())
          given.push(entry.pathSuffix);
        const wanted = names.filter((one) => compareUtf8(one, from) >= 0).sort(compareUtf8);
        expect(given).toEqual(wanted);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('a directory of ASCII names is read once from its beginning to its end', async () => {
  const stored = Array.from({ length: 10_000 }, (_, i) => `part-${String(i).padStart(5, '0')}.parquet`);
  let pages = 0;
  const sorted = new HdfsNames(async (after) => {
    pages++;
    const start = after === undefined ? 0 : stored.findIndex((one) => one > after);
    const entries = start < 0 ? [] : stored.slice(start, start + 1_000).map(file);
    return { entries, hasMore: start >= 0 && start + 1_000 < stored.length };
  }, '');
  let count = 0;
  while (await sorted.next()) count++;
  expect([count, pages]).toEqual([10_000, 10]);
});

test('names are compared as the storage does', () => {
  fc.assert(
    fc.property(name, name, (a, b) => {
      expect(Math.sign(compareStored(a, b))).toBe(Math.sign(bySignedBytes(a, b)));
    }),
  );
});
