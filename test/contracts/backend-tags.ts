import { describe, expect, test } from '@jest/globals';
import type { Tag } from '../../src/common/object-meta.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { getAll, kindOf, type OpenBackend, plain, put, readAll, withBackend } from './backend.ts';

const tags: readonly Tag[] = [
  { key: 'colour', value: 'blue or green' },
  { key: 'empty', value: '' },
];
const others: readonly Tag[] = [{ key: 'größe', value: 'a+b=c/d' }];

/** Tags in any order: S3 gives those that came in a header in none. */
async function tagsOf(backend: Backend, key: string): Promise<readonly Tag[] | undefined> {
  return (await backend.getTags?.(key))?.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

const amend = (backend: Backend, key: string, change: readonly Tag[]) =>
  backend.amend?.(key, { tags: change }) ?? Promise.reject(new Error('it says that it keeps tags'));

export function tagContract(open: OpenBackend): void {
  const withTags = (run: (backend: Backend) => Promise<void>) =>
    withBackend(open, async (backend) => {
      if (backend.capabilities.tagging) await run(backend);
    });

  describe('tags', () => {
    test(
      'are kept with an object until it is overwritten, and counted in its metadata',
      withTags(async (backend) => {
        for (const bytes of [Buffer.from('small'), someBytes(100_000)]) {
          const made = await backend.put('k', new TestBody(bytes), { ...plain, tags });
          expect(made.tagCount).toBe(2);
          expect((await backend.head('k')).tagCount).toBe(2);
          expect(await tagsOf(backend, 'k')).toEqual(tags);
          const again = await put(backend, 'k', bytes);
          expect(again).not.toHaveProperty('tagCount');
          expect(await tagsOf(backend, 'k')).toEqual([]);
        }
      }),
    );

    test(
      'change, and go, without another version',
      withTags(async (backend) => {
        for (const bytes of [Buffer.alloc(0), Buffer.from('small'), someBytes(100_000)]) {
          const put = await backend.put('k', new TestBody(bytes), { ...plain, tags });
          // Whether a generation is settled is a matter of time.
          const { tagCount: _, generationSettled: __, ...made } = put;
          expect(await amend(backend, 'k', others)).toMatchObject({ ...made, tagCount: 1 });
          expect(await tagsOf(backend, 'k')).toEqual(others);
          for (const meta of [await amend(backend, 'k', []), await backend.head('k')]) {
            expect(meta).toMatchObject(made);
            expect(meta).not.toHaveProperty('tagCount');
          }
          expect(await tagsOf(backend, 'k')).toEqual([]);
          // By the metadata from before, which names the same version.
          if (bytes.length > 0) expect((await readAll(backend, 'k', put)).equals(bytes)).toBe(true);
        }
      }),
    );

    test(
      'are taken along by a copy, with other metadata too, unless it brings its own',
      withTags(async (backend) => {
        for (const bytes of [Buffer.from('small'), someBytes(100_000)]) {
          const source = await backend.put('k', new TestBody(bytes), { ...plain, tags });
          const from = { sourceGeneration: source.generation };
          expect((await backend.copy('k', 'c', from)).tagCount).toBe(2);
          expect(await tagsOf(backend, 'c')).toEqual(tags);
          await backend.copy('k', 'c', { ...from, replace: { headers: {}, userMetadata: { a: 'b' } } });
          expect(await tagsOf(backend, 'c')).toEqual(tags);
          await backend.copy('k', 'c', { ...from, tags: others });
          expect(await tagsOf(backend, 'c')).toEqual(others);
          await backend.copy('k', 'c', { ...from, tags: [] });
          expect(await tagsOf(backend, 'c')).toEqual([]);
          expect((await getAll(backend, 'c')).equals(bytes)).toBe(true);
        }
      }),
    );

    test(
      'that an upload began with are the object’s, and change without its parts',
      withTags(async (backend) => {
        const { uploadId } = await backend.createUpload('k', { ...plain, tags });
        const part = await backend.putPart('k', uploadId, 1, new TestBody('part'));
        const { generation } = await backend.completeUpload('k', uploadId, [{ ...part, checksums: {} }]);
        expect(await tagsOf(backend, 'k')).toEqual(tags);
        expect((await amend(backend, 'k', others)).generation).toBe(generation);
        expect(await tagsOf(backend, 'k')).toEqual(others);
        expect((await getAll(backend, 'k')).toString()).toBe('part');
        const copied = await backend.copy('k', 'c', { sourceGeneration: generation });
        expect([copied.tagCount, await tagsOf(backend, 'c')]).toEqual([1, others]);
      }),
    );

    test(
      'are not found where there is no object',
      withTags(async (backend) => {
        expect(await kindOf(tagsOf(backend, 'none'))).toBe('not-found');
        expect(await kindOf(amend(backend, 'none', tags))).toBe('not-found');
      }),
    );
  });
}
