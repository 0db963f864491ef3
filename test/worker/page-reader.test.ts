import { describe, expect, test } from '@jest/globals';
import { UfsError } from '../../src/ufs/errors.ts';
import { pageKeyOf } from '../../src/worker/page-key.ts';
import { Gate } from './faulty-backend.ts';
import { turn } from './manual-clock.ts';
import { iteratorOf, pageSizeBytes, ReadingBench } from './reading.ts';

const page = pageSizeBytes;

describe('a range of one page or less', () => {
  test('is filled once and is a hit from then on', async () => {
    const bench = new ReadingBench();
    const { bytes, target } = await bench.object(3 * page);
    const cold = await bench.read(target, page + 10, page + 20);
    expect(cold).toEqual({ cache: 'miss', bytes: bytes.subarray(page + 10, page + 20) });
    const warm = await bench.read(target, page + 5, 2 * page);
    expect(warm).toEqual({ cache: 'hit', bytes: bytes.subarray(page + 5, 2 * page) });
    expect(bench.faults.reads).toEqual([{ start: page, end: 2 * page }]);
    expect(await bench.served('fill')).toBe(10);
    expect(await bench.served('hit')).toBe(page - 5);
  });

  test('that crosses a page border takes one backend read for both pages', async () => {
    const bench = new ReadingBench();
    const { bytes, target } = await bench.object(3 * page);
    const read = await bench.read(target, page - 7, page + 7);
    expect(read).toEqual({ cache: 'miss', bytes: bytes.subarray(page - 7, page + 7) });
    expect(bench.faults.reads).toEqual([{ start: 0, end: 2 * page }]);
  });

  test('is partial when one of its two pages was there', async () => {
    const bench = new ReadingBench();
    const { bytes, target } = await bench.object(2 * page + 100);
    await bench.read(target, page, page + 1);
    const read = await bench.read(target, 2 * page - 50, 2 * page + 50);
    expect(read).toEqual({ cache: 'partial', bytes: bytes.subarray(2 * page - 50, 2 * page + 50) });
    expect(bench.faults.reads[1]).toEqual({ start: 2 * page, end: 2 * page + 100 });
    expect(await bench.served('fill')).toBe(51);
    expect(await bench.served('hit')).toBe(50);
  });
});

describe('a longer range', () => {
  test('streams out of one backend read and is a hit from then on', async () => {
    const bench = new ReadingBench();
    const { bytes, target } = await bench.object(40 * page + 123);
    const cold = await bench.read(target, 100, 40 * page + 100);
    expect(cold.cache).toBe('miss');
    expect(cold.bytes.equals(bytes.subarray(100, 40 * page + 100))).toBe(true);
    expect(bench.faults.reads).toEqual([{ start: 0, end: 40 * page + 123 }]);
    await turn(2);
    const warm = await bench.read(target, 0, bytes.length);
    expect(warm.cache).toBe('hit');
    expect(warm.bytes.equals(bytes)).toBe(true);
    expect(bench.faults.reads).toHaveLength(1);
    expect(await bench.served('fill')).toBe(40 * page);
    expect(await bench.served('hit')).toBe(bytes.length);
    expect(bench.reader.usage).toMatchObject({ flights: 0, runs: 0, bytes: 0 });
  });

  test('reads each run of missing pages once and passes by what is there', async () => {
    const bench = new ReadingBench();
    const { bytes, target } = await bench.object(8 * page);
    await bench.read(target, 2 * page, 2 * page + 1);
    await bench.read(target, 5 * page, 5 * page + 1);
    const read = await bench.read(target, 0, 8 * page);
    expect(read.cache).toBe('partial');
    expect(read.bytes.equals(bytes)).toBe(true);
    expect(bench.faults.reads.slice(2)).toEqual([
      { start: 0, end: 2 * page },
      { start: 3 * page, end: 5 * page },
      { start: 6 * page, end: 8 * page },
    ]);
  });

  test('gives chunks on while their page is still being filled', async () => {
    const bench = new ReadingBench();
    const { target } = await bench.object(3 * page);
    const gate = new Gate();
    bench.faults.beforeChunk = (at) => (at === page + 2048 ? gate.pass() : undefined);
    const chunks = iteratorOf(await bench.reader.open(target, { start: 0, end: 3 * page }));
    let got = 0;
    while (got < page + 2048) got += (await chunks.next()).value.length;
    expect(got).toBe(page + 2048);
    gate.open();
    await chunks.return?.();
  });

  test('is read no further than one page ahead of its client', async () => {
    const bench = new ReadingBench();
    const { target } = await bench.object(30 * page);
    const chunks = iteratorOf(await bench.reader.open(target, { start: 0, end: 30 * page }));
    await chunks.next();
    await turn(5);
    expect(bench.faults.givenBytes).toBe(2 * page);
    await chunks.return?.();
    await turn(2);
    expect(bench.faults.openReads).toBe(0);
    expect(bench.faults.givenBytes).toBe(2 * page);
  });
});

describe('readers of one object at the same time', () => {
  async function coldReaders(bench: ReadingBench): Promise<number> {
    const { bytes, target } = await bench.object(6 * page);
    const reads = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        i % 2 === 0
          ? bench.read(target, 0, 6 * page)
          : bench.read(target, (i % 6) * page, (i % 6) * page + 100),
      ),
    );
    for (const [i, read] of reads.entries()) {
      const start = i % 2 === 0 ? 0 : (i % 6) * page;
      const end = i % 2 === 0 ? 6 * page : start + 100;
      expect(read.bytes.equals(bytes.subarray(start, end))).toBe(true);
    }
    return bench.faults.givenBytes;
  }

  test('read each page from the backend once', async () => {
    expect(await coldReaders(new ReadingBench())).toBe(6 * page);
  });

  test('planted defect: would be seen to read it more often without shared fills', async () => {
    const bench = new ReadingBench({ mutants: { separateFills: true } });
    expect(await coldReaders(bench)).toBeGreaterThan(6 * page);
  });

  test('all get the error of the fill they share, and it is not remembered', async () => {
    const bench = new ReadingBench();
    const { bytes, target } = await bench.object(page);
    const gate = new Gate();
    bench.faults.beforeChunk = async () => {
      await gate.pass();
      throw new UfsError('unavailable', 'down', { backend: 'test' });
    };
    const reads = Array.from({ length: 5 }, () => bench.read(target, 0, 10));
    gate.open();
    for (const outcome of await Promise.allSettled(reads)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { kind: 'unavailable' } });
    }
    expect(bench.faults.reads).toHaveLength(1);
    bench.faults.beforeChunk = () => undefined;
    expect((await bench.read(target, 0, 10)).bytes).toEqual(bytes.subarray(0, 10));
  });

  test('are not held up by one that does not read its answer', async () => {
    const bench = new ReadingBench({ settings: { maxFillBytes: 2 * page, maxFills: 2 } });
    const slow = await bench.object(10 * page, 'slow');
    const other = await bench.object(10 * page, 'other');
    const stuck = await Promise.all(
      Array.from({ length: 3 }, (_, i) =>
        bench.reader.open(slow.target, { start: 2 * i * page, end: 10 * page }),
      ),
    );
    const read = await bench.read(other.target, 0, 10 * page);
    expect(read.bytes.equals(other.bytes)).toBe(true);
    for (const [i, late] of stuck.entries()) {
      const chunks: Buffer[] = [];
      for await (const chunk of late.body as AsyncIterable<Buffer>) chunks.push(chunk);
      expect(Buffer.concat(chunks).equals(slow.bytes.subarray(2 * i * page))).toBe(true);
    }
    await turn(3);
    expect(bench.reader.usage).toMatchObject({ flights: 0, runs: 0, bytes: 0, waiting: 0 });
  });

  test('are told to come back when too many fills wait for memory', async () => {
    const bench = new ReadingBench({ settings: { maxFills: 1, maxQueuedFills: 2 } });
    const { target } = await bench.object(10 * page);
    const gate = new Gate();
    bench.faults.beforeChunk = gate.pass;
    const waiting = [0, 1, 2].map((i) => bench.read(target, i * page, i * page + 1));
    await turn(1);
    await expect(bench.read(target, 4 * page, 4 * page + 1)).rejects.toMatchObject({ kind: 'overloaded' });
    gate.open();
    await Promise.all(waiting);
  });
});

describe('a fill whose reader has gone', () => {
  test('is finished and kept', async () => {
    const bench = new ReadingBench();
    const { target } = await bench.object(2 * page);
    const gate = new Gate();
    bench.faults.beforeChunk = gate.pass;
    const client = new AbortController();
    const read = bench.read(target, 0, 10, client.signal);
    await turn();
    client.abort();
    await expect(read).rejects.toMatchObject({ kind: 'cancelled' });
    gate.open();
    await turn(3);
    expect(bench.store.has(pageKeyOf(target, 0))).toBe(true);
    expect((await bench.read(target, 0, 10)).cache).toBe('hit');
    expect(bench.reader.usage).toMatchObject({ flights: 0, runs: 0, bytes: 0 });
  });

  test('is not begun when it still waits for memory', async () => {
    const bench = new ReadingBench({ settings: { maxFills: 1 } });
    const { target } = await bench.object(4 * page);
    const gate = new Gate();
    bench.faults.beforeChunk = gate.pass;
    const first = bench.read(target, 0, 10);
    const client = new AbortController();
    const second = bench.read(target, 2 * page, 2 * page + 10, client.signal);
    await turn();
    client.abort();
    await expect(second).rejects.toMatchObject({ kind: 'cancelled' });
    gate.open();
    await first;
    await turn(2);
    expect(bench.faults.reads).toEqual([{ start: 0, end: page }]);
    expect(bench.reader.usage).toMatchObject({ flights: 0, runs: 0, waiting: 0 });
  });

  test('does not go on to pages that only that reader would have come to', async () => {
    const bench = new ReadingBench();
    const { target } = await bench.object(20 * page);
    const client = new AbortController();
    const chunks = iteratorOf(await bench.reader.open(target, { start: 0, end: 20 * page }, client.signal));
    await chunks.next();
    client.abort();
    await expect(chunks.next()).rejects.toMatchObject({ kind: 'cancelled' });
    await turn(3);
    expect(bench.faults.givenBytes).toBeLessThanOrEqual(2 * page);
    expect(bench.faults.openReads).toBe(0);
    expect(bench.reader.usage).toMatchObject({ flights: 0, runs: 0, bytes: 0 });
  });

  test('frees an answer that nobody began to read', async () => {
    const bench = new ReadingBench();
    const { target } = await bench.object(20 * page);
    const client = new AbortController();
    await bench.reader.open(target, { start: 0, end: 20 * page }, client.signal);
    client.abort();
    await turn(3);
    expect(bench.reader.usage).toMatchObject({ flights: 0, runs: 0, bytes: 0 });
    expect(bench.faults.openReads).toBe(0);
  });
});

describe('a backend read that lies still', () => {
  test('is given up after the idle time and taken up again by a fresh one', async () => {
    const bench = new ReadingBench();
    const { bytes, target } = await bench.object(5 * page);
    const read = await bench.reader.open(target, { start: 0, end: 5 * page });
    await turn(3);
    await bench.clock.pass(30_000);
    await turn(2);
    expect(bench.faults.openReads).toBe(0);
    const chunks: Buffer[] = [];
    for await (const chunk of read.body as AsyncIterable<Buffer>) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    expect(bench.faults.reads).toEqual([
      { start: 0, end: 5 * page },
      { start: 2 * page, end: 5 * page },
    ]);
    expect(bench.clock.sleeperCount).toBe(0);
  });

  test('may be cut by the other side without harm', async () => {
    const bench = new ReadingBench();
    const { bytes, target } = await bench.object(5 * page);
    const read = await bench.reader.open(target, { start: 0, end: 5 * page });
    await turn(3);
    let cuts = 1;
    bench.faults.beforeChunk = () => {
      if (cuts-- > 0) throw new UfsError('io', 'connection reset', { backend: 'test' });
    };
    const chunks: Buffer[] = [];
    for await (const chunk of read.body as AsyncIterable<Buffer>) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
  });
});

test('closing ends every fill, cuts readers off and refuses new ones', async () => {
  const bench = new ReadingBench();
  const { target } = await bench.object(20 * page);
  const long = iteratorOf(await bench.reader.open(target, { start: 0, end: 10 * page }));
  await long.next();
  const gate = new Gate();
  bench.faults.beforeChunk = gate.pass;
  const short = bench.read(target, 15 * page, 15 * page + 1);
  await turn();
  const closing = bench.reader.close();
  gate.open();
  await closing;
  await expect(short).rejects.toMatchObject({ kind: 'cancelled' });
  await expect(bench.read(target, 17 * page, 17 * page + 1)).rejects.toMatchObject({ kind: 'closed' });
  const rest = async () => {
    while (!(await long.next()).done);
  };
  await expect(rest()).rejects.toMatchObject({ kind: 'cancelled' });
  expect(bench.faults.openReads).toBe(0);
  expect(bench.reader.usage).toMatchObject({ runs: 0, flights: 0, bytes: 0 });
});
