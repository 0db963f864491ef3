import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Metrics } from '../../src/common/metrics.ts';
import { HandOverServer } from '../../src/gateway/hand-over-server.ts';
import type { Namespace, Place } from '../../src/gateway/namespace.ts';
import { StoreThreadKeeper } from '../../src/gateway/store-thread-keeper.ts';
import { VersionHolder } from '../../src/gateway/version-holder.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { MemoryPageStore } from '../../src/worker/memory-page-store.ts';
import { pageKeyOf } from '../../src/worker/page-key.ts';
import type { PageRead, ReadTarget } from '../../src/worker/reader.ts';
import { SharedDiskReader } from '../../src/worker/shared-disk-reader.ts';
import { SharedPageReader } from '../../src/worker/shared-page-reader.ts';
import { SharedRangeReader } from '../../src/worker/shared-range-reader.ts';
import { TieredPageStore } from '../../src/worker/tiered-page-store.ts';
import { DiskBench } from '../worker/disk-bench.ts';
import { iteratorOf, ReadingBench } from '../worker/reading.ts';

/** So large that slices are lent, not copied. */
const pageSizeBytes = 32 * 1024;
const sizeBytes = 1_500_000;
const pageCount = Math.ceil(sizeBytes / pageSizeBytes);

let folder: string;
let disk: DiskBench;
let bench: ReadingBench;
let memory: MemoryPageStore;
let shared: SharedDiskReader;
let server: HandOverServer;
let keeper: StoreThreadKeeper;
let reader: SharedRangeReader;
let target: ReadTarget;
let bytes: Buffer;
let incarnation: string;
/** How often a version was asked to be kept. */
let asked: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forebay-long-'));
  disk = await DiskBench.make();
  const diskStore = await disk.open({ capacityBytes: 16_000_000 });
  const settings = { capacityBytes: 1_000_000, maxPageBytes: pageSizeBytes, threadCount: 2 };
  memory = new MemoryPageStore(new Metrics(), settings);
  bench = new ReadingBench({
    store: new TieredPageStore(memory, diskStore, { promoteBytes: 1000 }),
    settings: { maxFillBytes: 16 * pageSizeBytes },
  });
  bench.faults.chunkBytes = 64 * 1024;
  bytes = randomBytes(sizeBytes);
  const meta = { ...(await bench.put('object', bytes)), generationSettled: true };
  target = { ...bench.target('object', meta), bucket: { name: 'bucket' }, key: 'object', pageSizeBytes };
  ({ incarnation } = target);
  asked = 0;
  const locate = async (): Promise<Place> => ({ ...target, incarnation }) as unknown as Place;
  const namespace: Pick<Namespace, 'locate'> = { locate };
  const holder = new VersionHolder(namespace, bench.reader, pageSizeBytes);
  const path = { socketPath: join(folder, 'threads.sock'), header: 'x-secret-name' };
  const nobody = { handle: () => {}, noteUnparsable: () => {} };
  server = new HandOverServer(nobody, path, 16 * 1024, (req, res) => {
    asked++;
    void holder.take(req, res);
  });
  await server.listen();
  keeper = new StoreThreadKeeper(path, 10);
  shared = new SharedDiskReader(new NodeFileSystem(), {
    table: diskStore.tableMemory,
    directories: [disk.path],
  });
  reader = new SharedRangeReader(new Metrics(), SharedPageReader.of(memory.shared, 1), shared, keeper);
});
afterEach(async () => {
  keeper.close();
  await server.close();
  await bench.reader.close();
  shared.close();
  await disk.close();
  await rm(folder, { recursive: true });
});

const whole = { start: 0, end: sizeBytes };

/** As somebody who reads all of it by the thread that fills. */
async function fillAll(): Promise<void> {
  await bench.read(target, 0, sizeBytes);
  await until(() => bench.reader.usage.flights === 0);
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(2);
}

/** What is left when nobody reads. */
function nothingIsHeld(): Promise<void> {
  return until(() => memory.holds.pins === 0 && bench.reader.usage.flights === 0);
}

async function rest(iterator: AsyncIterator<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    pieces.push(Buffer.from(next.value));
  }
  return Buffer.concat(pieces);
}

test('a long answer whose pages are in memory and on disk is read by the thread that has the client', async () => {
  await fillAll();
  expect(memory.usage.pages).toBeGreaterThan(5);
  expect(memory.usage.pages).toBeLessThan(pageCount);
  const { length: readsBefore } = bench.faults.reads;
  for (const [start, end] of [
    [0, sizeBytes],
    [5000, 1_100_001],
    [pageSizeBytes, sizeBytes - 1],
  ] as const) {
    const read = await reader.open(target, { start, end });
    expect(read.cache).toBe('hit');
    expect((await rest(iteratorOf(read))).equals(bytes.subarray(start, end))).toBe(true);
  }
  expect(asked).toBe(3);
  expect(bench.faults.reads.length).toBe(readsBefore);
  await nothingIsHeld();
});

test('what is not all at hand, or not known by name, is left to the thread that fills without asking it', async () => {
  await bench.read(target, 0, sizeBytes - pageSizeBytes);
  await until(() => bench.reader.usage.flights === 0);
  await expect(reader.open(target, whole)).rejects.toMatchObject({ kind: 'not-cached' });
  await fillAll();
  const unnamed = { ...target, key: undefined };
  await expect(reader.open(unnamed, whole)).rejects.toMatchObject({ kind: 'not-cached' });
  const version = { ...target, versionId: 'v1' };
  await expect(reader.open(version, whole)).rejects.toMatchObject({ kind: 'not-cached' });
  const unsettled = { ...target, meta: { ...target.meta, generationSettled: false } };
  await expect(reader.open(unsettled, whole)).rejects.toMatchObject({ kind: 'not-cached' });
  expect(asked).toBe(0);
});

test('so is an object that lies elsewhere by now, and everything once nobody listens', async () => {
  await fillAll();
  incarnation = 'mount-2';
  await expect(reader.open(target, whole)).rejects.toMatchObject({ kind: 'not-cached' });
  expect(asked).toBe(1);
  incarnation = target.incarnation;
  expect((await rest(iteratorOf(await reader.open(target, whole)))).equals(bytes)).toBe(true);
  await server.close();
  await expect(reader.open(target, whole)).rejects.toMatchObject({ kind: 'not-cached' });
});

test('where a page has gone in the middle the rest comes from the thread that fills, from that very byte on', async () => {
  await fillAll();
  const iterator = iteratorOf(await reader.open(target, whole));
  const first = (await iterator.next()).value as Buffer;
  expect(first.equals(bytes.subarray(0, first.length))).toBe(true);
  await bench.store.remove(target.incarnation, target.path);
  const others = await rest(iterator);
  expect(others.equals(bytes.subarray(first.length))).toBe(true);
  expect(await bench.served('fill')).toBeGreaterThan(sizeBytes + others.length / 2);
  await nothingIsHeld();
});

test('a version that is replaced while it is read is read to its end, and its pages go then', async () => {
  await fillAll();
  const iterator = iteratorOf(await reader.open(target, whole));
  await iterator.next();
  const { generation } = await bench.put(target.path, Buffer.from('other'));
  bench.reader.heardOfVersion(target, generation);
  await sleep(20);
  const others = await rest(iterator);
  expect(others.equals(bytes.subarray(sizeBytes - others.length))).toBe(true);
  await until(() => !bench.store.has(pageKeyOf(target, 0)) && !bench.store.has(pageKeyOf(target, 40)));
});

test('a rest that cannot be had ends the answer early, and never with other bytes', async () => {
  await fillAll();
  const iterator = iteratorOf(await reader.open(target, whole));
  const first = (await iterator.next()).value as Buffer;
  const given = Buffer.from(first);
  await bench.store.remove(target.incarnation, target.path);
  bench.backend.pin = undefined;
  await bench.put(target.path, Buffer.from('other'));
  await expect(rest(iterator)).rejects.toMatchObject({ kind: 'io' });
  expect(given.equals(bytes.subarray(0, given.length))).toBe(true);
  await nothingIsHeld();
});

test('nothing stays behind of readers that leave: before the first byte, in the middle, and while the rest comes', async () => {
  await fillAll();
  const gone = new AbortController();
  await reader.open(target, whole, gone.signal);
  gone.abort();
  await nothingIsHeld();
  for (let taken = 1; taken < pageCount; taken += 2) {
    const midway = iteratorOf(await reader.open(target, whole));
    for (let i = 0; i < taken; i++) await midway.next();
    await midway.return?.();
    await nothingIsHeld();
  }
  const late = iteratorOf(await reader.open(target, whole));
  await late.next();
  await bench.store.remove(target.incarnation, target.path);
  await late.next();
  await late.next();
  await late.return?.();
  await nothingIsHeld();
  const aborted = new AbortController();
  aborted.abort();
  await expect(reader.open(target, whole, aborted.signal)).rejects.toMatchObject({ kind: 'not-cached' });
  await fillAll();
  const reads: PageRead[] = await Promise.all([1, 2, 3].map(() => reader.open(target, whole)));
  for (const read of reads) expect((await rest(iteratorOf(read))).equals(bytes)).toBe(true);
  await nothingIsHeld();
});
