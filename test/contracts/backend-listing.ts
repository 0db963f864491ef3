import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compareUtf8 } from '../../src/common/utf8-order.ts';
import { ArrayCursor, groupPage } from '../../src/ufs/grouping.ts';
import { listAll, type OpenBackend, put, withBackend } from './backend.ts';

const keys = [
  'a-b', 'a.txt', 'a/b', 'a/c/d', 'a/c/e', 'a/c/f/g', 'a0', 'b/x', 'b/y', 'b!', 'b/z/1', 'photos/2024/1.jpg',
  'photos/2024/2.jpg', 'photos/2025/1.jpg', 'é/1', 'z', '\ue000', '😀/x', '😀', 'Z', 'A/b',
]; // biome-ignore format: a table

export function listingContract(open: OpenBackend): void {
  describe('listing', () => {
    test(
      'every combination of prefix, delimiter, marker and limit gives what the model gives',
      withBackend(open, async (backend, { holds }) => {
        // A tree of real files cannot hold a file beside a folder of its name.
        const held = backend.capabilities.anyKey || holds ? keys : keys.filter((key) => key !== '😀');
        for (const key of held) await put(backend, key, key);
        const model = held
          .map((key) => ({ kind: 'object' as const, key }))
          .sort((a, b) => compareUtf8(a.key, b.key));
        const piece = fc.constantFrom(
          '',
          'a',
          'a/',
          'a/c',
          'a/c/',
          'b',
          'photos/',
          'photos/2024',
          '😀',
          '😀/',
          'é',
          'zz',
        );
        await fc.assert(
          fc.asyncProperty(
            piece,
            fc.constantFrom(undefined, '/', 'c', '/2', '2024/', '-'),
            fc.option(fc.oneof(piece, fc.constantFrom(...held)), { nil: undefined }),
            fc.integer({ min: 1, max: 30 }),
            async (prefix, delimiter, after, limit) => {
              const options = { prefix, delimiter, after, limit };
              const page = await backend.list(options);
              const { entries, truncated } = await groupPage(new ArrayCursor(model), options);
              expect(page.entries.map(({ kind, key }) => ({ kind, key }))).toEqual(entries);
              expect(page.truncated).toBe(truncated);
            },
          ),
          { numRuns: 300 },
        );
      }),
    );

    test(
      'an entry tells what head tells',
      withBackend(open, async (backend) => {
        await put(backend, 'f/k', 'body');
        const { sizeBytes, etag, lastModifiedMs, checksums = {}, checksumType } = await backend.head('f/k');
        const told = {
          sizeBytes,
          etag,
          lastModifiedMs,
          checksumAlgorithms: Object.keys(checksums),
          checksumType,
        };
        const page = await backend.list({ prefix: 'f/', delimiter: '/', limit: 10 });
        expect(page).toEqual({
          entries: [{ kind: 'object', key: 'f/k', ...told }],
          truncated: false,
        });
      }),
    );

    test(
      'a key that is there throughout appears exactly once while others come and go',
      withBackend(open, async (backend) => {
        const steady = Array.from({ length: 40 }, (_, i) => `k${i % 4}/${String(i).padStart(3, '0')}`);
        for (const key of steady) await put(backend, key, 'x');
        const seen: string[] = [];
        let after: string | undefined;
        for (let step = 0, truncated = true; truncated; step++) {
          const page = await backend.list({ prefix: '', after, limit: 3 });
          seen.push(...page.entries.map((entry) => entry.key).filter((key) => !key.includes('new')));
          after = page.entries.at(-1)?.key;
          truncated = page.truncated;
          await put(backend, `k${step % 4}/0${step}new`, 'x');
          if (step % 3 === 2) await backend.delete(`k${(step - 1) % 4}/0${step - 1}new`);
        }
        expect(seen).toEqual([...steady].sort());
      }),
    );

    test(
      'what is written or deleted shows in the next list, also of a folder that was just listed',
      withBackend(open, async (backend) => {
        await put(backend, 'f/b', 'x');
        expect(await listAll(backend, { prefix: 'f/' })).toEqual(['f/b']);
        await put(backend, 'f/a', 'x');
        expect(await listAll(backend, { prefix: 'f/' })).toEqual(['f/a', 'f/b']);
        await put(backend, 'f/b', 'longer');
        const page = await backend.list({ prefix: 'f/b', limit: 1 });
        expect(page.entries[0]).toMatchObject({ sizeBytes: 6 });
        await backend.delete('f/b');
        expect(await listAll(backend, { delimiter: '/' })).toEqual(['f/']);
        await backend.delete('f/a');
        expect(await listAll(backend, { delimiter: '/' })).toEqual([]);
      }),
    );
  });
}
