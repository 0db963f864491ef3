import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { PageKey, PageStore } from '../../src/worker/page-store.ts';

/** A store under test, with room for at least twenty pages of 10,000 bytes and for no more than two hundred. */
export interface PageStoreUnderTest {
  readonly store: PageStore;
  readonly close: () => Promise<void>;
}

export function pageKey(changes: Partial<PageKey> = {}): PageKey {
  return {
    incarnation: 'mount-1',
    path: 'folder/key',
    generation: 'g1',
    pageSizeBytes: 100_000,
    pageIndex: 0,
    ...changes,
  };
}

export function pageBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + seed * 17 + (i >> 8)) & 0xff;
  return bytes;
}

/** What every page store does, whatever its medium. */
export function pageStoreContract(name: string, open: () => Promise<PageStoreUnderTest>): void {
  describe(`${name} as a page store`, () => {
    let underTest: PageStoreUnderTest;
    let store: PageStore;

    beforeEach(async () => {
      underTest = await open();
      store = underTest.store;
    });
    afterEach(() => underTest.close());

    test('gives back a page that came in pieces, whatever their lengths', async () => {
      const bytes = pageBytes(200_001);
      const pieces: Buffer[] = [];
      for (let at = 0, length = 1; at < bytes.length; at += length, length = (length * 7 + 3) % 70_000) {
        pieces.push(bytes.subarray(at, at + length));
      }
      expect(pieces.length).toBeGreaterThan(3);
      await store.write(pageKey(), Buffer.alloc(0), ...pieces);
      expect(await store.read(pageKey(), 0, bytes.length)).toEqual(bytes);
      expect(await store.read(pageKey(), 65_500, 65_600)).toEqual(bytes.subarray(65_500, 65_600));
    });

    test('gives back any range of a page as it was written', async () => {
      const bytes = pageBytes(10_000);
      await store.write(pageKey(), bytes);
      for (const [start, end] of [
        [0, 10_000],
        [0, 1],
        [9_999, 10_000],
        [1234, 5678],
      ] as const) {
        expect(await store.read(pageKey(), start, end)).toEqual(bytes.subarray(start, end));
      }
      expect(store.has(pageKey())).toBe(true);
    });

    test('has nothing that was not written, and nothing beyond the end of a page', async () => {
      expect(await store.read(pageKey(), 0, 1)).toBeUndefined();
      expect(store.readNow(pageKey(), 0, 1)).toBeUndefined();
      expect(store.has(pageKey())).toBe(false);
      await store.write(pageKey(), pageBytes(10));
      expect(await store.read(pageKey(), 0, 11)).toBeUndefined();
      expect(await store.read(pageKey(), 0, 10)).toBeDefined();
    });

    test('finds a page whole that it has, and none that it does not have', async () => {
      expect(await store.check(pageKey())).toBe(false);
      await store.write(pageKey(), pageBytes(10_000));
      expect(await store.check(pageKey())).toBe(true);
      expect(await store.check(pageKey({ generation: 'g2' }))).toBe(false);
      await store.remove('mount-1', 'folder/key');
      expect(await store.check(pageKey())).toBe(false);
    });

    test('keeps apart pages that differ in any part of their key', async () => {
      const keys = [
        pageKey(),
        pageKey({ incarnation: 'mount-2' }),
        pageKey({ path: 'folder/key2' }),
        pageKey({ generation: 'g2' }),
        pageKey({ pageSizeBytes: 50_000 }),
        pageKey({ pageIndex: 1 }),
        pageKey({ path: 'ключ 🗝 "\\' }),
      ];
      for (const [i, key] of keys.entries()) await store.write(key, pageBytes(1000, i));
      for (const [i, key] of keys.entries()) {
        expect(await store.read(key, 0, 1000)).toEqual(pageBytes(1000, i));
      }
      expect(store.usage.pages).toBe(keys.length);
      expect(store.pathCount()).toBe(4);
    });

    test('forgets the pages of a path, all or all but those of one generation', async () => {
      const old = [0, 1, 2].map((pageIndex) => pageKey({ pageIndex }));
      const present = pageKey({ generation: 'g2' });
      const other = pageKey({ path: 'other' });
      for (const key of [...old, present, other]) await store.write(key, pageBytes(100));
      expect(store.hasSome('mount-1', 'folder/key')).toBe(true);
      expect([store.hasSome('mount-2', 'folder/key'), store.hasSome('mount-1', 'folder')]).toEqual([
        false,
        false,
      ]);
      await store.remove('mount-1', 'folder/key', 'g2');
      expect(store.hasSome('mount-1', 'folder/key')).toBe(true);
      expect(old.map((key) => store.has(key))).toEqual([false, false, false]);
      expect([store.has(present), store.has(other)]).toEqual([true, true]);
      await store.remove('mount-1', 'folder/key');
      expect([store.has(present), store.has(other)]).toEqual([false, true]);
      expect(store.pathCount()).toBe(1);
      expect([store.hasSome('mount-1', 'folder/key'), store.hasSome('mount-1', 'other')]).toEqual([
        false,
        true,
      ]);
      expect(await store.read(present, 0, 1)).toBeUndefined();
    });

    test('forgets the pages of a mount', async () => {
      const other = pageKey({ incarnation: 'mount-2' });
      for (let i = 0; i < 5; i++) await store.write(pageKey({ path: `key-${i}` }), pageBytes(100));
      await store.write(other, pageBytes(100));
      await store.removeIncarnation('mount-1');
      expect(store.usage.pages).toBe(1);
      expect(store.has(other)).toBe(true);
      expect([store.hasSome('mount-1', 'key-1'), store.hasSome('mount-2', 'folder/key')]).toEqual([
        false,
        true,
      ]);
    });

    test('takes a page again that it had forgotten', async () => {
      await store.write(pageKey(), pageBytes(100));
      await store.remove('mount-1', 'folder/key');
      await store.write(pageKey(), pageBytes(100));
      expect(await store.read(pageKey(), 0, 100)).toEqual(pageBytes(100));
    });

    test('holds its capacity, whatever is written', async () => {
      const kept: number[] = [];
      for (let i = 0; i < 400; i++) {
        await store.write(pageKey({ path: `key-${i}` }), pageBytes(10_000, i));
        expect(store.usage.bytes).toBeLessThanOrEqual(store.usage.capacityBytes);
      }
      for (let i = 0; i < 400; i++) {
        const bytes = await store.read(pageKey({ path: `key-${i}` }), 0, 10_000);
        if (bytes) {
          expect(bytes.equals(pageBytes(10_000, i))).toBe(true);
          kept.push(i);
        }
      }
      expect(kept.length).toBeGreaterThanOrEqual(20);
      expect(kept.length).toBeLessThanOrEqual(200);
    });

    test('does not give up pages in steady use for a scan', async () => {
      const hot = Array.from({ length: 10 }, (_, i) => pageKey({ path: `hot-${i}` }));
      for (const key of hot) await store.write(key, pageBytes(10_000));
      for (let i = 0; i < 400; i++) {
        for (const key of hot) if (i % 3 === 0) await store.read(key, 0, 100);
        await store.write(pageKey({ path: `scan-${i}` }), pageBytes(10_000));
      }
      expect(hot.filter((key) => store.has(key)).length).toBe(hot.length);
    });

    test('takes calls of every kind at the same time', async () => {
      await Promise.all(
        Array.from({ length: 200 }, async (_, i) => {
          const key = pageKey({ path: `key-${i % 20}` });
          if (i % 7 === 0) await store.remove('mount-1', key.path);
          else if (i % 3 === 0) await store.write(key, pageBytes(10_000, i % 20));
          const bytes = await store.read(key, 5, 9_000);
          if (bytes) expect(bytes.equals(pageBytes(10_000, i % 20).subarray(5, 9_000))).toBe(true);
        }),
      );
      await store.removeIncarnation('mount-1');
      expect(store.usage).toMatchObject({ pages: 0, bytes: 0 });
    });

    test('does not keep a page that is larger than all its room', async () => {
      const key = pageKey({ pageSizeBytes: 8_000_000 });
      await store.write(key, Buffer.alloc(8_000_000));
      expect(store.has(key)).toBe(false);
    });
  });
}
