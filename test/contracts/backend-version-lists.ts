import { describe, expect, test } from '@jest/globals';
import { someBytes } from '../support/upload-body.ts';
import type { OpenBackend } from './backend.ts';
import { withVersions as opened, rows, type Versioned } from './versioned.ts';

const large = 70_000;

export function versionListContract(open: OpenBackend): void {
  const withVersions = (run: (versioned: Versioned) => Promise<void>) => opened(open, run);

  describe('lists of versions', () => {
    test.each([1, 2, 3, 7])('lists page by %d through keys, versions and common prefixes', (limit) =>
      withVersions(async (versioned) => {
        const { set, put, remove } = versioned;
        await set(undefined);
        await put('b/null', someBytes(1, 1));
        await set('enabled');
        for (const [key, count] of [
          ['a', 3],
          ['b/null', 2],
          ['b/x', 1],
          ['b/x/y', 2],
          ['c', 1],
        ] as const) {
          for (let i = 1; i <= count; i++) await put(key, someBytes(i + 1, i));
        }
        await remove('a');
        await remove('d');
        const a = ['a - id *', 'a 4 id', 'a 3 id', 'a 2 id'];
        const ends = ['c 2 id *', 'd - id *'];
        const b = [
          'b/null 3 id *',
          'b/null 2 id',
          'b/null 1 null',
          'b/x 2 id *',
          'b/x/y 3 id *',
          'b/x/y 2 id',
        ];
        expect(await rows(versioned, { limit })).toEqual([...a, ...b, ...ends]);
        expect(await rows(versioned, { limit, delimiter: '/' })).toEqual([...a, 'b/', ...ends]);
        expect(await rows(versioned, { limit, delimiter: '/', prefix: 'b/x' })).toEqual([
          'b/x 2 id *',
          'b/x/',
        ]);
        expect(await rows(versioned, { limit, prefix: 'b/' })).toEqual(b);
        expect(await rows(versioned, { limit, keyMarker: 'a' })).toEqual([...b, ...ends]);
      })(),
    );

    test(
      'no version is lost between two pages, whatever happens to those that were listed',
      withVersions(async (versioned) => {
        const { versions, set, put } = versioned;
        await set('enabled');
        const ids: string[] = [];
        for (let i = 1; i <= 6; i++) ids.unshift(await put('k', someBytes(i, i)));
        const first = await versions.list({ prefix: '', limit: 2 });
        const last = first.entries.at(-1);
        const marker = last?.kind === 'version' ? last.versionId : '';
        expect(marker).toBe(ids[1]);
        await versions.delete('k', marker);
        await put('k', someBytes(7, 7));
        const rest = await versions.list({ prefix: '', keyMarker: 'k', versionIdMarker: marker, limit: 10 });
        expect(rest.entries.map((entry) => (entry.kind === 'version' ? entry.versionId : entry))).toEqual(
          ids.slice(2),
        );
      }),
    );

    test(
      'puts, deletes and deletions by id of one key at once leave a latest that the list names too',
      withVersions(async (versioned) => {
        const { backend, versions, set, put, remove } = versioned;
        await set('enabled');
        const kept = await put('k', someBytes(9, 9));
        const listed: string[][] = [];
        const work = Array.from({ length: 24 }, async (_, i) => {
          if (i % 4 === 0) await versions.delete('k', await remove('k'));
          else if (i % 4 === 1) await versions.delete('k', await put('k', someBytes(large, i)));
          else if (i % 4 === 2) await put('k', someBytes(20, i));
          else {
            const { entries } = await versions.list({ prefix: 'k', limit: 1_000 });
            listed.push(entries.map((entry) => (entry.kind === 'version' ? entry.versionId : entry.key)));
          }
        });
        await Promise.all(work);
        // The first version was there all the time.
        for (const ids of listed) expect(ids.filter((id) => id === kept)).toEqual([kept]);
        const { entries } = await versions.list({ prefix: 'k', limit: 1_000 });
        expect(entries).toHaveLength(7);
        expect(entries.filter((entry) => entry.kind === 'version' && entry.isLatest)).toHaveLength(1);
        expect(entries[0]).toMatchObject({ isLatest: true, versionId: (await backend.head('k')).versionId });
      }),
    );
  });
}
