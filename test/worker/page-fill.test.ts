import { describe, expect, test } from '@jest/globals';
import { DeadPages } from '../../src/worker/dead-pages.ts';
import { PageFills } from '../../src/worker/page-fill.ts';
import { Gate } from './faulty-backend.ts';
import { turn } from './manual-clock.ts';
import { pageSizeBytes as page, ReadingBench } from './reading.ts';

async function fillsOf(maxFills: number) {
  const bench = new ReadingBench();
  const { bytes, target } = await bench.object(8 * page);
  const fills = new PageFills(bench.clock, bench.metrics, bench.store, new DeadPages(bench.store), {
    maxFillBytes: 16 * page,
    maxFills,
    maxQueuedFills: 16,
    idleRunMs: 30_000,
    mutants: {},
  });
  const join = (index: number, end: number) => {
    const flight = fills.demand(target, index, end);
    flight.join();
    return flight;
  };
  return { bench, bytes, fills, join };
}

/** Lets `count` steps of promises happen, and nothing else. */
async function steps(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

const idle = { flights: 0, runs: 0, bytes: 0, pages: 0, waiting: 0 };

describe('a page that its only reader left while it waited for memory', () => {
  test('is not there for another reader, who begins it anew', async () => {
    const { bench, bytes, fills, join } = await fillsOf(1);
    const gate = new Gate();
    bench.faults.beforeChunk = gate.pass;
    const first = join(0, 1);
    await turn();
    const given = join(2, 3);
    await turn();
    given.leave();
    expect(fills.find(given.name)).toBeUndefined();
    const again = join(2, 3);
    gate.open();
    expect(Buffer.concat(await again.whole()).equals(bytes.subarray(2 * page, 3 * page))).toBe(true);
    first.leave();
    again.leave();
    await turn(3);
    expect(fills.usage).toEqual(idle);
  });

  test('gives its memory back, whenever it is left', async () => {
    for (let count = 0; count < 40; count++) {
      const { bench, bytes, fills, join } = await fillsOf(1);
      const gate = new Gate();
      bench.faults.beforeChunk = gate.pass;
      const first = join(0, 1);
      await turn();
      const given = join(2, 3);
      await turn();
      first.leave();
      gate.open();
      await first.whole();
      await steps(count);
      given.leave();
      await turn(3);
      expect(fills.usage).toEqual(idle);
      const again = join(2, 3);
      expect(Buffer.concat(await again.whole()).equals(bytes.subarray(2 * page, 3 * page))).toBe(true);
    }
  });
});

describe('a backend read that ends', () => {
  test('is not asked for another page, at whatever moment that is wanted', async () => {
    for (let count = 0; count < 40; count++) {
      const { bytes, join } = await fillsOf(8);
      const first = join(0, 2);
      await first.whole();
      await steps(count);
      const second = join(1, 2);
      expect(Buffer.concat(await second.whole()).equals(bytes.subarray(page, 2 * page))).toBe(true);
    }
  });

  test('gives up the pages that nobody wants any more, from the last one backwards', async () => {
    const { bench, fills, join } = await fillsOf(8);
    const gate = new Gate();
    bench.faults.beforeChunk = gate.pass;
    const flights = [0, 1, 2, 3, 4].map((index) => join(index, 8));
    await turn();
    for (const index of [4, 3, 1]) flights[index]?.leave();
    expect(flights.map(({ name }) => fills.find(name) !== undefined)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    flights[2]?.leave();
    expect(flights.map(({ name }) => fills.find(name) !== undefined)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
    gate.open();
    await flights[0]?.whole();
    flights[0]?.leave();
    await turn(3);
    expect(bench.faults.givenBytes).toBe(page);
    expect(fills.usage).toEqual(idle);
  });
});
