import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { Backend, CompletePart } from '../../src/ufs/backend.ts';
import { orAbsent } from '../../src/ufs/errors.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { getAll, kindOf, listAll, put } from '../contracts/backend.ts';
import { Disk } from '../support/fault-disk.ts';
import { FaultFileSystem } from '../support/fault-file-system.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { SeededRandom } from '../worker/seeded.ts';
import { failingBackend } from './failing-backend.ts';
import { openWriteBack, type WriteBackOptions } from './write-back-under-test.ts';

const never = new AbortController().signal;
const held = { persister: { delayMs: Number.POSITIVE_INFINITY } };
const plain = { headers: {}, userMetadata: { a: 'b' }, tags: [{ key: 'x', value: 'y' }] };
const bodies = [someBytes(70_000, 1), someBytes(9, 2), someBytes(3, 3)];
const whole = Buffer.concat(bodies);

/** A storage in memory, and what is asked of it. */
function counted() {
  const inner = new MemoryBackend(systemClock, systemRandom, { versions: false, minPartSizeBytes: 5 });
  const calls: string[] = [];
  const names = ['put', 'putPart', 'createUpload', 'completeUpload', 'head'];
  const backend = new Proxy<Backend>(inner, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') return value;
      return (...all: unknown[]) => {
        if (names.includes(String(name)) && !String(all[0]).startsWith('.forebay-check'))
          calls.push(String(name));
        return (value as (...all: unknown[]) => unknown).apply(target, all);
      };
    },
  });
  return { inner, calls, backend };
}

async function putPart(backend: Backend, id: string, number: number, bytes: Buffer): Promise<CompletePart> {
  const { partNumber, etag } = await backend.putPart('k', id, number, new TestBody(bytes));
  return { partNumber, etag, checksums: {} };
}

async function putParts(backend: Backend, id: string, all = bodies): Promise<CompletePart[]> {
  const parts: CompletePart[] = [];
  for (const [index, bytes] of all.entries()) parts.push(await putPart(backend, id, index + 1, bytes));
  return parts;
}

async function inFolder(run: (path: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'forebay-pending-'));
  try {
    await run(path);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

describe('an upload in parts in write mode back', () => {
  test('is acknowledged, and there, while its storage knows nothing of it; and comes there as the same', () =>
    inFolder(async (path) => {
      const { inner, calls, backend } = counted();
      const under = await openWriteBack(backend, { ...held, path });
      const { backend: back, persister, journal } = under;
      const { uploadId } = await back.createUpload('k', plain);
      const parts = await putParts(back, uploadId);
      await putPart(back, uploadId, 7, Buffer.from('of no use'));
      const listed = await back.listParts('k', uploadId, { limit: 2 });
      expect([listed.parts.map((part) => part.etag), listed.truncated]).toEqual([
        parts.slice(0, 2).map((part) => part.etag),
        true,
      ]);
      const made = await back.completeUpload('k', uploadId, parts);
      expect(made).toMatchObject({
        sizeBytes: whole.length,
        etag: expect.stringMatching(/-3$/),
        tagCount: 1,
      });
      expect((await getAll(back, 'k')).equals(whole)).toBe(true);
      expect(await back.completeUpload('k', uploadId, parts)).toEqual(made);
      expect(await kindOf(back.listParts('k', uploadId, { limit: 1 }))).toBe('no-such-upload');
      expect((await back.listUploads({ prefix: '', limit: 9 })).entries).toEqual([]);
      expect(journal.usage.bytes).toBe(whole.length + 1_024);
      expect(calls).toEqual([]);
      await persister.flush('k', never);
      expect((await getAll(inner, 'k')).equals(whole)).toBe(true);
      expect(await inner.head('k')).toMatchObject({ etag: made.etag, userMetadata: plain.userMetadata });
      expect(await inner.getTags('k')).toEqual(plain.tags);
      expect(await back.head('k')).toEqual(made);
      expect(await back.completeUpload('k', uploadId, parts)).toEqual(made);
      expect(journal.usage.bytes).toBe(0);
      await under.close();
      expect(await readdir(join(path, 'pending', 'bodies'))).toEqual([]);
      expect(await readdir(join(path, 'pending', 'uploads'))).toEqual([]);
    }));

  test('goes on after a restart where it stopped, before its Complete and after', () =>
    inFolder(async (path) => {
      const { inner, backend } = counted();
      const first = await openWriteBack(backend, { ...held, path });
      const { uploadId } = await first.backend.createUpload('k', plain);
      const one = await putPart(first.backend, uploadId, 1, bodies[0] as Buffer);
      const used = first.journal.usage.bytes;
      await first.journal.close();
      const second = await openWriteBack(backend, { ...held, path });
      expect(second.journal.usage.bytes).toBe(used);
      expect((await second.backend.listUploads({ prefix: '', limit: 9 })).entries).toHaveLength(1);
      const two = await putPart(second.backend, uploadId, 2, bodies[1] as Buffer);
      const made = await second.backend.completeUpload('k', uploadId, [one, two]);
      await second.journal.close();
      const third = await openWriteBack(backend, { ...held, path });
      expect(await third.backend.head('k')).toEqual(made);
      expect((await third.backend.listUploads({ prefix: '', limit: 9 })).entries).toEqual([]);
      await third.persister.flush('k', never);
      expect((await getAll(inner, 'k')).equals(Buffer.concat(bodies.slice(0, 2)))).toBe(true);
      await third.close();
    }));

  test('for which there is no room goes on at the storage, with the parts that came before', () =>
    inFolder(async (path) => {
      const { inner, calls, backend } = counted();
      const under = await openWriteBack(backend, { ...held, path, capacityBytes: 74_000 });
      const { backend: back, journal } = under;
      const { uploadId } = await back.createUpload('k', plain);
      const parts = [await putPart(back, uploadId, 1, bodies[0] as Buffer)];
      expect(calls).toEqual([]);
      parts.push(await putPart(back, uploadId, 2, someBytes(5_000, 5)));
      expect(calls).toEqual(['createUpload', 'putPart', 'putPart']);
      const { entries } = await back.listUploads({ prefix: '', limit: 9 });
      expect(entries.map((entry) => entry.kind === 'upload' && entry.upload.uploadId)).toEqual([uploadId]);
      expect((await back.listParts('k', uploadId, { limit: 9 })).parts).toHaveLength(2);
      await back.completeUpload('k', uploadId, parts);
      expect((await getAll(inner, 'k')).length).toBe(75_000);
      expect((await getAll(back, 'k')).length).toBe(75_000);
      expect(journal.usage.bytes).toBe(0);
      await under.close();
    }));

  test('is refused more parts where there is no room and nothing is to go through', async () => {
    const { backend } = counted();
    const settings: WriteBackOptions = { ...held, capacityBytes: 74_000, backend: { whenFull: 'slow-down' } };
    const under = await openWriteBack(backend, settings);
    const { uploadId } = await under.backend.createUpload('k', plain);
    await putPart(under.backend, uploadId, 1, bodies[0] as Buffer);
    expect(await kindOf(putPart(under.backend, uploadId, 2, someBytes(5_000)))).toBe('throttled');
    await under.backend.abortUpload('k', uploadId);
    expect(under.journal.usage.bytes).toBe(0);
    await under.close();
  });

  test('whose Complete has a condition is decided by the storage', async () => {
    const { inner, backend } = counted();
    const under = await openWriteBack(backend, held);
    const { backend: back } = under;
    await put(back, 'k', 'pending');
    const { uploadId } = await back.createUpload('k', plain);
    const parts = await putParts(back, uploadId);
    const refused = back.completeUpload('k', uploadId, parts, { condition: { ifNoneMatch: '*' } });
    expect(await kindOf(refused)).toBe('precondition-failed');
    const { etag } = await back.head('k');
    await back.completeUpload('k', uploadId, parts, { condition: { ifMatch: etag } });
    expect((await getAll(inner, 'k')).equals(whole)).toBe(true);
    await under.close();
  });

  test('goes to a storage at once that would give the object another ETag', async () => {
    const { inner } = counted();
    const other = new Proxy<Backend>(inner, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as unknown;
        if (name === 'head') return async (key: string) => ({ ...(await inner.head(key)), etag: 'its own' });
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const under = await openWriteBack(other, held);
    const { uploadId } = await under.backend.createUpload('k', plain);
    expect((await inner.listUploads({ prefix: '', limit: 9 })).entries).toMatchObject([
      { upload: { uploadId } },
    ]);
    expect(await listAll(inner)).toEqual([]);
    await under.close();
  });

  test('begins while the storage is away that was tried before', () =>
    inFolder(async (path) => {
      const { inner } = counted();
      const first = await openWriteBack(inner, { ...held, path });
      await first.backend.createUpload('k', plain);
      await first.close();
      const away = failingBackend(inner, () => 'refused');
      const second = await openWriteBack(away, { ...held, path });
      const { uploadId } = await second.backend.createUpload('k', plain);
      const parts = await putParts(second.backend, uploadId);
      await second.backend.completeUpload('k', uploadId, parts);
      expect((await getAll(second.backend, 'k')).equals(whole)).toBe(true);
      await second.journal.close();
    }));

  test('whose storage loses answers and fails between parts is there once', async () => {
    const inner = new MemoryBackend(systemClock, systemRandom, { versions: false, minPartSizeBytes: 5 });
    const random = new SeededRandom(3);
    const faulty = new Proxy<Backend>(inner, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== 'function') return value;
        return async (...all: unknown[]) => {
          const result = await (value as (...all: unknown[]) => unknown).apply(target, all);
          const isFaulty = ['putPart', 'completeUpload', 'createUpload'].includes(String(name));
          if (isFaulty && String(all[0]) === 'k' && random.next() < 0.3)
            throw new Error('the answer is lost');
          return result;
        };
      },
    });
    const under = await openWriteBack(inner, {
      ...held,
      persistTo: faulty,
      persister: { retryMs: [1, 2], settleMs: 1 },
    });
    const { uploadId } = await under.backend.createUpload('k', plain);
    const made = await under.backend.completeUpload('k', uploadId, await putParts(under.backend, uploadId));
    await under.persister.flush('k', never);
    expect((await getAll(inner, 'k')).equals(whole)).toBe(true);
    expect(await under.backend.head('k')).toEqual(made);
    expect(under.results.failed).toBeGreaterThan(0);
    await under.close();
  });

  test('loses nothing that was told, at whatever step the power goes', async () => {
    let [acknowledged, completed] = [0, 0];
    for (let step = 0; ; step++) {
      const disk = new Disk();
      disk.addEntry('/node', disk.newDirectory());
      disk.syncDirectory(disk.root);
      const { inner } = counted();
      const options = { ...held, path: '/node' };
      // What is tried of the storage is known by then.
      await (await openWriteBack(inner, { ...options, fs: new FaultFileSystem(disk) })).backend.createUpload(
        'x',
        plain,
      );
      const fs = new FaultFileSystem(disk);
      fs.stopAfter(step);
      const told: { uploadId?: string; parts: CompletePart[]; isMade: boolean } = {
        parts: [],
        isMade: false,
      };
      const living = (async () => {
        const { backend } = await openWriteBack(inner, { ...options, fs });
        const { uploadId } = await backend.createUpload('k', plain);
        await fs.look();
        told.uploadId = uploadId;
        for (const [index, bytes] of bodies.entries()) {
          const part = await putPart(backend, uploadId, index + 1, bytes);
          await fs.look();
          told.parts.push(part);
        }
        await backend.completeUpload('k', uploadId, told.parts);
        await fs.look();
        told.isMade = true;
        return true;
      })();
      const isOver = await Promise.race([living, fs.stopped.then(() => false)]);
      const after = await openWriteBack(inner, {
        ...options,
        fs: new FaultFileSystem(disk.afterPowerLoss()),
      });
      if (told.uploadId !== undefined) {
        const { backend } = after;
        const isThere = (await orAbsent(backend.head('k'))) !== undefined;
        expect(isThere || !told.isMade).toBe(true);
        if (!isThere) {
          const { parts } = await backend.listParts('k', told.uploadId, { limit: 9 });
          expect(parts.map((part) => part.etag)).toEqual(
            expect.arrayContaining(told.parts.map((part) => part.etag)),
          );
          expect(
            told.parts.length === 0 || (await backend.completeUpload('k', told.uploadId, told.parts)),
          ).toBeTruthy();
        }
        if (told.parts.length > 0) {
          const expected = Buffer.concat(bodies.slice(0, told.parts.length));
          expect((await getAll(backend, 'k')).equals(expected)).toBe(true);
          acknowledged++;
        }
        const { entries } = await backend.listUploads({ prefix: 'k', limit: 9 });
        expect(entries).toHaveLength(told.parts.length > 0 || isThere ? 0 : 1);
        if (isThere) completed++;
      }
      if (isOver) break;
    }
    expect(acknowledged).toBeGreaterThan(10);
    expect(completed).toBeGreaterThan(1);
  }, 60_000);
});
