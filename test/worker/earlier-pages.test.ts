import { describe, expect, test } from '@jest/globals';
import type { ByteRange } from '../../src/common/byte-range.ts';
import { openHeld } from '../../src/worker/held-pages.ts';
import { pageKeyOf } from '../../src/worker/page-key.ts';
import type { EarlierPages, ReadTarget } from '../../src/worker/reader.ts';
import { ServedBytes } from '../../src/worker/served-bytes.ts';
import { bytesOf, pageSizeBytes as page, ReadingBench } from './reading.ts';

type Way = 'ends' | 'rejects' | 'sends too much';

/** Whoever kept the pages before: gives the bytes before `until`, in pieces, and goes wrong in some way there. */
class Earlier implements EarlierPages {
  readonly asked: ByteRange[] = [];
  private readonly bytes: Buffer;
  private readonly until: number;
  private readonly way: Way;

  constructor(bytes: Buffer, until: number, way: Way) {
    this.bytes = bytes;
    this.until = until;
    this.way = way;
  }

  async *read(_target: ReadTarget, range: ByteRange): AsyncGenerator<Buffer> {
    this.asked.push(range);
    const end = Math.min(range.end, this.until);
    for (let at = range.start; at < end; at += 1_000)
      yield this.bytes.subarray(at, Math.min(end, at + 1_000));
    if (range.end <= this.until) return;
    if (this.way === 'rejects') throw new Error('gone');
    if (this.way === 'sends too much') yield Buffer.alloc(2 * page);
  }
}

const sizeBytes = 5 * page + 777;
/** Ahead of everything, within the first page, where pages end, within others, and behind the end. */
const stops = [0, 1_500, page, page + 1, 3 * page, 4 * page + 100, 5 * page, 5 * page + 776, sizeBytes];
const statusOf = (wholePages: number, isAll: boolean) =>
  isAll ? 'hit' : wholePages > 0 ? 'partial' : 'miss';
const cases = stops.flatMap((until) =>
  (['ends', 'rejects', 'sends too much'] as const).map((way) => ({ until, way })),
);

describe('pages that somebody kept before', () => {
  for (const wholeBytes of [page, 8 * page]) {
    test.each(cases)(
      `are taken from there up to byte $until, where it $way, and the rest is one read of the backend (whole up to ${wholeBytes})`,
      async ({ until, way }) => {
        const bench = new ReadingBench({ settings: { wholeBytes } });
        const { bytes, target } = await bench.object(sizeBytes);
        const earlier = new Earlier(bytes, until, way);
        const read = await bench.read({ ...target, earlier }, 0, sizeBytes);
        expect(read.bytes.equals(bytes)).toBe(true);
        expect([await bench.served('peer'), await bench.served('fill')]).toEqual([until, sizeBytes - until]);
        expect(bench.faults.givenBytes).toBe(sizeBytes - until);
        expect(bench.faults.reads.length).toBe(until < sizeBytes ? 1 : 0);
        expect(earlier.asked.length).toBe(Math.min(6, Math.floor(until / page) + 1));
        // Of a long answer no more is known when it begins than where its first page comes from.
        const isTold = wholeBytes > page || until === 0;
        if (isTold) expect(read.cache).toBe(statusOf(Math.floor(until / page), until === sizeBytes));
        else if (until >= page) expect(read.cache).toBe('partial');

        const again = await bench.read({ ...target, earlier }, 0, sizeBytes);
        expect([again.cache, again.bytes.equals(bytes)]).toEqual(['hit', true]);
        expect(await bench.served('hit')).toBe(sizeBytes);
        expect(earlier.asked.length).toBe(Math.min(6, Math.floor(until / page) + 1));
      },
    );
  }

  test('are asked for once, however many read them, and count as given to each', async () => {
    const bench = new ReadingBench();
    const { bytes, target } = await bench.object(page);
    const earlier = new Earlier(bytes, page, 'ends');
    const reads = await Promise.all([1, 2, 3].map(() => bench.read({ ...target, earlier }, 100, 300)));
    for (const read of reads)
      expect([read.cache, read.bytes.equals(bytes.subarray(100, 300))]).toEqual(['hit', true]);
    expect(earlier.asked).toEqual([{ start: 0, end: page }]);
    expect([await bench.served('peer'), await bench.served('fill')]).toEqual([600, 0]);
  });

  test('are not asked for by who keeps nothing, or accepts only what is here', async () => {
    const bench = new ReadingBench();
    const { bytes, target } = await bench.object(3 * page);
    const earlier = new Earlier(bytes, 3 * page, 'ends');
    const range = { start: 0, end: 3 * page };
    const past = await bench.reader.open({ ...target, earlier }, range, undefined, 'bypass');
    expect((await bytesOf(past)).equals(bytes)).toBe(true);
    await expect(bench.reader.open({ ...target, earlier }, range, undefined, 'refuse')).rejects.toThrow();
    expect(earlier.asked).toEqual([]);
  });
});

describe('what a store holds, for another node', () => {
  const served = (bench: ReadingBench) => new ServedBytes(bench.metrics, 'peers');

  test('is given if all of it is there, and the backend is not asked otherwise', async () => {
    const bench = new ReadingBench();
    const { bytes, target } = await bench.object(sizeBytes);
    await bench.read(target, 0, 2 * page);
    const reads = bench.faults.reads.length;
    for (const [start, end] of [
      [0, page],
      [page, 2 * page],
      [100, page + 100],
    ] as const) {
      const body = await bench.reader.openHeld({ ...target, served: served(bench) }, { start, end });
      if (!body) throw new Error('it is held');
      expect((await bytesOf({ cache: 'hit', body })).equals(bytes.subarray(start, end))).toBe(true);
    }
    for (const [start, end] of [
      [2 * page, 3 * page],
      [page, 3 * page],
      [5 * page, sizeBytes],
    ] as const)
      expect(await bench.reader.openHeld(target, { start, end })).toBeUndefined();
    expect(bench.faults.reads.length).toBe(reads);
    expect((await bench.metrics.peerBytes.get()).values.map(({ value }) => value)).toEqual([3 * page]);
  });

  test('breaks off where a page goes while it is given', async () => {
    const bench = new ReadingBench();
    const { target } = await bench.object(2 * page);
    await bench.read(target, 0, 2 * page);
    const body = await openHeld(bench.store, target, { start: 0, end: 2 * page }, 1024, served(bench));
    const chunks = body?.[Symbol.asyncIterator]();
    await chunks?.next();
    await bench.store.remove(target.incarnation, target.path);
    expect(bench.store.has(pageKeyOf(target, 0))).toBe(false);
    await expect(chunks?.next()).rejects.toMatchObject({ kind: 'not-cached' });
  });
});
