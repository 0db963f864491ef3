import { describe, expect, test } from '@jest/globals';
import type { ReadTarget } from '../../src/worker/reader.ts';
import { until } from '../support/until.ts';
import { pageSizeBytes, ReadingBench } from './reading.ts';

const signal = new AbortController().signal;

test('what is loaded is read without the backend afterwards, and is loaded by one read', async () => {
  const bench = new ReadingBench();
  const { bytes, target } = await bench.object(5 * pageSizeBytes + 100);
  const { loader } = bench.reader;
  const all = { start: 0, end: bytes.length };
  expect(loader.heldBytes(target, all)).toBe(0);
  expect(await loader.load(target, all, signal)).toEqual({ cachedBytes: 0, loadedBytes: bytes.length });
  expect(loader.heldBytes(target, all)).toBe(bytes.length);
  expect(await loader.load(target, all, signal)).toEqual({ cachedBytes: bytes.length, loadedBytes: 0 });
  const read = await bench.reader.open(target, { start: 0, end: pageSizeBytes });
  expect(read.cache).toBe('hit');
});

test('pages that are here are left as they are, and those between them are loaded', async () => {
  const bench = new ReadingBench();
  const { bytes, target } = await bench.object(4 * pageSizeBytes);
  const { loader } = bench.reader;
  await loader.load(target, { start: pageSizeBytes, end: 2 * pageSizeBytes }, signal);
  const loaded = await loader.load(target, { start: 0, end: bytes.length }, signal);
  expect(loaded).toEqual({ cachedBytes: pageSizeBytes, loadedBytes: 3 * pageSizeBytes });
});

test('what the store does not keep is neither loaded nor cached', async () => {
  const bench = new ReadingBench({ capacityBytes: 0 });
  const { bytes, target } = await bench.object(2 * pageSizeBytes);
  const loaded = await bench.reader.loader.load(target, { start: 0, end: bytes.length }, signal);
  expect(loaded).toEqual({ cachedBytes: 0, loadedBytes: 0 });
});

test('nothing of a version is loaded that cannot be told from the next one', async () => {
  const bench = new ReadingBench();
  const { bytes, target } = await bench.object(pageSizeBytes);
  const unsettled = { ...target, meta: { ...target.meta, generationSettled: false } };
  const loaded = await bench.reader.loader.load(unsettled, { start: 0, end: bytes.length }, signal);
  expect(loaded).toEqual({ cachedBytes: 0, loadedBytes: 0 });
});

test('what is checked is here, and reads nothing at the backend', async () => {
  const bench = new ReadingBench();
  const { bytes, target } = await bench.object(3 * pageSizeBytes);
  const { loader } = bench.reader;
  await loader.load(target, { start: 0, end: 2 * pageSizeBytes }, signal);
  expect(await loader.checkedBytes(target, { start: 0, end: bytes.length }, signal)).toBe(2 * pageSizeBytes);
});

test('a load that is given up leaves nothing behind', async () => {
  const bench = new ReadingBench();
  const { bytes, target } = await bench.object(3 * pageSizeBytes);
  const gone = new AbortController();
  gone.abort();
  const loading = bench.reader.loader.load(target, { start: 0, end: bytes.length }, gone.signal);
  await expect(loading).rejects.toMatchObject({ kind: 'cancelled' });
  await until(() => bench.reader.usage.flights === 0 && bench.reader.usage.bytes === 0);
});

test('an object that is freed is read from the backend again', async () => {
  const bench = new ReadingBench();
  const { bytes, target } = await bench.object(2 * pageSizeBytes);
  const { loader } = bench.reader;
  const all = { start: 0, end: bytes.length };
  await loader.load(target, all, signal);
  await loader.free({ ...target, backend: bench.backend, freshness: { kind: 'immutable' } });
  expect(loader.heldBytes(target, all)).toBe(0);
});

test('while others wait for pages nothing is loaded, and then it is', async () => {
  const bench = new ReadingBench({ settings: { maxFills: 4 } });
  const gate = Promise.withResolvers<void>();
  bench.faults.beforeChunk = () => gate.promise;
  const objects = await Promise.all(['a', 'b', 'c', 'd'].map((path) => bench.object(pageSizeBytes, path)));
  const { target } = await bench.object(pageSizeBytes, 'loaded');
  const reads = objects.map((object) => bench.read(object.target, 0, pageSizeBytes));
  await until(() => bench.faults.reads.length === 4);
  const all = { start: 0, end: pageSizeBytes };
  let isLoaded = false;
  const loading = bench.reader.loader.load(target, all, signal).then((loaded) => {
    isLoaded = true;
    return loaded;
  });
  for (let i = 0; i < 10; i++) await bench.clock.pass(1000);
  expect([bench.faults.reads.length, isLoaded]).toEqual([4, false]);
  gate.resolve();
  await Promise.all(reads);
  await until(async () => {
    await bench.clock.pass(1000);
    return isLoaded;
  });
  expect(await loading).toEqual({ cachedBytes: 0, loadedBytes: pageSizeBytes });
  expect(bench.faults.reads.length).toBe(5);
});

describe('a load gives way', () => {
  const all = { start: 0, end: pageSizeBytes };

  /** Pages that are on their way at the backend, in the order in which they were asked for; each stays there until it is let go. */
  function heldBackend(bench: ReadingBench) {
    const held = Array.from({ length: 32 }, () => Promise.withResolvers<void>());
    bench.faults.beforeChunk = () => held[bench.faults.reads.length - 1]?.promise;
    return { letGo: (index: number) => held[index]?.resolve() };
  }

  test('to a miss that comes after it: that page is asked for first', async () => {
    const bench = new ReadingBench({ settings: { maxFills: 2 } });
    const backend = heldBackend(bench);
    // Each of another length, to be told apart at the backend.
    const lengths = [100, 200, 300, 400];
    const [first, second, third, fourth] = await Promise.all(
      lengths.map((length) => bench.object(length, `object-${length}`)),
    );
    const read = (one = first) => bench.read(one?.target as ReadTarget, 0, one?.bytes.length ?? 0);
    const asked = () => bench.faults.reads.map(({ end }) => end);
    const reads = [read(first), read(second)];
    await until(() => bench.faults.reads.length === 2);
    const loading = bench.reader.loader.load(third?.target as ReadTarget, { start: 0, end: 300 }, signal);
    await bench.clock.pass(1000);
    reads.push(read(fourth));
    await bench.clock.pass(1000);
    backend.letGo(0);
    await until(() => bench.faults.reads.length === 3);
    await bench.clock.pass(1000);
    expect(asked()).toEqual([100, 200, 400]);
    for (const index of [1, 2, 3]) backend.letGo(index);
    await Promise.all(reads);
    await until(async () => {
      await bench.clock.pass(1000);
      return bench.faults.reads.length === 4;
    });
    expect(await loading).toEqual({ cachedBytes: 0, loadedBytes: 300 });
    expect(asked()).toEqual([100, 200, 400, 300]);
  });

  test('to misses before they come: many objects together take half of what may be on its way, and a miss waits for none', async () => {
    const bench = new ReadingBench({ settings: { maxFills: 8 } });
    const backend = heldBackend(bench);
    const names = Array.from({ length: 8 }, (_, i) => `loaded-${i}`);
    const objects = await Promise.all(names.map((name) => bench.object(pageSizeBytes, name)));
    const missed = await bench.object(100, 'missed');
    const loads = objects.map(({ target }) => bench.reader.loader.load(target, all, signal));
    for (let i = 0; i < 10; i++) await bench.clock.pass(1000);
    // Nor does it stand in line: readers are refused when that is long.
    expect([bench.faults.reads.length, bench.reader.usage.waiting]).toEqual([4, 0]);
    const read = bench.read(missed.target, 0, 100);
    await until(() => bench.faults.reads.length === 5);
    expect(bench.faults.reads.at(-1)).toEqual({ start: 0, end: 100 });
    for (let index = 0; index < 16; index++) backend.letGo(index);
    expect((await read).bytes).toEqual(missed.bytes);
    let isOver = false;
    const ended = Promise.all(loads).finally(() => {
      isOver = true;
    });
    await until(async () => {
      await bench.clock.pass(1000);
      return isOver;
    });
    expect(await ended).toEqual(objects.map(() => ({ cachedBytes: 0, loadedBytes: pageSizeBytes })));
  });
});
