import { describe, expect, test } from '@jest/globals';
import { put } from '../contracts/backend.ts';
import { someBytes } from '../support/upload-body.ts';
import { pageSizeBytes, ReadingBench } from './reading.ts';

const plainAt = (bench: ReadingBench) => ({
  backend: bench.backend,
  mount: 'm',
  incarnation: 'i',
  path: 'k',
  pageSizeBytes,
});

/** Hands bytes over in pieces of a size that fits no page. */
function addAll(intake: { add(chunk: Buffer): void }, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at += 1_500) intake.add(bytes.subarray(at, at + 1_500));
}

describe('pages of an object that is being written', () => {
  test('are kept as far as there is memory that nobody waits for, and no further', async () => {
    const bench = new ReadingBench();
    const bytes = someBytes(20 * pageSizeBytes + 17, 1);
    const meta = await put(bench.inner, 'k', bytes);
    const intake = bench.reader.takeIn(plainAt(bench), bytes.length);
    addAll(intake as NonNullable<typeof intake>, bytes);
    const { maxFillBytes } = { maxFillBytes: 16 * pageSizeBytes };
    expect(bench.reader.usage.bytes).toBeLessThanOrEqual(maxFillBytes / 2);
    await intake?.keep(meta);
    expect(bench.reader.usage.bytes).toBe(0);
    expect(bench.store.usage.pages).toBe(8);
    const { body } = await bench.reader.open(
      { ...plainAt(bench), meta },
      { start: 0, end: 8 * pageSizeBytes },
    );
    const chunks: Buffer[] = [];
    for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(Buffer.from(chunk));
    expect(Buffer.concat(chunks).equals(bytes.subarray(0, 8 * pageSizeBytes))).toBe(true);
    expect(bench.faults.reads).toEqual([]);
  });

  test('give their memory back when they come to nothing', async () => {
    const bench = new ReadingBench();
    const intake = bench.reader.takeIn(plainAt(bench), 5_000);
    addAll(intake as NonNullable<typeof intake>, someBytes(3_000));
    expect(bench.reader.usage.bytes).toBeGreaterThan(0);
    intake?.drop();
    expect(bench.reader.usage.bytes).toBe(0);
    expect(bench.store.usage.pages).toBe(0);
  });

  test('are none of a version that may still change, of another length, or that did not come whole', async () => {
    const bytes = someBytes(2 * pageSizeBytes, 3);
    for (const [change, count] of [
      [{ generationSettled: false }, 0],
      [{ sizeBytes: bytes.length + 1 }, 0],
      [{}, 1],
    ] as const) {
      const bench = new ReadingBench();
      const meta = { ...(await put(bench.inner, 'k', bytes)), ...change };
      const intake = bench.reader.takeIn(plainAt(bench), bytes.length);
      intake?.add(bytes.subarray(0, pageSizeBytes + 10));
      await intake?.keep(meta);
      expect(bench.store.usage.pages).toBe(count);
    }
  });

  test('give way to readers who wait for memory', async () => {
    const bench = new ReadingBench();
    const other = someBytes(16 * pageSizeBytes, 5);
    const meta = await put(bench.inner, 'other', other);
    const intake = bench.reader.takeIn(plainAt(bench), 8 * pageSizeBytes);
    addAll(intake as NonNullable<typeof intake>, someBytes(8 * pageSizeBytes - 5, 6));
    expect(bench.reader.usage.bytes).toBe(8 * pageSizeBytes);
    const reads = Array.from({ length: 12 }, (_, page) => {
      const start = page * pageSizeBytes;
      return bench.reader.open({ ...plainAt(bench), path: 'other', meta }, { start, end: start + 10 });
    });
    await Promise.all(reads);
    await intake?.keep(meta);
    expect(bench.store.hasSome('i', 'k')).toBe(false);
  });
});
