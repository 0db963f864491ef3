import { describe, expect, jest, test } from '@jest/globals';
import type { ByteRange } from '../../src/common/byte-range.ts';
import { ByteText } from '../../src/common/byte-text.ts';
import type { Mutants } from '../../src/common/mutants.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { OpenedRead } from '../../src/worker/opened-read.ts';
import { pageKeyOf } from '../../src/worker/page-key.ts';
import { Gate } from './faulty-backend.ts';
import { turn } from './manual-clock.ts';
import { bytesOf, iteratorOf, pageSizeBytes, ReadingBench } from './reading.ts';

const page = pageSizeBytes;

describe('a version that moved', () => {
  test('rejects the opening of a short and of a long range', async () => {
    const bench = new ReadingBench();
    const { target } = await bench.object(5 * page);
    await bench.object(5 * page);
    await expect(bench.read(target, 0, 10)).rejects.toMatchObject({ kind: 'moved' });
    await expect(bench.reader.open(target, { start: 0, end: 5 * page })).rejects.toMatchObject({
      kind: 'moved',
    });
    expect(bench.reader.usage).toMatchObject({ flights: 0, runs: 0, bytes: 0 });
  });

  test('midway cuts the answer off where its bytes cannot be had any more', async () => {
    const bench = new ReadingBench({ pins: false });
    const { bytes, target } = await bench.object(6 * page);
    const chunks = iteratorOf(await bench.reader.open(target, { start: 0, end: 6 * page }));
    const first = (await chunks.next()).value;
    await bench.object(6 * page);
    const got = [first];
    const rest = async () => {
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) got.push(next.value);
    };
    await expect(rest()).rejects.toMatchObject({ kind: 'moved' });
    const prefix = Buffer.concat(got);
    expect(prefix.length).toBeGreaterThan(0);
    expect(prefix.equals(bytes.subarray(0, prefix.length))).toBe(true);
    await turn(2);
    expect(bench.reader.usage).toMatchObject({ flights: 0, runs: 0, bytes: 0 });
  });

  test('midway is no matter when the rest of it is held', async () => {
    const bench = new ReadingBench();
    const { bytes, target } = await bench.object(6 * page);
    for (let i = 1; i < 6; i++) await bench.read(target, i * page, i * page + 1);
    const read = await bench.reader.open(target, { start: 0, end: 6 * page });
    expect(read.cache).toBe('partial');
    await bench.object(6 * page);
    expect((await bytesOf(read)).equals(bytes)).toBe(true);
  });

  test('is no matter to one whose bytes came with its metadata, though it joined another reader', async () => {
    for (const sizeBytes of [page, 5 * page]) {
      const bench = new ReadingBench({ pins: false });
      const { bytes, target } = await bench.object(sizeBytes);
      const gate = new Gate();
      bench.faults.beforeChunk = gate.pass;
      const early = expect(bench.read(target, 0, sizeBytes)).rejects.toMatchObject({ kind: 'moved' });
      const range = { start: 0, end: sizeBytes };
      const close = jest.fn();
      const read = async function* ({ start, end }: ByteRange) {
        yield bytes.subarray(start, end);
      };
      const opened = new OpenedRead({ meta: target.meta, range, read, close });
      const late = bench.read({ ...target, opened }, 0, sizeBytes);
      await turn(2);
      await bench.object(sizeBytes);
      gate.open();
      await early;
      expect(await late).toEqual({ cache: 'bypass', bytes });
      expect(bench.faults.reads.length).toBe(1);
      expect(close).toHaveBeenCalledTimes(1);
      expect(bench.reader.usage).toMatchObject({ flights: 0, runs: 0, bytes: 0 });
    }
  });

  test('never gives bytes of two versions in one answer', async () => {
    for (let seed = 1; seed <= 80; seed++) {
      const bench = new ReadingBench({ seed, pins: seed % 2 === 0 });
      const versions = [await bench.object(6 * page), undefined];
      let countdown = bench.random.below(24);
      bench.faults.beforeChunk = async () => {
        if (countdown-- === 0) versions[1] = await bench.object(6 * page);
      };
      const first = versions[0];
      if (!first) throw new Error('unreachable');
      const got = await collected(bench, first.target, 0, 6 * page);
      expect(got.equals(first.bytes.subarray(0, got.length))).toBe(true);
    }
  });
});

/** What arrives before the answer ends or is cut. */
async function collected(
  bench: ReadingBench,
  target: Parameters<ReadingBench['read']>[0],
  start: number,
  end: number,
): Promise<Buffer> {
  const got: Buffer[] = [];
  try {
    const read = await bench.reader.open(target, { start, end });
    if (Buffer.isBuffer(read.body)) return read.body;
    if (read.body instanceof ByteText) return read.body.toBuffer();
    for await (const chunk of read.body) got.push(chunk);
  } catch (error) {
    expect(error).toBeInstanceOf(UfsError);
  }
  return Buffer.concat(got);
}

describe('a backend that gives the wrong number of bytes', () => {
  async function shortRead(mutants: Mutants): Promise<void> {
    const bench = new ReadingBench({ mutants });
    const { bytes, target } = await bench.object(page);
    bench.faults.cutBytes = 100;
    const outcome = await bench.read(target, 0, page).catch((error: unknown) => error);
    expect(outcome).toMatchObject({ kind: 'io' });
    expect(bench.store.has(pageKeyOf(target, 0))).toBe(false);
    bench.faults.cutBytes = 0;
    expect((await bench.read(target, 0, page)).bytes.equals(bytes)).toBe(true);
  }

  test('causes an error where they are too few, and nothing is kept', async () => {
    await shortRead({});
  });

  test('planted defect: would be noticed to be believed', async () => {
    await expect(shortRead({ acceptShortReads: true })).rejects.toThrow();
  });

  test('causes an error where they are too many', async () => {
    const bench = new ReadingBench();
    const { target } = await bench.object(page);
    bench.faults.cutBytes = -1;
    await expect(bench.read(target, 0, 10)).rejects.toMatchObject({ kind: 'io' });
    expect(bench.store.has(pageKeyOf(target, 0))).toBe(false);
  });
});

describe('a generation that may still change', () => {
  async function unsettled(mutants: Mutants): Promise<void> {
    const bench = new ReadingBench({ mutants });
    const { bytes, target } = await bench.object(5 * page);
    const young = { ...target, meta: { ...target.meta, generationSettled: false } };
    expect(await bench.read(young, 5, 10)).toEqual({ cache: 'bypass', bytes: bytes.subarray(5, 10) });
    const long = await bench.read(young, 7, 5 * page);
    expect(long.cache).toBe('bypass');
    expect(long.bytes.equals(bytes.subarray(7))).toBe(true);
    expect(await bench.served('bypass')).toBe(5 + 5 * page - 7);
    expect(bench.faults.reads).toEqual([
      { start: 5, end: 10 },
      { start: 7, end: 5 * page },
    ]);
    expect(bench.store.usage.pages).toBe(0);
  }

  test('is read past the cache', async () => {
    await unsettled({});
  });

  test('planted defect: would be noticed in the cache', async () => {
    await expect(unsettled({ keepUnsettledPages: true })).rejects.toThrow();
  });

  test('is checked for its length, and frees the backend when the client goes', async () => {
    const bench = new ReadingBench();
    const { target } = await bench.object(5 * page);
    const young = { ...target, meta: { ...target.meta, generationSettled: false } };
    bench.faults.cutBytes = 10;
    await expect(bench.read(young, 0, page)).rejects.toMatchObject({ kind: 'io' });
    await expect(bench.read(young, 0, 5 * page)).rejects.toMatchObject({ kind: 'io' });
    bench.faults.cutBytes = 0;
    const client = new AbortController();
    await bench.reader.open(young, { start: 0, end: 5 * page }, client.signal);
    expect(bench.faults.openReads).toBe(1);
    client.abort();
    await turn(2);
    expect(bench.faults.openReads).toBe(0);
    expect(bench.reader.usage.bytes).toBe(0);
  });
});
