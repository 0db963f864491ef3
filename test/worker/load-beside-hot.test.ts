import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { DiskBench } from './disk-bench.ts';
import { pageSizeBytes, ReadingBench } from './reading.ts';

const capacityBytes = 1_000_000;
const { signal } = new AbortController();

let disk: DiskBench;
beforeEach(async () => {
  disk = await DiskBench.make();
});
afterEach(() => disk.close());

test('a load of more than there is room for leaves what is read again and again where it is', async () => {
  const store = await disk.open({ regionBytes: 20_000, capacityBytes });
  const bench = new ReadingBench({ store });
  const hot = [];
  for (let i = 0; i < 20; i++) hot.push((await bench.object(pageSizeBytes, `hot-${i}`)).target);
  for (let round = 0; round < 4; round++) {
    for (const target of hot) await bench.read(target, 0, pageSizeBytes);
  }
  const cold = await bench.object(2 * capacityBytes, 'cold');
  const all = { start: 0, end: cold.bytes.length };
  const { loadedBytes } = await bench.reader.loader.load(cold.target, all, signal);
  expect(loadedBytes).toBeGreaterThan(capacityBytes);
  expect(bench.reader.loader.heldBytes(cold.target, all)).toBeLessThan(capacityBytes);
  for (const target of hot) expect((await bench.read(target, 0, pageSizeBytes)).cache).toBe('hit');
});
