import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { digestOf } from '../../src/common/checksums.ts';
import type { ChecksumAlgorithm } from '../../src/common/object-meta.ts';
import type { Backend, CompletePart, CreateUploadOptions } from '../../src/ufs/backend.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import {
  getAll,
  kindOf,
  listAll,
  type OpenBackend,
  partsOf,
  plain,
  put,
  readAll,
  withBackend,
} from './backend.ts';

const bodies = [someBytes(1_200_000, 1), someBytes(700, 2), someBytes(3, 3)];
const whole = Buffer.concat(bodies);
/** How long a change is given that may have to wait for another one of its key. */
const queuedMs = 1000;
const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest();
const etag = `${md5(Buffer.concat(bodies.map(md5))).toString('hex')}-3`;

async function upload(backend: Backend, key: string, about: Partial<CreateUploadOptions> = {}) {
  const { uploadId } = await backend.createUpload(key, { ...plain, ...about });
  const parts: CompletePart[] = [];
  // Parts come in any order, with gaps in their numbers.
  for (const index of [2, 0, 1]) {
    const partNumber = index * 3 + 1;
    const part = await backend.putPart(key, uploadId, partNumber, new TestBody(bodies[index] as Buffer));
    parts.push({ partNumber, etag: part.etag, checksums: part.checksums });
  }
  parts.sort((a, b) => a.partNumber - b.partNumber);
  return { uploadId, parts };
}

export function multipartContract(open: OpenBackend): void {
  const withUploads = (run: (backend: Backend) => Promise<void>) =>
    withBackend(open, async (backend) => {
      if (backend.capabilities.multipart) await run(backend);
    });

  describe('multipart uploads', () => {
    test(
      'an object made of parts is invisible until it is completed, and whole then',
      withUploads(async (backend) => {
        const about = { headers: { contentType: 'x/y' }, userMetadata: { empty: '' } };
        const { uploadId, parts } = await upload(backend, 'f/big', about);
        expect(await listAll(backend, { delimiter: '/' })).toEqual([]);
        const made = await backend.completeUpload('f/big', uploadId, parts);
        expect(made).toMatchObject({ etag, sizeBytes: whole.length, ...about });
        const meta = await backend.head('f/big');
        expect(meta).toMatchObject({ etag, sizeBytes: whole.length, ...about });
        // Where the parts have to be asked for they count from one without gaps, whatever numbers they were uploaded under.
        const numbers = backend.findPart ? [1, 2, 3] : [1, 4, 7];
        const partSizes = [1_200_000, 700, 3] as const;
        expect(await partsOf(backend, 'f/big', meta)).toEqual(numbers.map((n, i) => [n, partSizes[i]]));
        expect((await readAll(backend, 'f/big', meta)).equals(whole)).toBe(true);
        for (const [start, end] of [
          [1_199_999, 1_200_001],
          [1_200_000, 1_200_700],
          [5, whole.length - 1],
        ] as const) {
          const range = await readAll(backend, 'f/big', meta, { start, end });
          expect(range.equals(whole.subarray(start, end))).toBe(true);
        }
        expect((await backend.list({ prefix: '', limit: 5 })).entries).toMatchObject([
          { key: 'f/big', etag },
        ]);
        expect(await kindOf(backend.listParts('f/big', uploadId, { limit: 1 }))).toBe('no-such-upload');
        await backend.delete('f/big');
        expect(await listAll(backend, { delimiter: '/' })).toEqual([]);
      }),
    );

    test(
      'a repeated Complete succeeds while its object is the present one, and not after',
      withUploads(async (backend) => {
        const { uploadId, parts } = await upload(backend, 'k');
        const { conditionalCompleteCreate } = backend.capabilities;
        const options = conditionalCompleteCreate ? ({ condition: { ifNoneMatch: '*' } } as const) : {};
        const first = await backend.completeUpload('k', uploadId, parts, options);
        const again = await backend.completeUpload('k', uploadId, parts, options);
        expect(again.generation).toBe(first.generation);
        await put(backend, 'k', 'other');
        expect(await kindOf(backend.completeUpload('k', uploadId, parts))).toBe('no-such-upload');
        expect((await getAll(backend, 'k')).toString()).toBe('other');
      }),
    );

    test(
      'a Complete that names parts wrongly is refused and can be put right',
      withUploads(async (backend) => {
        const { uploadId, parts } = await upload(backend, 'k');
        const [one, two, three] = parts as [CompletePart, CompletePart, CompletePart];
        const complete = (named: CompletePart[]) => kindOf(backend.completeUpload('k', uploadId, named));
        expect(await complete([])).toBe('invalid-part');
        expect(await complete([two, one])).toBe('invalid-part-order');
        expect(await complete([one, one])).toBe('invalid-part-order');
        expect(await complete([{ ...one, etag: two.etag }])).toBe('invalid-part');
        expect(await complete([one, { ...two, partNumber: 5 }])).toBe('invalid-part');
        const small = await backend.putPart('k', uploadId, 5, new TestBody('1234'));
        expect(await complete([one, { ...small }, three])).toBe('part-too-small');
        expect(await kindOf(backend.completeUpload('k', uploadId, parts, { expectedSizeBytes: 3 }))).toBe(
          'upload-mismatch',
        );
        expect(await listAll(backend)).toEqual([]);
        await backend.completeUpload('k', uploadId, [one, three], { expectedSizeBytes: 1_200_003 });
        expect((await getAll(backend, 'k')).length).toBe(1_200_003);
      }),
    );

    test(
      'a part that is stored again replaces the first, and a failing one leaves it',
      withUploads(async (backend) => {
        const { uploadId } = await backend.createUpload('k', plain);
        await backend.putPart('k', uploadId, 1, new TestBody('first'));
        const second = await backend.putPart('k', uploadId, 1, new TestBody('second'));
        const failure = new Error('bad signature');
        const failing = backend.putPart('k', uploadId, 1, new TestBody(someBytes(200_000), { failure }));
        await expect(failing).rejects.toBe(failure);
        const { parts, truncated } = await backend.listParts('k', uploadId, { limit: 10 });
        expect(parts).toMatchObject([{ partNumber: 1, sizeBytes: 6, etag: second.etag }]);
        expect(truncated).toBe(false);
        await backend.completeUpload('k', uploadId, [{ partNumber: 1, etag: second.etag, checksums: {} }]);
        expect((await getAll(backend, 'k')).toString()).toBe('second');
      }),
    );

    test(
      'parts and uploads are listed in pages',
      withUploads(async (backend) => {
        const { uploadId } = await upload(backend, 'b/1');
        const page = await backend.listParts('b/1', uploadId, { limit: 2 });
        expect(page.parts.map((part) => part.partNumber)).toEqual([1, 4]);
        expect(page.truncated).toBe(true);
        const rest = await backend.listParts('b/1', uploadId, { limit: 2, afterPartNumber: 4 });
        expect(rest).toMatchObject({ parts: [{ partNumber: 7 }], truncated: false, upload: { key: 'b/1' } });
        const ids = [uploadId];
        for (const key of ['b/1', 'a', 'c/1', 'c/2'])
          ids.push((await backend.createUpload(key, plain)).uploadId);
        const all = await backend.listUploads({ prefix: '', limit: 10 });
        const listed = all.entries.flatMap((entry) => (entry.kind === 'upload' ? [entry.upload] : []));
        expect(listed.map((one) => one.key)).toEqual(['a', 'b/1', 'b/1', 'c/1', 'c/2']);
        const [, first, second] = listed;
        const markers = { keyMarker: 'b/1', uploadIdMarker: first?.uploadId };
        const next = await backend.listUploads({ prefix: '', delimiter: '/', limit: 1 });
        expect(next).toMatchObject({ entries: [{ kind: 'upload', upload: { key: 'a' } }], truncated: true });
        const behind = await backend.listUploads({ prefix: 'b/', ...markers, limit: 1 });
        expect(behind).toMatchObject({
          entries: [{ upload: { uploadId: second?.uploadId } }],
          truncated: false,
        });
        const folded = await backend.listUploads({ prefix: '', delimiter: '/', keyMarker: 'b/', limit: 5 });
        expect(folded).toEqual({ entries: [{ kind: 'prefix', key: 'c/' }], truncated: false });
        for (const { key, uploadId: id } of listed) await backend.abortUpload(key, id);
        expect((await backend.listUploads({ prefix: '', limit: 1 })).entries).toEqual([]);
      }),
    );

    test(
      'uploads of one key are listed in the order in which they began',
      withUploads(async (backend) => {
        const ids: string[] = [];
        for (let count = 0; count < 6; count++) ids.push((await backend.createUpload('k', plain)).uploadId);
        const { entries } = await backend.listUploads({ prefix: '', limit: 10 });
        expect(entries.map((entry) => entry.kind === 'upload' && entry.upload.uploadId)).toEqual(ids);
        const markers = { keyMarker: 'k', uploadIdMarker: ids[2] };
        const behind = await backend.listUploads({ prefix: '', ...markers, limit: 10 });
        expect(behind.entries.map((entry) => entry.kind === 'upload' && entry.upload.uploadId)).toEqual(
          ids.slice(3),
        );
      }),
    );

    test(
      'an aborted or unknown upload is no upload, for its own key only it is one',
      withUploads(async (backend) => {
        const { uploadId, parts } = await upload(backend, 'k');
        for (const id of ['unknown', '../uploads', '', 'a/b', '\0']) {
          expect(await kindOf(backend.abortUpload('k', id))).toBe('no-such-upload');
          expect(await kindOf(backend.putPart('k', id, 1, new TestBody('x')))).toBe('no-such-upload');
          expect(await kindOf(backend.completeUpload('k', id, parts))).toBe('no-such-upload');
        }
        expect(await kindOf(backend.completeUpload('j', uploadId, parts))).toBe('no-such-upload');
        await backend.abortUpload('k', uploadId);
        expect(await kindOf(backend.abortUpload('k', uploadId))).toBe('no-such-upload');
        expect(await kindOf(backend.putPart('k', uploadId, 1, new TestBody('x')))).toBe('no-such-upload');
        expect(await kindOf(backend.completeUpload('k', uploadId, parts))).toBe('no-such-upload');
        expect(await listAll(backend)).toEqual([]);
      }),
    );

    test(
      'If-None-Match and hooks decide about Complete, or the condition is refused, and the upload stays',
      withUploads(async (backend) => {
        const { uploadId, parts } = await upload(backend, 'k');
        const condition = { ifNoneMatch: '*' } as const;
        const failure = new Error('no');
        const beforeCommit = () => Promise.reject(failure);
        await expect(backend.completeUpload('k', uploadId, parts, { beforeCommit })).rejects.toBe(failure);
        if (!backend.capabilities.conditionalCompleteCreate) {
          const refused = backend.completeUpload('k', uploadId, parts, { condition });
          expect(await kindOf(refused)).toBe('not-implemented');
        } else {
          await put(backend, 'k', 'old');
          const refused = backend.completeUpload('k', uploadId, parts, { condition });
          expect(await kindOf(refused)).toBe('precondition-failed');
          expect((await getAll(backend, 'k')).toString()).toBe('old');
          await backend.delete('k');
          let putting: Promise<unknown> | undefined;
          let mustFail = false;
          const overtake = async () => {
            putting ??= put(backend, 'k', 'first').then(() => true);
            // Some have the changes of a key wait for each other.
            mustFail = (await Promise.race([putting, sleep(queuedMs, false)])) === true;
          };
          const late = backend.completeUpload('k', uploadId, parts, { condition, beforeCommit: overtake });
          const kind = await late.then(
            () => 'done',
            (error: { kind?: string }) => error.kind,
          );
          await putting;
          expect((await getAll(backend, 'k')).toString()).toBe('first');
          expect(['precondition-failed', 'conflict', ...(mustFail ? [] : ['done'])]).toContain(kind);
          if (kind === 'done') return;
        }
        await backend.completeUpload('k', uploadId, parts);
        expect((await getAll(backend, 'k')).equals(whole)).toBe(true);
      }),
    );

    test(
      'If-Match decides about Complete, or is refused, and the upload stays',
      withUploads(async (backend) => {
        const { uploadId, parts } = await upload(backend, 'k');
        const old = await put(backend, 'k', 'old');
        const complete = (ifMatch: string) =>
          backend.completeUpload('k', uploadId, parts, { condition: { ifMatch } });
        if (!backend.capabilities.conditionalComplete) {
          expect(await kindOf(complete(old.etag))).toBe('not-implemented');
          await backend.completeUpload('k', uploadId, parts);
        } else {
          expect(await kindOf(complete('other'))).toBe('precondition-failed');
          expect((await getAll(backend, 'k')).toString()).toBe('old');
          await complete(old.etag);
        }
        expect((await getAll(backend, 'k')).equals(whole)).toBe(true);
        await put(backend, 'k', 'newer');
        expect(await listAll(backend)).toEqual(['k']);
      }),
    );

    test.each<[ChecksumAlgorithm, 'COMPOSITE' | 'FULL_OBJECT']>([
      ['SHA256', 'COMPOSITE'],
      ['CRC32', 'COMPOSITE'],
      ['CRC32', 'FULL_OBJECT'],
      ['CRC32C', 'FULL_OBJECT'],
      ['CRC64NVME', 'FULL_OBJECT'],
    ])('an upload with %s ends with a %s checksum', (algorithm, type) =>
      withUploads(async (backend) => {
        const about = { checksumAlgorithm: algorithm, checksumType: type };
        const { uploadId, parts } = await upload(backend, 'k', about);
        const digest = (bytes: Buffer) => digestOf(algorithm, bytes);
        for (const [index, part] of parts.entries()) {
          expect(part.checksums).toEqual({ [algorithm]: digest(bodies[index] as Buffer).toString('base64') });
        }
        const expected =
          type === 'FULL_OBJECT'
            ? digest(whole).toString('base64')
            : `${digest(Buffer.concat(bodies.map(digest))).toString('base64')}-3`;
        const wrong = { checksums: { [algorithm]: digest(Buffer.from('other')).toString('base64') } };
        expect(await kindOf(backend.completeUpload('k', uploadId, parts, wrong))).toBe('bad-digest');
        const [first, ...rest] = parts as [CompletePart];
        const swapped = [{ ...first, checksums: wrong.checksums }, ...rest];
        expect(await kindOf(backend.completeUpload('k', uploadId, swapped))).toBe('invalid-part');
        const made = await backend.completeUpload('k', uploadId, parts, {
          checksums: { [algorithm]: expected },
        });
        expect(made).toMatchObject({ checksums: { [algorithm]: expected }, checksumType: type });
        const head = await backend.head('k');
        expect([head.checksums, head.parts]).toEqual([made.checksums, made.parts]);
        if (!backend.findPart) expect(made.parts?.[0]?.checksums).toEqual(parts[0]?.checksums);
      })(),
    );

    test(
      'a copy of a multipart object is a plain object with the same bytes',
      withUploads(async (backend) => {
        const { uploadId, parts } = await upload(backend, 'k');
        const { generation } = await backend.completeUpload('k', uploadId, parts);
        const copied = await backend.copy('k', 'c', { sourceGeneration: generation });
        expect(copied.sizeBytes).toBe(whole.length);
        await backend.delete('k');
        expect((await getAll(backend, 'c')).equals(whole)).toBe(true);
      }),
    );

    test(
      'of several Completes and an abort at once the outcome is one whole object or none',
      withUploads(async (backend) => {
        const { uploadId, parts } = await upload(backend, 'k');
        const results = await Promise.allSettled([
          backend.completeUpload('k', uploadId, parts),
          backend.abortUpload('k', uploadId),
          backend.completeUpload('k', uploadId, parts),
        ]);
        const completed = results[0]?.status === 'fulfilled' || results[2]?.status === 'fulfilled';
        expect(await listAll(backend)).toEqual(completed ? ['k'] : []);
        if (completed) expect((await getAll(backend, 'k')).equals(whole)).toBe(true);
      }),
    );
  });
}
