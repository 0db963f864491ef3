import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compareUtf8 } from '../../src/common/utf8-order.ts';
import { getAll, kindOf, listAll, type OpenBackend, put, withBackend } from './backend.ts';

/** Keys that no plain file name could stand for, or not all at once. */
const oddKeys = [
  'a', 'a/b', 'a/', 'a//', 'a//b', '/', '//', '/a', '.', '..', '../up', './here', 'x/../y', 'x/./y', 'trail/',
  '.forebay', '.forebay/tmp/x', 'nul\0byte', 'line\nbreak', 'tab\tand\x7f', '%', '%2F', '%%', 'a%', 'a%k', 'a%/b', '%k',
  '%w', 'CASE', 'case', 'Case/x', 'case/x', '😀', '😀/😀', 'e\u0301', '\u00e9', 'back\\slash', ' lead', 'trail ', '~', '*?<>|":',
  'CON', 'con.txt', '\ud7ff\ue000', '\uffff', 'l'.repeat(209), 'l'.repeat(210), 'l'.repeat(211), `${'l'.repeat(210)}/x`,
  `${'l'.repeat(420)}/`, 'é'.repeat(512), '\x01'.repeat(1_024), '😀'.repeat(256), `${'n'.repeat(255)}/${'m'.repeat(255)}`,
]; // biome-ignore format: a table

const oddKey = fc
  .array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.constantFrom('/', '.', '%', 'a', 'B', '\0', 'é', '😀', '\x7f', ' ', '..', '%k', '-'),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom('x'.repeat(100), '\x02'.repeat(105), '/'.repeat(5), 'é'.repeat(105)),
      },
    ),
    { minLength: 1, maxLength: 7 },
  )
  .map((pieces) => pieces.join(''));

const refusedByFiles = ['../up', 'a/./b', 'a//b', '/a', 'nul\0', 'n'.repeat(256), '.forebay/x', 'trail/'];

export function keyContract(open: OpenBackend): void {
  describe('keys', () => {
    test(
      'odd keys are all held beside each other, or refused with what the backend says it cannot hold',
      withBackend(open, async (backend, { holds }) => {
        const held: string[] = [];
        for (const key of oddKeys) {
          try {
            await put(backend, key, `body of ${key}`);
            held.push(key);
          } catch (error) {
            if (backend.capabilities.anyKey) throw error;
            expect(['invalid-key', 'key-conflict']).toContain((error as { kind?: string }).kind);
          }
        }
        if (holds) expect(held).toEqual(oddKeys.filter(holds));
        for (const key of held) expect((await getAll(backend, key)).toString()).toBe(`body of ${key}`);
        const sorted = [...held].sort(compareUtf8);
        expect(await listAll(backend)).toEqual(sorted);
        expect(await listAll(backend, { limit: 7 })).toEqual(sorted);
        for (const key of held) await backend.delete(key);
        expect(await listAll(backend)).toEqual([]);
      }),
    );

    test(
      'a refused key is refused by every change, and is not found by reading',
      withBackend(open, async (backend, { refusedKeys = refusedByFiles }) => {
        if (backend.capabilities.anyKey) return;
        for (const key of refusedKeys) {
          expect([key, await kindOf(put(backend, key, 'x'))]).toEqual([key, 'invalid-key']);
          expect([key, await kindOf(backend.createUpload(key, { headers: {}, userMetadata: {} }))]).toEqual([
            key,
            'invalid-key',
          ]);
          expect([key, await kindOf(backend.head(key))]).toEqual([key, 'not-found']);
          await backend.delete(key);
        }
      }),
    );

    test(
      'any keys, put and deleted in any order, list as the model does and keep their bodies',
      withBackend(open, async (backend, { holds }) => {
        if (!backend.capabilities.anyKey && !holds) return;
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.tuple(oddKey, fc.boolean()), { maxLength: 10 }),
            fc.constantFrom(undefined, '/', '//', 'a', '\0'),
            async (changes, delimiter) => {
              const model = new Map<string, string>();
              for (const [key, keep] of changes) {
                if (holds && !holds(key)) continue;
                if (keep) {
                  const body = `${key} ${model.size}`;
                  await put(backend, key, body);
                  model.set(key, body);
                } else {
                  await backend.delete(key);
                  model.delete(key);
                }
              }
              expect(await listAll(backend, { limit: 3 })).toEqual([...model.keys()].sort(compareUtf8));
              const folded = new Set(
                [...model.keys()].map((key) => {
                  const at = delimiter ? key.indexOf(delimiter) : -1;
                  return at < 0 ? key : key.slice(0, at + (delimiter as string).length);
                }),
              );
              expect(await listAll(backend, { delimiter, limit: 2 })).toEqual([...folded].sort(compareUtf8));
              for (const [key, body] of model) expect((await getAll(backend, key)).toString()).toBe(body);
              for (const key of model.keys()) await backend.delete(key);
            },
          ),
          { numRuns: 40 },
        );
      }),
    );

    test(
      'a zero-byte key that ends with a slash is a folder marker',
      withBackend(open, async (backend) => {
        await put(backend, 'dir/', '', { headers: { contentType: 'application/x-directory' } });
        expect(await backend.head('dir/')).toMatchObject({
          sizeBytes: 0,
          etag: 'd41d8cd98f00b204e9800998ecf8427e',
          headers: { contentType: 'application/x-directory' },
        });
        expect(await listAll(backend)).toEqual(['dir/']);
        await put(backend, 'dir/x', 'x');
        expect(await listAll(backend)).toEqual(['dir/', 'dir/x']);
        expect(await listAll(backend, { delimiter: '/' })).toEqual(['dir/']);
        await backend.delete('dir/x');
        expect(await listAll(backend)).toEqual(['dir/']);
        await backend.delete('dir/');
        expect(await listAll(backend)).toEqual([]);
        expect(await kindOf(backend.head('dir/'))).toBe('not-found');
      }),
    );
  });
}
