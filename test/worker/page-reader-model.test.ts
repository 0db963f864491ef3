import { open } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { ByteText } from '../../src/common/byte-text.ts';
import type { Mutants } from '../../src/common/mutants.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { MemoryPageStore } from '../../src/worker/memory-page-store.ts';
import type { PageStore } from '../../src/worker/page-store.ts';
import type { ReadTarget } from '../../src/worker/reader.ts';
import { TieredPageStore } from '../../src/worker/tiered-page-store.ts';
import { DiskBench } from './disk-bench.ts';
import { turn } from './manual-clock.ts';
import { pageSizeBytes, ReadingBench } from './reading.ts';
import { SeededRandom } from './seeded.ts';

interface Reference {
  readonly bytes: Buffer;
  readonly target: ReadTarget;
}

/**
 * Many readers of random ranges, some of which go away, over a store too small for the objects and a budget too small
 * for the readers: every byte handed out is the object's, and nothing is left behind.
 */
async function campaign(seed: number, mutants: Mutants, store?: PageStore): Promise<void> {
  const capacityPages = seed % 3 === 0 ? 0 : 8;
  const bench = new ReadingBench({
    seed,
    capacityBytes: capacityPages * pageSizeBytes,
    settings: {
      maxFillBytes: (seed % 2 === 0 ? 3 : 12) * pageSizeBytes,
      maxFills: seed % 2 === 0 ? 3 : 12,
      maxQueuedFills: 1000,
      readAheadPages: seed % 4,
    },
    mutants,
    store,
  });
  const objects: Reference[] = [];
  for (const [i, size] of [1, pageSizeBytes, 5 * pageSizeBytes + 1, 20 * pageSizeBytes - 3].entries()) {
    objects.push(await bench.object(size, `object-${i}`));
  }
  bench.faults.chunkBytes = 1500;
  bench.faults.beforeChunk = async () => {
    if (bench.random.next() < 0.3) await turn();
    if (bench.random.next() < 0.01) throw new UfsError('io', 'planned', { backend: 'test' });
  };
  let ended = false;
  const readers = Array.from({ length: 12 }, async () => {
    for (let i = 0; i < 6; i++) await readSome(bench, objects);
  });
  await Promise.race([Promise.all(readers), stall(bench, () => ended)]);
  ended = true;
  await turn(5);
  // What was filled ahead is kept for readers that may yet go on.
  await bench.clock.pass(5_000);
  await turn(5);
  // What is still being written to a disk holds its memory until then.
  const patienceMs = performance.now() + 30_000;
  while (bench.reader.usage.bytes > 0 && performance.now() < patienceMs) await turn(10);
  expect(bench.reader.usage).toEqual({ flights: 0, runs: 0, bytes: 0, pages: 0, waiting: 0 });
  expect(bench.faults.openReads).toBe(0);
  expect(bench.clock.sleeperCount).toBe(0);
  const sources = await Promise.all(['hit', 'fill', 'bypass'].map((source) => bench.served(source)));
  expect(sources.reduce((sum, bytes) => sum + bytes, 0)).toBe(handedOut.get(bench) ?? 0);
}

/** A small disk under a smaller memory, whose files are damaged again and again until `ended`. */
async function overDamagedDisk(seed: number, mutants: Mutants): Promise<void> {
  const bench = await DiskBench.make();
  try {
    const disk = await bench.open({ capacityBytes: 30_000 + 12 * pageSizeBytes, maxOpenFiles: 3, mutants });
    const memory = new MemoryPageStore(bench.metrics, { capacityBytes: 10_000, maxPageBytes: 4096 });
    const random = new SeededRandom(seed);
    let ended = false;
    const damage = async () => {
      while (!ended) {
        for (const path of await bench.regions()) {
          if (random.next() < 0.5) continue;
          await flipBit(path, random).catch(() => undefined); // Evicted meanwhile.
        }
        await turn(3);
      }
    };
    const damaging = damage();
    try {
      await campaign(seed, {}, new TieredPageStore(memory, disk, { promoteBytes: 2000 }));
    } finally {
      ended = true;
      await damaging;
    }
    if (!mutants.skipPageChecksum) expect(await bench.errors('checksum')).toBeGreaterThan(0);
  } finally {
    await bench.close();
  }
}

async function flipBit(path: string, random: SeededRandom): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const at = random.below(size);
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ (1 << random.below(8));
    await file.write(byte, 0, 1, at);
  } finally {
    await file.close();
  }
}

/** Rejects when nothing was handed out for two seconds, in which even a busy machine gets something done. */
async function stall(bench: ReadingBench, ended: () => boolean): Promise<void> {
  let before = -1;
  let sinceMs = Date.now();
  while (!ended()) {
    const now = handedOut.get(bench) ?? 0;
    if (now !== before) sinceMs = Date.now();
    else if (Date.now() - sinceMs > 2000) throw new Error('the readers came to a stand');
    before = now;
    await turn(100);
  }
}

const handedOut = new WeakMap<ReadingBench, number>();

/** A range, or an object range by range in order. */
async function readSome(bench: ReadingBench, objects: readonly Reference[]): Promise<void> {
  const { bytes, target } = objects[bench.random.below(objects.length)] as Reference;
  if (bench.random.next() < 0.8) {
    const start = bench.random.below(bytes.length);
    const end = start + 1 + bench.random.below(bytes.length - start);
    return readRange(bench, { bytes, target }, start, end);
  }
  const step = pageSizeBytes / 2 + bench.random.below(3 * pageSizeBytes);
  for (let start = 0; start < bytes.length; start += step) {
    await readRange(bench, { bytes, target }, start, Math.min(bytes.length, start + step));
    if (bench.random.next() < 0.3) await turn(3);
  }
}

async function readRange(
  bench: ReadingBench,
  { bytes, target }: Reference,
  start: number,
  end: number,
): Promise<void> {
  const client = new AbortController();
  let leaveAfter = bench.random.next() < 0.3 ? bench.random.below(8) : -1;
  let at = start;
  const take = (chunk: Buffer) => {
    handedOut.set(bench, (handedOut.get(bench) ?? 0) + chunk.length);
    expect(chunk.equals(bytes.subarray(at, at + chunk.length))).toBe(true);
    at += chunk.length;
  };
  if (leaveAfter === 0) void turn().then(() => client.abort());
  try {
    const { body } = await bench.reader.open(target, { start, end }, client.signal);
    if (Buffer.isBuffer(body)) {
      take(body);
    } else if (body instanceof ByteText) {
      take(body.toBuffer());
    } else {
      for await (const chunk of body) {
        take(chunk);
        if (bench.random.next() < 0.2) await turn(bench.random.below(4));
        if (--leaveAfter === 0) bench.random.next() < 0.5 ? client.abort() : undefined;
        if (leaveAfter === 0 && !client.signal.aborted) return;
      }
    }
    expect(at).toBe(end);
  } catch (error) {
    if (!(error instanceof UfsError)) throw error;
    expect(error.kind).toBe(error.kind === 'cancelled' && client.signal.aborted ? 'cancelled' : 'io');
  }
}

describe('random readers against the plain bytes', () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
    test(`find every byte right and leave nothing behind (seed ${seed})`, async () => {
      await campaign(seed, {});
    });
  }

  for (const seed of [10, 11]) {
    test(`find every byte right over a disk whose files are damaged all the time (seed ${seed})`, async () => {
      await overDamagedDisk(seed, {});
    });
  }

  test('planted defect: notice damage that no checksum was compared for', async () => {
    const wrong = [];
    for (const seed of [10, 11, 12, 13]) {
      wrong.push(
        await overDamagedDisk(seed, { skipPageChecksum: true }).then(
          () => 0,
          () => 1,
        ),
      );
    }
    expect(wrong).toContain(1);
  });

  test('planted defect: notice a fill that keeps its memory', async () => {
    await expect(campaign(1, { leakFlights: true })).rejects.toThrow(/came to a stand/);
  });
});
