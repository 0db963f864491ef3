import { describe, expect, test } from '@jest/globals';
import { UfsError } from '../../src/ufs/errors.ts';
import { pageKeyOf } from '../../src/worker/page-key.ts';
import type { ReadTarget } from '../../src/worker/reader.ts';
import { Gate } from './faulty-backend.ts';
import { turn } from './manual-clock.ts';
import { iteratorOf, pageSizeBytes, ReadingBench } from './reading.ts';

const page = pageSizeBytes;
const settings = { readAheadPages: 4, maxFillBytes: 64 * page, maxFills: 64 };
const idle = { flights: 0, runs: 0, bytes: 0, pages: 0, waiting: 0 };

async function pagesAhead(bench: ReadingBench, result: string): Promise<number> {
  const metric = await bench.metrics.readAheadPages.get();
  return metric.values.find((value) => value.labels.result === result)?.value ?? 0;
}

function heldPages(bench: ReadingBench, target: ReadTarget): number[] {
  const count = Math.ceil(target.meta.sizeBytes / page);
  return Array.from({ length: count }, (_, i) => i).filter((i) => bench.store.has(pageKeyOf(target, i)));
}

/** Asks for the object's first `count` pages one by one, each when what the last one set going has ended. */
async function readPages(bench: ReadingBench, target: ReadTarget, count: number): Promise<string[]> {
  const caches: string[] = [];
  for (let i = 0; i < count; i++) {
    caches.push((await bench.read(target, i * page, (i + 1) * page)).cache);
    await turn(10);
  }
  return caches;
}

describe('ahead of a reader within one answer', () => {
  async function reader(options: ConstructorParameters<typeof ReadingBench>[0] = {}) {
    const bench = new ReadingBench({ settings, ...options });
    const { bytes, target } = await bench.object(40 * page);
    const client = new AbortController();
    const read = await bench.reader.open(target, { start: 0, end: 40 * page }, client.signal);
    const chunks = iteratorOf(read);
    let got = 0;
    const readUntil = async (end: number) => {
      while (got < end) {
        const { value } = await chunks.next();
        expect(value.equals(bytes.subarray(got, got + value.length))).toBe(true);
        got += value.length;
      }
      await turn(10);
      return bench.faults.givenBytes / page;
    };
    return { bench, target, client, chunks, readUntil };
  }

  test('more is filled with each page that it comes to, up to the bound', async () => {
    const { bench, readUntil, chunks } = await reader();
    const filled = [];
    for (const at of [0.5, 1.5, 2.5, 3.5, 4.5]) filled.push(await readUntil(at * page));
    expect(filled).toEqual([2, 4, 7, 8, 9]);
    await readUntil(40 * page);
    await chunks.return?.();
    await turn(3);
    expect(bench.faults.reads).toEqual([{ start: 0, end: 40 * page }]);
    expect(bench.reader.usage).toEqual(idle);
    expect(await bench.served('fill')).toBe(40 * page);
    expect(await bench.served('hit')).toBe(0);
    expect(await pagesAhead(bench, 'used')).toBe(await pagesAhead(bench, 'asked'));
  });

  test('nothing more is begun after it has gone', async () => {
    const { bench, client, readUntil } = await reader();
    await readUntil(2.5 * page);
    const gate = new Gate();
    bench.faults.beforeChunk = gate.pass;
    const before = bench.faults.givenBytes;
    await readUntil(4.5 * page);
    client.abort();
    gate.open();
    await turn(10);
    expect(bench.faults.givenBytes - before).toBeLessThanOrEqual(page);
    expect(bench.faults.openReads).toBe(0);
    expect(bench.reader.usage).toEqual(idle);
    expect(await pagesAhead(bench, 'unused')).toBeGreaterThan(0);
  });

  test('memory is taken from half of what there is for fills, and given up to those who wait', async () => {
    const { bench, readUntil } = await reader({
      settings: { readAheadPages: 30, maxFillBytes: 8 * page, maxFills: 64 },
    });
    await readUntil(6.5 * page);
    expect(bench.reader.usage.bytes).toBeLessThanOrEqual(5 * page);
    const others = await bench.object(8 * page, 'other');
    const reads = Array.from({ length: 8 }, (_, i) => bench.read(others.target, i * page, i * page + 1));
    for (const read of await Promise.all(reads)) expect(read.cache).toBe('miss');
    await readUntil(40 * page);
  });

  test('pages that are there are not asked for', async () => {
    const bench = new ReadingBench({ settings });
    const { bytes, target } = await bench.object(12 * page);
    for (const i of [3, 4, 7]) await bench.read(target, i * page, i * page + 1);
    const { bytes: got } = await bench.read(target, 0, 12 * page);
    expect(got.equals(bytes)).toBe(true);
    expect(bench.faults.givenBytes).toBe(12 * page);
  });
});

describe('ahead of a reader that asks range by range', () => {
  test('pages are filled that it then finds', async () => {
    const bench = new ReadingBench({ settings });
    const { target } = await bench.object(12 * page);
    expect(await readPages(bench, target, 12)).toEqual(['miss', 'miss', ...Array(10).fill('hit')]);
    expect(bench.faults.givenBytes).toBe(12 * page);
    expect(await bench.served('fill')).toBe(2 * page);
    expect(await bench.served('hit')).toBe(10 * page);
    expect(await pagesAhead(bench, 'used')).toBe(10);
    await turn(3);
    expect(bench.reader.usage).toEqual(idle);
    expect(bench.clock.sleeperCount).toBe(0);
  });

  test('as many as it has earned are filled, and not before it has gone on once', async () => {
    const bench = new ReadingBench({ settings });
    const { target } = await bench.object(40 * page);
    const held = [];
    for (const i of [0, 1, 2, 3, 4]) {
      await bench.read(target, i * page, (i + 1) * page);
      await turn(10);
      held.push(heldPages(bench, target).length);
    }
    expect(held).toEqual([1, 3, 5, 8, 9]);
  });

  test('they follow long ranges too, when the last page of one is being read', async () => {
    const bench = new ReadingBench({ settings });
    const { bytes, target } = await bench.object(20 * page);
    for (const [start, end] of [
      [0, 5 * page - 10],
      [5 * page - 10, 10 * page],
    ] as const) {
      const read = await bench.read(target, start, end);
      expect(read.bytes.equals(bytes.subarray(start, end))).toBe(true);
      await turn(10);
    }
    expect(heldPages(bench, target)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test('nothing is asked for beyond the end of the object', async () => {
    const bench = new ReadingBench({ settings });
    const { bytes, target } = await bench.object(5 * page + 17);
    await readPages(bench, target, 5);
    const last = await bench.read(target, 5 * page, 5 * page + 17);
    expect(last).toEqual({ cache: 'hit', bytes: bytes.subarray(5 * page) });
    for (const { start, end } of bench.faults.reads) {
      expect(start).toBeLessThan(end);
      expect(end).toBeLessThanOrEqual(bytes.length);
    }
    expect(await pagesAhead(bench, 'asked')).toBe(4);
    expect(bench.faults.givenBytes).toBe(bytes.length);
  });

  test('nothing is filled for a reader that jumps about', async () => {
    const bench = new ReadingBench({ settings });
    const { target } = await bench.object(40 * page);
    for (const i of [0, 7, 3, 20, 11, 30]) await bench.read(target, i * page, i * page + 100);
    await turn(10);
    expect(heldPages(bench, target)).toEqual([0, 3, 7, 11, 20, 30]);
  });

  test('a seek begins small again', async () => {
    const bench = new ReadingBench({ settings });
    const { target } = await bench.object(60 * page);
    await readPages(bench, target, 6);
    await bench.read(target, 40 * page, 41 * page);
    await bench.read(target, 41 * page, 42 * page);
    await turn(10);
    expect(heldPages(bench, target).filter((i) => i >= 40)).toEqual([40, 41, 42]);
  });

  test.each(['bypass', 'refuse'] as const)('nothing is filled for one that asked for %s', async (missing) => {
    const bench = new ReadingBench({ settings });
    const { target } = await bench.object(12 * page);
    for (const i of [0, 1]) await bench.read(target, i * page, (i + 1) * page);
    await turn(10);
    const before = bench.faults.reads.length;
    for (const i of [0, 1, 2, 3, 4, 5]) {
      const range = { start: i * page, end: (i + 1) * page };
      await bench.reader.open(target, range, undefined, missing).catch(() => undefined);
    }
    await turn(10);
    expect(heldPages(bench, target)).toEqual([0, 1, 2]);
    expect(bench.faults.reads.length - before).toBe(missing === 'bypass' ? 3 : 0);
  });

  test('nothing is filled of a generation that may still change', async () => {
    const bench = new ReadingBench({ settings });
    const { target } = await bench.object(12 * page);
    const young = { ...target, meta: { ...target.meta, generationSettled: false } };
    await readPages(bench, young, 4);
    expect(bench.faults.givenBytes).toBe(4 * page);
  });

  test('nothing is filled again and again where the store keeps nothing', async () => {
    const bench = new ReadingBench({ settings, capacityBytes: 0 });
    const { bytes, target } = await bench.object(20 * page);
    let given = 0;
    for (let i = 0; i < 20; i++) {
      const read = await bench.read(target, i * page, i * page + page);
      expect(read.bytes.equals(bytes.subarray(i * page, i * page + page))).toBe(true);
      await turn(10);
      given = bench.faults.givenBytes;
    }
    expect(given).toBeLessThanOrEqual(24 * page);
  });

  test('an error of the backend ends it, and readers come to their own', async () => {
    const bench = new ReadingBench({ settings });
    const { bytes, target } = await bench.object(12 * page);
    bench.faults.beforeChunk = (at) => {
      if (at >= 2 * page) throw new UfsError('unavailable', 'down', { backend: 'test' });
    };
    await readPages(bench, target, 2);
    bench.faults.beforeChunk = () => undefined;
    const read = await bench.read(target, 2 * page, 3 * page);
    expect(read).toEqual({ cache: 'miss', bytes: bytes.subarray(2 * page, 3 * page) });
    await turn(10);
    expect(heldPages(bench, target)).toEqual([0, 1, 2]);
  });
});

describe('what is on its way ahead of a reader', () => {
  /** Pages 4 to 7 are asked for, of which the first is being filled. */
  async function underWay() {
    const bench = new ReadingBench({ settings });
    const { target } = await bench.object(40 * page);
    await readPages(bench, target, 3);
    const gate = new Gate();
    bench.faults.beforeChunk = gate.pass;
    const before = bench.faults.givenBytes;
    await bench.read(target, 3 * page, 4 * page);
    await turn(10);
    const asked = await pagesAhead(bench, 'asked');
    return { bench, target, gate, before, asked };
  }

  test('is joined by the reader when it comes', async () => {
    const { bench, target, gate } = await underWay();
    const read = bench.read(target, 5 * page, 6 * page);
    gate.open();
    await read;
    await turn(10);
    expect(bench.faults.givenBytes).toBe(8 * page);
  });

  test('is given up when the reader asks no more, but for what was begun', async () => {
    const { bench, target, gate, before } = await underWay();
    expect(bench.clock.sleeperCount).toBe(1);
    await bench.clock.pass(4_999);
    expect(bench.reader.usage.flights).toBeGreaterThan(1);
    await bench.clock.pass(1);
    gate.open();
    await turn(10);
    expect(bench.faults.givenBytes - before).toBe(page);
    expect(heldPages(bench, target)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(bench.reader.usage).toEqual(idle);
    expect(bench.clock.sleeperCount).toBe(0);
  });

  test('is given up when the version has moved, but for what was begun', async () => {
    const { bench, target, gate, before } = await underWay();
    bench.reader.heardOfVersion(target, target.meta.generation);
    expect(bench.reader.usage.flights).toBeGreaterThan(1);
    bench.reader.heardOfVersion(target, 'another');
    gate.open();
    await turn(10);
    expect(bench.faults.givenBytes - before).toBe(page);
    expect(heldPages(bench, target)).toEqual([]);
    expect(bench.reader.usage).toEqual(idle);
    expect(bench.clock.sleeperCount).toBe(0);
  });

  test('is given up when the reader goes away in the middle of an answer', async () => {
    const { bench, target, gate, before } = await underWay();
    const client = new AbortController();
    const opening = bench.reader.open(target, { start: 4 * page, end: 12 * page }, client.signal);
    client.abort();
    await expect(opening).rejects.toMatchObject({ kind: 'cancelled' });
    gate.open();
    await turn(10);
    expect(bench.faults.givenBytes - before).toBeLessThanOrEqual(2 * page);
    expect(bench.reader.usage).toEqual(idle);
  });

  test('is given up when the worker closes', async () => {
    const { bench, gate } = await underWay();
    const closing = bench.reader.close();
    gate.open();
    await closing;
    expect(bench.reader.usage).toEqual(idle);
    expect(bench.clock.sleeperCount).toBe(0);
  });

  test('is followed on after an answer that took longer than a reader may be silent, and is given up then too', async () => {
    const bench = new ReadingBench({ settings });
    const { target } = await bench.object(40 * page);
    await bench.read(target, 0, page);
    const read = await bench.reader.open(target, { start: page, end: 6 * page });
    const chunks = iteratorOf(read);
    await chunks.next();
    await bench.clock.pass(10_000);
    // Somebody else comes meanwhile, and those who were silent are looked for.
    const other = await bench.object(2 * page, 'other');
    await bench.read(other.target, 0, page);
    for (let next = await chunks.next(); !next.done; next = await chunks.next());
    await turn(10);
    expect(await pagesAhead(bench, 'asked')).toBeGreaterThan(0);
    expect((await bench.read(target, 6 * page, 7 * page)).cache).toBe('hit');
    await turn(10);
    await bench.clock.pass(5_000);
    await turn(10);
    expect(bench.reader.usage).toEqual(idle);
    expect(bench.clock.sleeperCount).toBe(0);
  });

  test('is given up for both of two readers that came to one place with as much ahead of them', async () => {
    const bench = new ReadingBench({ settings });
    const { target } = await bench.object(40 * page);
    await bench.read(target, 0, page);
    await bench.read(target, 4 * page - 10, 4 * page);
    const one = iteratorOf(await bench.reader.open(target, { start: page, end: 8 * page }));
    const two = iteratorOf(await bench.reader.open(target, { start: 4 * page, end: 8 * page }));
    for (const chunks of [one, two]) {
      for (let next = await chunks.next(); !next.done; next = await chunks.next());
    }
    await turn(10);
    expect(heldPages(bench, target)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    await bench.clock.pass(5_000);
    await turn(10);
    expect(bench.reader.usage).toEqual(idle);
    expect(bench.clock.sleeperCount).toBe(0);
  });
});
