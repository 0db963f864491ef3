import { readFile, stat, writeFile } from 'node:fs/promises';
import { afterEach, expect, test } from '@jest/globals';
import { Metrics } from '../../src/common/metrics.ts';
import { EvictionLog } from '../../src/worker/eviction-log.ts';
import { MemoryPageStore } from '../../src/worker/memory-page-store.ts';
import { pageBytes, pageKey } from '../contracts/page-store.ts';
import { DiskBench } from './disk-bench.ts';
import { ManualClock } from './manual-clock.ts';

let bench: DiskBench | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

test('the latest are remembered, and no more than there is room for', async () => {
  const clock = new ManualClock();
  const log = new EvictionLog(clock, 4);
  expect(log.last(1)).toBeUndefined();
  log.note(1, 'room');
  await clock.pass(1_000);
  log.note(-2, 'damaged');
  log.note(1, 'removed');
  expect(log.last(1)).toEqual({ atMs: clock.nowMs(), reason: 'removed', pages: 2 });
  expect(log.last(-2)).toEqual({ atMs: clock.nowMs(), reason: 'damaged', pages: 1 });
  log.note(3, 'room');
  log.note(3, 'room');
  expect(log.last(1)?.pages).toBe(1);
  log.note(3, 'room');
  log.note(3, 'room');
  expect(log.last(1)).toBeUndefined();
  expect(log.last(3)?.pages).toBe(4);
});

test('a store on disk tells why pages of an object were given up: changed, damaged, for others', async () => {
  bench = await DiskBench.make();
  const store = await bench.open({ capacityBytes: 1_000_000 });
  const of = (path: string) => store.lastEviction(pageKey().incarnation, path);
  await store.write(pageKey({ path: 'changed' }), pageBytes(700));
  expect(of('changed')).toBeUndefined();
  await store.remove(pageKey().incarnation, 'changed');
  expect(of('changed')).toEqual({ atMs: bench.clock.nowMs(), reason: 'removed', pages: 1 });
  await store.write(pageKey({ path: 'damaged' }), pageBytes(700));
  const [region] = (await bench.regions()) as [string];
  const bytes = await readFile(region);
  const at = (await stat(region)).size - 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(region, bytes);
  expect(await store.read(pageKey({ path: 'damaged' }), 0, 700)).toBeUndefined();
  expect(of('damaged')?.reason).toBe('damaged');
  for (let i = 0; i < 400; i++) await store.write(pageKey({ path: `filler-${i}` }), pageBytes(10_000));
  await store.settled();
  expect(of('filler-0')).toEqual({ atMs: bench.clock.nowMs(), reason: 'room', pages: 1 });
});

test('a store in memory alone tells what had to make room', async () => {
  const clock = new ManualClock();
  const settings = { capacityBytes: 200_000, maxPageBytes: 20_000 };
  const store = new MemoryPageStore(new Metrics(), settings, clock, new EvictionLog(clock));
  for (let i = 0; i < 100; i++) await store.write(pageKey({ path: `object-${i}` }), pageBytes(10_000));
  expect(store.lastEviction(pageKey().incarnation, 'object-0')).toEqual({
    atMs: clock.nowMs(),
    reason: 'room',
    pages: 1,
  });
  expect(store.lastEviction(pageKey().incarnation, 'object-99')).toBeUndefined();
  await store.close();
});
