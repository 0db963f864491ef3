import { expect, test } from '@jest/globals';
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
