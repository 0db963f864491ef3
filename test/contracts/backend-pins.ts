import { describe, expect, test } from '@jest/globals';
import type { Backend } from '../../src/ufs/backend.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { kindOf, type OpenBackend, put, readAll, withBackend } from './backend.ts';

const sizeBytes = 3_000_000;

/** A multipart object of `bytes`. */
async function putInParts(backend: Backend, key: string, bytes: Buffer) {
  const { uploadId } = await backend.createUpload(key, { headers: {}, userMetadata: {} });
  const parts = [];
  for (const [index, start] of [0, 1_000_000, 2_000_000].entries()) {
    const body = new TestBody(bytes.subarray(start, start + 1_000_000));
    parts.push(await backend.putPart(key, uploadId, index + 1, body));
  }
  return backend.completeUpload(key, uploadId, parts);
}

const changes: readonly (readonly [string, (backend: Backend) => Promise<unknown>])[] = [
  ['overwritten', (backend) => put(backend, 'k', someBytes(sizeBytes, 2))],
  ['overwritten by parts', (backend) => putInParts(backend, 'k', someBytes(sizeBytes, 2))],
  ['deleted', (backend) => backend.delete('k')],
  [
    'deleted and put anew',
    async (backend) => {
      await backend.delete('k');
      await put(backend, 'k', someBytes(10, 3));
    },
  ],
];

/** Of backends over which a version can be kept for its readers. */
export function pinContract(open: OpenBackend): void {
  describe('a version that is being read', () => {
    for (const [how, make] of [
      ['put', (backend: Backend) => put(backend, 'k', someBytes(sizeBytes, 1))],
      ['put in parts', (backend: Backend) => putInParts(backend, 'k', someBytes(sizeBytes, 1))],
    ] as const) {
      test.each(changes)(`${how}, goes on to its end when it is %s meanwhile`, (_, change) =>
        withBackend(open, async (backend) => {
          if (!backend.pin) return;
          const meta = await make(backend);
          const chunks: Buffer[] = [];
          for await (const chunk of backend.read('k', meta, { start: 0, end: sizeBytes })) {
            if (chunks.length === 0) await change(backend);
            chunks.push(chunk);
          }
          expect(Buffer.concat(chunks).equals(someBytes(sizeBytes, 1))).toBe(true);
          expect(await kindOf(readAll(backend, 'k', meta))).toBe('moved');
        })(),
      );

      test.each(changes)(`${how}, is had as long as it is pinned though it was %s`, (_, change) =>
        withBackend(open, async (backend) => {
          if (!backend.pin) return;
          const meta = await make(backend);
          const releases = [await backend.pin('k', meta), await backend.pin('k', meta)];
          await change(backend);
          for (const release of releases) {
            expect((await readAll(backend, 'k', meta)).equals(someBytes(sizeBytes, 1))).toBe(true);
            const end = { start: sizeBytes - 10, end: sizeBytes };
            expect(await readAll(backend, 'k', meta, end)).toEqual(someBytes(sizeBytes, 1).subarray(-10));
            await release();
          }
          expect(await kindOf(readAll(backend, 'k', meta))).toBe('moved');
          expect(await kindOf(backend.pin('k', meta))).toBe('moved');
        })(),
      );
    }
  });
}
