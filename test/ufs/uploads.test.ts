import { mkdtemp, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import type { OpenFile } from '../../src/ufs/file-system.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openRootBackend } from '../../src/ufs/root.ts';
import { openTreeBackend } from '../../src/ufs/tree.ts';
import type { UploadLimits } from '../../src/ufs/upload-expiry.ts';
import { getAll, kindOf, plain, put } from '../contracts/backend.ts';
import { until } from '../support/until.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { ManualClock, turn } from '../worker/manual-clock.ts';

const day = 86_400_000;

/** Knows which files were read. */
class WatchedFileSystem extends NodeFileSystem {
  readonly read: string[] = [];
  override openForReading(path: string, mode: 'read' | 'read-no-follow'): Promise<OpenFile> {
    this.read.push(path);
    return super.openForReading(path, mode);
  }
}

const layouts: readonly [
  string,
  (fs: NodeFileSystem, clock: ManualClock, path: string, limits?: UploadLimits) => Promise<Backend>,
][] = [
  [
    'the root',
    (fs, clock, path, uploadLimits) =>
      openRootBackend(fs, clock, systemRandom, silentLog(), { path, uploadLimits, minPartSizeBytes: 5 }),
  ],
  [
    'a tree',
    (fs, clock, path, uploadLimits) =>
      openTreeBackend(fs, clock, systemRandom, { path, uploadLimits, minPartSizeBytes: 5 }),
  ],
];

describe.each(layouts)('uploads under way in %s', (name, openLayout) => {
  let path: string;
  let fs: WatchedFileSystem;
  let clock: ManualClock;
  let backend: Backend;

  const open = async (limits?: UploadLimits) => {
    backend = await openLayout(fs, clock, path, limits);
    return backend;
  };
  const begin = async (key: string) => (await backend.createUpload(key, plain)).uploadId;
  const uploads = async (prefix = '') => {
    const { entries } = await backend.listUploads({ prefix, limit: 1_000 });
    return entries.map((entry) => (entry.kind === 'upload' ? entry.upload.key : entry.key));
  };
  const directory = (uploadId: string) => join(path, '.forebay/uploads', uploadId);
  /** Lets a search for idle uploads happen. */
  const search = async () => {
    await clock.pass(3_600_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await turn(2);
  };

  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'forebay-uploads-'));
    fs = new WatchedFileSystem();
    clock = new ManualClock();
    clock.wallMs = Date.now();
  });
  afterEach(async () => {
    await backend.close();
    await rm(path, { recursive: true });
  });

  test('are listed a page at a time, and no others are read for it', async () => {
    await open();
    for (let i = 0; i < 30; i++) await begin(`many/${String(i).padStart(2, '0')}`);
    for (const key of ['few/a', 'few/b', 'more']) await begin(key);
    await backend.close();
    await open();
    await uploads();
    fs.read.length = 0;
    expect(await uploads('few/')).toEqual(['few/a', 'few/b']);
    expect(fs.read).toHaveLength(2);
    fs.read.length = 0;
    const seen: string[] = [];
    let marker = {};
    for (let truncated = true; truncated; ) {
      const page = await backend.listUploads({ prefix: 'many/', limit: 10, ...marker });
      for (const entry of page.entries) {
        if (entry.kind !== 'upload') continue;
        seen.push(entry.upload.key);
        marker = { keyMarker: entry.upload.key, uploadIdMarker: entry.upload.uploadId };
      }
      truncated = page.truncated;
    }
    expect([seen.length, new Set(seen).size, fs.read.length]).toEqual([30, 30, 30]);
    expect(await backend.listUploads({ prefix: '', delimiter: '/', limit: 10 })).toMatchObject({
      entries: [{ key: 'few/' }, { key: 'many/' }, { upload: { key: 'more' } }],
    });
  });

  test('have their parts listed a page at a time', async () => {
    await open();
    const uploadId = await begin('k');
    for (let number = 1; number <= 12; number++) {
      await backend.putPart('k', uploadId, number, new TestBody(someBytes(10, number)));
    }
    fs.read.length = 0;
    const page = await backend.listParts('k', uploadId, { afterPartNumber: 4, limit: 3 });
    expect([page.parts.map((part) => part.partNumber), page.truncated]).toEqual([[5, 6, 7], true]);
    expect(fs.read.length).toBeLessThanOrEqual(4);
  });

  test('are throttled where there are too many, until one ends', async () => {
    await open({ maxCount: 3, maxIdleMs: 0 });
    const first = await begin('a');
    const second = await begin('b');
    const racing = await Promise.allSettled([begin('c'), begin('d'), begin('e')]);
    expect(racing.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(await kindOf(begin('f'))).toBe('throttled');
    await backend.abortUpload('a', first);
    await begin('f');
    expect(await kindOf(begin('g'))).toBe('throttled');
    const part = await backend.putPart('b', second, 1, new TestBody('hello'));
    await backend.completeUpload('b', second, [part]);
    await begin('g');
    await backend.close();
    await open({ maxCount: 3, maxIdleMs: 0 });
    expect(await kindOf(begin('h'))).toBe('throttled');
  });

  test('are removed when nothing was done with them for too long, and not before', async () => {
    await open({ maxCount: 10, maxIdleMs: 7 * day });
    const [idle, used] = [await begin('idle'), await begin('used')];
    await backend.putPart('idle', idle, 1, new TestBody('hello'));
    clock.wallMs += 6 * day;
    await search();
    expect(await uploads()).toEqual(['idle', 'used']);
    clock.wallMs += 2 * day;
    // As a part that arrived a day ago leaves it.
    const aDayAgo = new Date(clock.wallMs - day);
    await utimes(directory(used), aDayAgo, aDayAgo);
    await search();
    const directories = () => readdir(join(path, '.forebay/uploads'));
    await until(async () => (await directories()).length < 2);
    expect(await uploads()).toEqual(['used']);
    expect(await directories()).toEqual([used]);
    expect(await kindOf(backend.abortUpload('idle', idle))).toBe('no-such-upload');
    clock.wallMs += 8 * day;
    await search();
    await until(async () => (await uploads()).length === 0);
  });

  test('stay for ever where no time is set', async () => {
    await open({ maxCount: 10, maxIdleMs: 0 });
    await begin('k');
    clock.wallMs += 1_000 * day;
    await search();
    expect(await uploads()).toEqual(['k']);
  });

  test('of which one is damaged are listed without it', async () => {
    await open();
    const damaged = await begin('damaged');
    await begin('whole');
    await backend.close();
    await writeFile(join(directory(damaged), 'upload.json'), '{"key": "dam');
    await open();
    expect(await uploads()).toEqual(['whole']);
    expect(await kindOf(backend.abortUpload('damaged', damaged))).toBe('no-such-upload');
  });

  test('that are an object already, for their completion broke off after it, are not taken from it', async () => {
    await open({ maxCount: 10, maxIdleMs: day });
    const uploadId = await begin('k');
    const bytes = someBytes(100_000);
    const part = await backend.putPart('k', uploadId, 1, new TestBody(bytes));
    await backend.completeUpload('k', uploadId, [part]);
    if (name !== 'the root') return;
    const moveBack = () => rename(join(path, '.forebay/objects', uploadId), directory(uploadId));
    await moveBack();
    expect(await kindOf(backend.abortUpload('k', uploadId))).toBe('no-such-upload');
    expect((await getAll(backend, 'k')).equals(bytes)).toBe(true);
    await backend.close();
    await moveBack();
    await open({ maxCount: 10, maxIdleMs: day });
    clock.wallMs += 3 * day;
    await search();
    expect((await getAll(backend, 'k')).equals(bytes)).toBe(true);
    await put(backend, 'k', 'new');
    expect(await readdir(join(path, '.forebay/objects'))).toEqual([]);
  });
});

test('a tree shows the uploads that another process began there, and no longer those that it ended', async () => {
  const path = await mkdtemp(join(tmpdir(), 'forebay-uploads-'));
  const clock = new ManualClock();
  const openOne = () =>
    openTreeBackend(new NodeFileSystem(), clock, systemRandom, {
      path,
      uploadLimits: { maxCount: 2, maxIdleMs: 0 },
    });
  const [one, other] = [await openOne(), await openOne()];
  const count = async (backend: Backend) =>
    (await backend.listUploads({ prefix: '', limit: 10 })).entries.length;
  const { uploadId } = await one.createUpload('a', plain);
  expect([await count(one), await count(other)]).toEqual([1, 1]);
  await other.createUpload('b', plain);
  expect(await count(one)).toBe(2);
  expect(await kindOf(other.createUpload('c', plain))).toBe('throttled');
  await one.abortUpload('a', uploadId);
  await other.createUpload('c', plain);
  expect([await count(one), await count(other)]).toEqual([2, 2]);
  await Promise.all([one.close(), other.close()]);
  await rm(path, { recursive: true });
});
