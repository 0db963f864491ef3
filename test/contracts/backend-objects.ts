import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { digestOf } from '../../src/common/checksums.ts';
import type { ObjectMeta } from '../../src/common/object-meta.ts';
import { someBytes } from '../support/upload-body.ts';
import { getAll, kindOf, listAll, type OpenBackend, put, readAll, withBackend } from './backend.ts';

const md5 = (bytes: Buffer | string) => createHash('md5').update(bytes).digest('hex');
/** Small enough to lie with its metadata, and large enough to lie apart from it, in several chunks. */
const sizes = [0, 1, 65_536, 65_537, 2_500_000];

export function objectContract(open: OpenBackend): void {
  describe('objects', () => {
    test.each(sizes)('an object of %d bytes is read back, whole and by ranges', (sizeBytes) =>
      withBackend(open, async (backend) => {
        const bytes = someBytes(sizeBytes);
        const meta = await put(backend, 'a/object', bytes);
        expect(meta).toMatchObject({ sizeBytes, etag: md5(bytes), headers: {}, userMetadata: {} });
        const head = await backend.head('a/object');
        expect({ ...head, generationSettled: true }).toEqual({ ...meta, generationSettled: true });
        expect(head.generation.length).toBeLessThanOrEqual(256);
        expect((await readAll(backend, 'a/object', head)).equals(bytes)).toBe(true);
        for (const [start, end] of [
          [0, 1],
          [sizeBytes - 1, sizeBytes],
          [3, sizeBytes - 3],
        ] as const) {
          if (start < 0 || start >= end || end > sizeBytes) continue;
          const part = await readAll(backend, 'a/object', head, { start, end });
          expect(part.equals(bytes.subarray(start, end))).toBe(true);
        }
      })(),
    );

    test(
      'chunks have at most 1 MiB, and a reader may stop early',
      withBackend(open, async (backend) => {
        const bytes = someBytes(2_500_000);
        const meta = await put(backend, 'object', bytes);
        for await (const chunk of backend.read('object', meta, { start: 5, end: 2_400_000 })) {
          expect(chunk.length).toBeLessThanOrEqual(1_048_576);
          expect(chunk.equals(bytes.subarray(5, 5 + chunk.length))).toBe(true);
          break;
        }
      }),
    );

    test(
      'headers, user metadata and checksums are kept, empty values too',
      withBackend(open, async (backend) => {
        const headers = {
          contentType: 'text/plain; charset=utf-8',
          contentEncoding: '',
          contentLanguage: 'de',
          contentDisposition: 'attachment; filename="ä.txt"',
          cacheControl: 'no-cache',
          expires: 'Thu, 01 Dec 1994 16:00:00 GMT',
          websiteRedirectLocation: '/there',
        };
        const userMetadata = { empty: '', name: 'wärme', __proto__name: 'x' };
        const sent = { CRC32: digestOf('CRC32', Buffer.from('body')).toString('base64') };
        const made = await put(backend, 'k', 'body', {
          headers,
          userMetadata,
          storageClass: 'STANDARD_IA',
          sent,
        });
        for (const meta of [made, await backend.head('k')]) {
          expect(meta).toMatchObject({ headers, userMetadata, storageClass: 'STANDARD_IA' });
          expect(meta).toMatchObject({ checksums: sent, checksumType: 'FULL_OBJECT' });
        }
        const page = await backend.list({ prefix: 'k', limit: 1 });
        expect(page.entries[0]).toMatchObject({ checksumAlgorithms: ['CRC32'], storageClass: 'STANDARD_IA' });
      }),
    );

    test(
      'a stamp is kept with an object and told apart from its metadata, until the object is overwritten',
      withBackend(open, async (backend) => {
        if (!backend.capabilities.stamps) return;
        const stamp = '6ba7b810-9dad-11d1-80b4-00c04fd430c8.12.345 an-etag 1700000000000 0badcafe';
        for (const bytes of [Buffer.alloc(0), someBytes(10), someBytes(300_000)]) {
          const made = await put(backend, 'k', bytes, { stamp, userMetadata: { a: 'b' } });
          expect(made.etag).toBe(md5(bytes));
          expect(await backend.head('k')).toMatchObject({ stamp, userMetadata: { a: 'b' } });
          expect((await backend.head('k')).userMetadata).toEqual({ a: 'b' });
          expect((await getAll(backend, 'k')).equals(bytes)).toBe(true);
          await put(backend, 'k', bytes, { userMetadata: { a: 'b' } });
          expect((await backend.head('k')).stamp).not.toBe(stamp);
        }
      }),
    );

    test(
      'metadata of the greatest size is kept',
      withBackend(open, async (backend, { greatestMetadata }) => {
        const userMetadata =
          greatestMetadata ??
          Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`n${i}`, '€'.repeat(200)]));
        await put(backend, 'k', 'body', { userMetadata });
        expect((await backend.head('k')).userMetadata).toEqual(userMetadata);
        expect((await getAll(backend, 'k')).toString()).toBe('body');
      }),
    );

    test(
      'an overwrite gives a new generation and later reads of the old one never give other bytes',
      withBackend(open, async (backend) => {
        for (const sizeBytes of sizes.slice(1)) {
          const [before, after] = [someBytes(sizeBytes, 1), someBytes(sizeBytes, 2)];
          const old = await put(backend, 'k', before);
          const now = await put(backend, 'k', after);
          expect(now.generation).not.toBe(old.generation);
          expect(now.lastModifiedMs).toBeGreaterThanOrEqual(old.lastModifiedMs);
          expect(await kindOf(readAll(backend, 'k', old))).toBe('moved');
          expect((await getAll(backend, 'k')).equals(after)).toBe(true);
        }
      }),
    );

    test(
      'a version that moves under a reader is read to its end or ends with moved, and is never mixed',
      withBackend(open, async (backend) => {
        const before = someBytes(3_500_000, 1);
        for (const change of ['overwrite', 'delete'] as const) {
          const meta = await put(backend, 'k', before);
          const chunks: Buffer[] = [];
          const reading = (async () => {
            for await (const chunk of backend.read('k', meta, { start: 0, end: meta.sizeBytes })) {
              chunks.push(chunk);
              if (chunks.length > 1) continue;
              if (change === 'delete') await backend.delete('k');
              else await put(backend, 'k', someBytes(3_500_000, 2));
            }
            return 'whole';
          })();
          const outcome = await reading.catch((error) => error.kind);
          expect(['whole', 'moved']).toContain(outcome);
          const got = Buffer.concat(chunks);
          expect(got.equals(before.subarray(0, got.length))).toBe(true);
          if (outcome === 'whole') expect(got.length).toBe(before.length);
        }
      }),
    );

    test(
      'what is not there is not found, and deleting it succeeds',
      withBackend(open, async (backend) => {
        await put(backend, 'folder/k', 'x');
        for (const key of ['nothing', 'folder', 'folder/', 'folder/k/below', 'folder/j']) {
          expect([key, await kindOf(backend.head(key))]).toEqual([key, 'not-found']);
          await backend.delete(key);
        }
        const meta = await backend.head('folder/k');
        await backend.delete('folder/k');
        expect(await kindOf(backend.head('folder/k'))).toBe('not-found');
        expect(await kindOf(readAll(backend, 'folder/k', meta))).toBe('moved');
        expect(await listAll(backend)).toEqual([]);
      }),
    );

    test(
      'a body that fails leaves things as they were, and its error is passed on',
      withBackend(open, async (backend) => {
        const failure = new Error('the signature of the last chunk is wrong');
        for (const sizeBytes of [0, 100, 2_500_000]) {
          const bytes = someBytes(sizeBytes);
          await expect(put(backend, 'x/new', bytes, { failure })).rejects.toBe(failure);
          expect(await kindOf(backend.head('x/new'))).toBe('not-found');
          expect(await listAll(backend, { delimiter: '/' })).toEqual([]);
        }
        await put(backend, 'k', 'old');
        await expect(put(backend, 'k', someBytes(300_000), { failure })).rejects.toBe(failure);
        expect((await getAll(backend, 'k')).toString()).toBe('old');
      }),
    );

    test(
      'a rejection before the commit gives the upload up and is passed on',
      withBackend(open, async (backend) => {
        const failure = new Error('the epoch is over');
        const beforeCommit = async () => {
          throw failure;
        };
        for (const sizeBytes of [10, 300_000]) {
          await expect(put(backend, 'k', someBytes(sizeBytes), { beforeCommit })).rejects.toBe(failure);
        }
        expect(await listAll(backend)).toEqual([]);
      }),
    );

    test(
      'a rejection before an object is deleted leaves it there and is passed on',
      withBackend(open, async (backend) => {
        const failure = new Error('the epoch is over');
        const beforeCommit = () => Promise.reject(failure);
        await put(backend, 'k', 'kept');
        await expect(backend.delete('k', { beforeCommit })).rejects.toBe(failure);
        expect((await getAll(backend, 'k')).toString()).toBe('kept');
        await backend.delete('k', { beforeCommit: async () => {} });
        expect(await listAll(backend)).toEqual([]);
      }),
    );

    test(
      'an aborted call rejects with cancelled and changes nothing',
      withBackend(open, async (backend) => {
        const meta = await put(backend, 'k', someBytes(3_000_000));
        const signal = AbortSignal.abort();
        expect(await kindOf(backend.head('k', { signal }))).toBe('cancelled');
        expect(await kindOf(backend.list({ prefix: '', limit: 1, signal }))).toBe('cancelled');
        expect(await kindOf(backend.delete('k', { signal }))).toBe('cancelled');
        expect(await kindOf(put(backend, 'other', 'x', { signal }))).toBe('cancelled');
        const later = new AbortController();
        const beforeChunk = (index: number) => index === 2 && later.abort();
        const body = put(backend, 'k', someBytes(500_000, 7), {
          signal: later.signal,
          beforeChunk: beforeChunk as never,
        });
        expect(await kindOf(body)).toBe('cancelled');
        const reading = new AbortController();
        const read = (async () => {
          const options = { signal: reading.signal };
          for await (const _ of backend.read('k', meta, { start: 0, end: 3_000_000 }, options))
            reading.abort();
        })();
        expect(await kindOf(read)).toBe('cancelled');
        expect((await getAll(backend, 'k')).equals(someBytes(3_000_000))).toBe(true);
      }),
    );

    copyTests(open);
  });
}

function copyTests(open: OpenBackend): void {
  const of = (meta: ObjectMeta) => ({ sourceGeneration: meta.generation });

  test(
    'a copy has the bytes and the metadata, or the new metadata, and outlives its source',
    withBackend(open, async (backend) => {
      for (const sizeBytes of [0, 10, 300_000]) {
        const bytes = someBytes(sizeBytes);
        const about = { headers: { contentType: 'a/b' }, userMetadata: { one: '1' } };
        const source = await put(backend, 'source', bytes, about);
        const copied = await backend.copy('source', 'f/copy', of(source));
        expect(copied).toMatchObject({ etag: md5(bytes), sizeBytes, ...about });
        const replace = { headers: { cacheControl: '' }, userMetadata: {} };
        await backend.copy('source', 'replaced', { ...of(source), replace });
        await backend.delete('source');
        expect((await getAll(backend, 'f/copy')).equals(bytes)).toBe(true);
        expect(await backend.head('replaced')).toMatchObject(replace);
        await backend.delete('f/copy');
        expect((await getAll(backend, 'replaced')).equals(bytes)).toBe(true);
      }
    }),
  );

  test(
    'a copy onto itself replaces the metadata and keeps the bytes',
    withBackend(open, async (backend) => {
      for (const sizeBytes of [0, 10, 300_000]) {
        const bytes = someBytes(sizeBytes);
        const source = await put(backend, 'k', bytes, { userMetadata: { old: '1' } });
        const replace = { headers: {}, userMetadata: { now: '2' } };
        const copied = await backend.copy('k', 'k', { ...of(source), replace });
        expect(copied.generation).not.toBe(source.generation);
        expect(await backend.head('k')).toMatchObject({ userMetadata: { now: '2' }, etag: md5(bytes) });
        expect((await getAll(backend, 'k')).equals(bytes)).toBe(true);
        expect(await kindOf(backend.copy('k', 'k2', of(source)))).toBe('moved');
      }
    }),
  );

  test(
    'a copy of nothing is not found, and a failing condition or hook changes nothing',
    withBackend(open, async (backend) => {
      expect(await kindOf(backend.copy('none', 'k', { sourceGeneration: 'x' }))).toBe('not-found');
      const source = await put(backend, 'source', someBytes(100_000));
      await put(backend, 'k', 'old');
      if (backend.capabilities.conditionalCopy) {
        const condition = { ifNoneMatch: '*' } as const;
        expect(await kindOf(backend.copy('source', 'k', { ...of(source), condition }))).toBe(
          'precondition-failed',
        );
      }
      const failure = new Error('no');
      const beforeCommit = () => Promise.reject(failure);
      await expect(backend.copy('source', 'k', { ...of(source), beforeCommit })).rejects.toBe(failure);
      expect((await getAll(backend, 'k')).toString()).toBe('old');
    }),
  );
}
