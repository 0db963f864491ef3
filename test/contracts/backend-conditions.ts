import { describe, expect, test } from '@jest/globals';
import { UfsError } from '../../src/ufs/errors.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { getAll, kindOf, type OpenBackend, plain, put, withBackend } from './backend.ts';

const ifAbsent = { condition: { ifNoneMatch: '*' } } as const;
const ifMatch = (etag: string) => ({ condition: { ifMatch: etag } });

export function conditionContract(open: OpenBackend): void {
  describe('conditions', () => {
    test(
      'If-None-Match decides about put, or is refused',
      withBackend(open, async (backend) => {
        if (!backend.capabilities.conditionalCreate) {
          expect(await kindOf(put(backend, 'k', 'x', ifAbsent))).toBe('not-implemented');
          expect(await kindOf(backend.head('k'))).toBe('not-found');
          return;
        }
        await put(backend, 'k', 'one', ifAbsent);
        expect(await kindOf(put(backend, 'k', 'two', ifAbsent))).toBe('precondition-failed');
        expect((await getAll(backend, 'k')).toString()).toBe('one');
      }),
    );

    test(
      'If-Match decides about put, or is refused',
      withBackend(open, async (backend) => {
        if (!backend.capabilities.conditionalPut) {
          const { etag } = await put(backend, 'k', 'one');
          expect(await kindOf(put(backend, 'k', 'two', ifMatch(etag)))).toBe('not-implemented');
          expect((await getAll(backend, 'k')).toString()).toBe('one');
          return;
        }
        expect(await kindOf(put(backend, 'k', 'x', ifMatch('*')))).toBe('not-found');
        const first = await put(backend, 'k', 'one');
        expect(await kindOf(put(backend, 'k', 'two', ifMatch('other')))).toBe('precondition-failed');
        await put(backend, 'k', 'two', ifMatch(first.etag));
        expect((await getAll(backend, 'k')).toString()).toBe('two');
        await put(backend, 'k', 'three', ifMatch('*'));
        expect((await getAll(backend, 'k')).toString()).toBe('three');
      }),
    );

    test(
      'If-Match decides about delete, or is refused',
      withBackend(open, async (backend) => {
        if (!backend.capabilities.conditionalDelete) {
          const { etag } = await put(backend, 'k', 'one');
          expect(await kindOf(backend.delete('k', ifMatch(etag)))).toBe('not-implemented');
          expect((await getAll(backend, 'k')).toString()).toBe('one');
          return;
        }
        expect(await kindOf(backend.delete('k', ifMatch('*')))).toBe('not-found');
        const first = await put(backend, 'k', 'one');
        const second = await put(backend, 'k', 'two');
        expect(await kindOf(backend.delete('k', ifMatch(first.etag)))).toBe('precondition-failed');
        expect((await getAll(backend, 'k')).toString()).toBe('two');
        await backend.delete('k', ifMatch(second.etag));
        expect(await kindOf(backend.head('k'))).toBe('not-found');
      }),
    );

    test(
      'a copy that is not decided atomically takes no condition',
      withBackend(open, async (backend) => {
        if (backend.capabilities.conditionalCopy) return;
        const { generation } = await put(backend, 'k', 'one');
        for (const one of [ifAbsent, ifMatch('*')]) {
          const copy = backend.copy('k', 'c', { sourceGeneration: generation, ...one });
          expect(await kindOf(copy)).toBe('not-implemented');
        }
        expect(await kindOf(backend.head('c'))).toBe('not-found');
      }),
    );

    test(
      'a condition that cannot hold is refused before a large body is read',
      withBackend(open, async (backend) => {
        if (!backend.capabilities.conditionalCreate) return;
        await put(backend, 'k', 'one');
        let read = false;
        const body = new TestBody(Buffer.alloc(300_000), {
          beforeChunk: () => {
            read = true;
          },
        });
        expect(await kindOf(backend.put('k', body, { ...plain, ...ifAbsent }))).toBe('precondition-failed');
        expect(read).toBe(false);
      }),
    );

    test(
      'a condition that ceased to hold while the body came is refused at the commit',
      withBackend(open, async (backend) => {
        if (!backend.capabilities.conditionalCreate) return;
        for (const sizeBytes of [100, 200_000]) {
          const key = `k${sizeBytes}`;
          const overtaken = put(backend, key, someBytes(sizeBytes), {
            ...ifAbsent,
            beforeChunk: async (index) => {
              if (index === 0) await put(backend, key, 'first');
            },
          });
          expect(['precondition-failed', 'conflict']).toContain(await kindOf(overtaken));
          expect((await getAll(backend, key)).toString()).toBe('first');
        }
      }),
    );

    test(
      'of fifty puts at once with If-None-Match exactly one wins, and its bytes are there',
      withBackend(open, async (backend) => {
        if (!backend.capabilities.conditionalCreate) return;
        for (const sizeBytes of [50, 100_000]) {
          const key = `deep/er/${sizeBytes}`;
          const puts = Array.from({ length: 50 }, async (_, i) => {
            await put(backend, key, someBytes(sizeBytes, i + 1), ifAbsent);
            return i;
          });
          const results = await Promise.allSettled(puts);
          const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
          expect(winners).toHaveLength(1);
          for (const result of results) {
            if (result.status === 'fulfilled') continue;
            expect(result.reason).toBeInstanceOf(UfsError);
            expect(['precondition-failed', 'conflict']).toContain(result.reason.kind);
          }
          const bytes = await getAll(backend, key);
          expect(bytes.equals(someBytes(sizeBytes, (winners[0] as number) + 1))).toBe(true);
        }
      }),
    );

    test(
      'of many deletes at once of one version exactly one succeeds, at whatever moment each of them comes',
      withBackend(open, async (backend) => {
        if (!backend.capabilities.conditionalDelete) return;
        for (let round = 0; round < 20; round++) {
          const { etag } = await put(backend, 'k', 'body');
          const deletes = Array.from({ length: 16 }, async (_, i) => {
            for (let turn = 0; turn < i; turn++) await new Promise((resolve) => setImmediate(resolve));
            await backend.delete('k', ifMatch(etag));
          });
          const results = await Promise.allSettled(deletes);
          expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        }
      }),
    );

    test(
      'of twenty compare-and-set increments at once none is lost',
      withBackend(open, async (backend) => {
        if (!backend.capabilities.conditionalPut) return;
        await put(backend, 'counter', '0');
        const increment = async () => {
          for (;;) {
            const meta = await backend.head('counter');
            const value = Number((await getAll(backend, 'counter')).toString());
            try {
              await put(backend, 'counter', String(value + 1), ifMatch(meta.etag));
              return;
            } catch (error) {
              if (
                !(error instanceof UfsError) ||
                !['precondition-failed', 'conflict', 'moved'].includes(error.kind)
              ) {
                throw error;
              }
            }
          }
        };
        // A reader of the counter may find that it moved between head and read; it begins again.
        const patient = async () => {
          for (;;) {
            try {
              return await increment();
            } catch (error) {
              if (!(error instanceof UfsError) || error.kind !== 'moved') throw error;
            }
          }
        };
        await Promise.all(Array.from({ length: 20 }, patient));
        expect((await getAll(backend, 'counter')).toString()).toBe('20');
      }),
    );

    test(
      'puts and deletes of one key at once leave one whole version or none',
      withBackend(open, async (backend) => {
        const keys = ['d/e/f/k', 'd/e/g', 'd/h'];
        const work = Array.from({ length: 60 }, async (_, i) => {
          const key = keys[i % keys.length] as string;
          if (i % 2) await backend.delete(key);
          else await put(backend, key, someBytes(i % 3 ? 20 : 100_000, i + 1));
        });
        await Promise.all(work);
        for (const key of keys) {
          await put(backend, key, `last ${key}`);
          expect((await getAll(backend, key)).toString()).toBe(`last ${key}`);
          await backend.delete(key);
        }
        expect((await backend.list({ prefix: '', delimiter: '/', limit: 10 })).entries).toEqual([]);
      }),
    );
  });
}
