import { describe, expect, test } from '@jest/globals';
import { digestOf } from '../../src/common/checksums.ts';
import type { ChecksumAlgorithm } from '../../src/common/object-meta.ts';
import type { Backend, CompletePart, CreateUploadOptions } from '../../src/ufs/backend.ts';
import { UfsError, type UploadFault } from '../../src/ufs/errors.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { type OpenBackend, plain, put, withBackend } from './backend.ts';

const bodies = [someBytes(200_000, 1), someBytes(700, 2)];
const whole = Buffer.concat(bodies);
const base64 = (name: ChecksumAlgorithm, bytes: Buffer) => digestOf(name, bytes).toString('base64');

async function upload(backend: Backend, about: Partial<CreateUploadOptions> = {}) {
  const { uploadId } = await backend.createUpload('k', { ...plain, ...about });
  const parts: CompletePart[] = [];
  for (const [index, bytes] of bodies.entries()) {
    const { etag, checksums } = await backend.putPart('k', uploadId, index + 1, new TestBody(bytes));
    parts.push({ partNumber: index + 1, etag, checksums });
  }
  return { uploadId, parts };
}

/** Kind and fault of the `UfsError` that a call rejects with; a storage's own words only as such. */
async function faultOf(call: Promise<unknown>): Promise<[string, UploadFault['what'] | undefined]> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof UfsError)) throw error ?? new Error('the call was expected to fail');
  return [error.kind, error.fault?.what];
}

/** The checksums that S3 keeps of every object (S3 User Guide, "Checking object integrity"). */
export function checksumContract(open: OpenBackend): void {
  const told = (backend: Backend, what: UploadFault['what']) => (backend.findPart ? 'as-told' : what);

  describe('checksums', () => {
    test(
      'an object that comes without a checksum has the default one, and so have its copies',
      withBackend(open, async (backend) => {
        for (const bytes of [Buffer.alloc(0), someBytes(10), someBytes(100_000)]) {
          const expected = {
            checksums: { CRC64NVME: base64('CRC64NVME', bytes) },
            checksumType: 'FULL_OBJECT',
          };
          const { generation } = await put(backend, 'k', bytes);
          expect(await backend.head('k')).toMatchObject(expected);
          const { entries } = await backend.list({ prefix: 'k', limit: 1 });
          expect(entries[0]).toMatchObject({
            checksumAlgorithms: ['CRC64NVME'],
            checksumType: 'FULL_OBJECT',
          });
          expect(await backend.copy('k', 'c', { sourceGeneration: generation })).toMatchObject(expected);
        }
      }),
    );

    test(
      'a copy keeps its source’s kind of checksum, or has the one that is asked for and no other',
      withBackend(open, async (backend) => {
        for (const bytes of [someBytes(10), someBytes(100_000)]) {
          const sent = { CRC32: base64('CRC32', bytes) };
          const { generation: sourceGeneration } = await put(backend, 'k', bytes, { sent });
          expect((await backend.copy('k', 'same', { sourceGeneration })).checksums).toEqual(sent);
          const asked = { sourceGeneration, checksumAlgorithm: 'SHA256' } as const;
          expect((await backend.copy('k', 'other', asked)).checksums).toEqual({
            SHA256: base64('SHA256', bytes),
          });
        }
      }),
    );

    test(
      'a copy of an object with a composite checksum has one of all its bytes',
      withBackend(open, async (backend) => {
        const { uploadId, parts } = await upload(backend, { checksumAlgorithm: 'SHA1' });
        const made = await backend.completeUpload('k', uploadId, parts);
        expect(made.checksumType).toBe('COMPOSITE');
        const copy = await backend.copy('k', 'c', { sourceGeneration: made.generation });
        expect(copy).toMatchObject({
          checksums: { SHA1: base64('SHA1', whole) },
          checksumType: 'FULL_OBJECT',
        });
      }),
    );

    test(
      'an upload without an algorithm takes parts with any checksum, lists none, and makes an object with the default one',
      withBackend(open, async (backend) => {
        const { uploadId, parts } = await upload(backend);
        const [first] = bodies as [Buffer];
        const sent = { CRC32C: base64('CRC32C', first) };
        const again = await backend.putPart('k', uploadId, 1, new TestBody(first, { sent }));
        expect(again.checksums).toEqual(sent);
        const listed = await backend.listParts('k', uploadId, { limit: 5 });
        expect(listed.upload.checksumAlgorithm).toBeUndefined();
        expect(listed.parts.map((part) => part.checksums)).toEqual([{}, {}]);
        const plainly = parts.map((part) => ({ ...part, checksums: {} }));
        const [one, two] = plainly as [CompletePart, CompletePart];
        const complete = (named: CompletePart[], options = {}) =>
          backend.completeUpload('k', uploadId, named, options);
        const wrongly = { CRC32C: base64('CRC32C', whole) };
        expect(await faultOf(complete([{ ...one, checksums: wrongly }, two]))).toEqual([
          'invalid-part',
          'part',
        ]);
        const typed = complete(plainly, { checksumType: 'FULL_OBJECT' });
        expect(await faultOf(typed)).toEqual(['upload-mismatch', told(backend, 'checksum-type')]);
        const wrong = { checksums: { CRC64NVME: base64('CRC64NVME', first) } };
        expect((await faultOf(complete(plainly, wrong)))[0]).toBe('bad-digest');
        const checksums = { CRC64NVME: base64('CRC64NVME', whole) };
        const asSent = [{ ...one, checksums: sent }, two];
        expect(await complete(asSent, { checksums })).toMatchObject({
          checksums,
          checksumType: 'FULL_OBJECT',
        });
      }),
    );

    test(
      'an upload with an algorithm takes no part with another',
      withBackend(open, async (backend) => {
        const { uploadId } = await backend.createUpload('k', { ...plain, checksumAlgorithm: 'SHA256' });
        const body = new TestBody('x', {
          sent: { CRC32: base64('CRC32', Buffer.from('x')) },
          sentAhead: true,
        });
        const refused = await faultOf(backend.putPart('k', uploadId, 1, body));
        expect(refused).toEqual(['upload-mismatch', told(backend, 'other-algorithm')]);
        await backend.abortUpload('k', uploadId);
      }),
    );

    test(
      'a composite checksum needs the checksum of each part, of the upload’s algorithm',
      withBackend(open, async (backend) => {
        const { uploadId, parts } = await upload(backend, { checksumAlgorithm: 'CRC32' });
        const [one, two] = parts as [CompletePart, CompletePart];
        const complete = (named: CompletePart[], options = {}) =>
          faultOf(backend.completeUpload('k', uploadId, named, options));
        expect(await complete([one, { ...two, checksums: {} }])).toEqual([
          'upload-mismatch',
          told(backend, 'part-lacks-checksum'),
        ]);
        const other = { SHA256: base64('SHA256', whole) };
        expect(await complete([{ ...one, checksums: other }, two])).toEqual([
          'bad-digest',
          told(backend, 'part-other-checksum'),
        ]);
        expect(await complete([{ ...one, checksums: two.checksums }, two])).toEqual(['invalid-part', 'part']);
        expect(await complete(parts, { checksumType: 'FULL_OBJECT' })).toEqual([
          'upload-mismatch',
          told(backend, 'checksum-type'),
        ]);
        // The checksum of all the bytes is not that of the parts' checksums.
        expect((await complete(parts, { checksums: { CRC32: base64('CRC32', whole) } }))[0]).toBe(
          'bad-digest',
        );
        const made = await backend.completeUpload('k', uploadId, parts, { checksumType: 'COMPOSITE' });
        expect(made.checksums?.CRC32).toMatch(/-2$/);
        if (backend.listObjectParts) {
          const page = await backend.listObjectParts('k', made, { afterPartNumber: 1, limit: 1 });
          const { partNumber, checksums } = two;
          const sizeBytes = bodies[1]?.length;
          expect(page).toEqual({ parts: [{ partNumber, sizeBytes, checksums }], truncated: false });
        }
      }),
    );

    test(
      'a checksum of the whole object needs none of its parts',
      withBackend(open, async (backend) => {
        const about = { checksumAlgorithm: 'CRC32', checksumType: 'FULL_OBJECT' } as const;
        const { uploadId, parts } = await upload(backend, about);
        const plainly = parts.map((part) => ({ ...part, checksums: {} }));
        const checksums = { CRC32: base64('CRC32', whole) };
        const made = await backend.completeUpload('k', uploadId, plainly, { checksums });
        expect(made).toMatchObject({ checksums, checksumType: 'FULL_OBJECT' });
      }),
    );
  });
}
