import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { describe, expect, jest, test } from '@jest/globals';
import { Metrics } from '../../src/common/metrics.ts';
import { Loans } from '../../src/worker/loans.ts';
import { MemoryPageStore } from '../../src/worker/memory-page-store.ts';
import { SharedPageReader } from '../../src/worker/shared-page-reader.ts';
import { pageBytes, pageKey } from '../contracts/page-store.ts';
import { churnKey, churnKeys, churnPage } from './churn-pages.ts';

const MiB = 1024 * 1024;

function openStore(capacityBytes: number, threadCount = 2, maxPageBytes = 100_000): MemoryPageStore {
  return new MemoryPageStore(new Metrics(), { capacityBytes, maxPageBytes, threadCount, hashSeed: 12345 });
}

function fillWithOthers(store: MemoryPageStore, count: number): void {
  for (let i = 0; i < count; i++) store.keep(pageKey({ path: `other-${i}` }), pageBytes(90_000, i));
}

describe('pages in shared memory', () => {
  test('are the same for another thread as soon as they are kept, and gone as soon as they are removed', async () => {
    const store = openStore(MiB);
    const other = SharedPageReader.of(store.shared, 1);
    expect(other.readNow(pageKey(), 0, 10)).toBeUndefined();
    store.keep(pageKey(), pageBytes(10_000));
    expect(other.readNow(pageKey(), 100, 10_000)).toEqual(pageBytes(10_000).subarray(100));
    expect(other.readNow(pageKey({ generation: 'g2' }), 0, 10)).toBeUndefined();
    expect(other.readNow(pageKey(), 0, 10_001)).toBeUndefined();
    await store.remove('mount-1', 'folder/key');
    expect(other.readNow(pageKey(), 0, 10)).toBeUndefined();
  });

  test('a copy is the caller’s own, whatever becomes of the page', async () => {
    const store = openStore(MiB);
    store.keep(pageKey(), pageBytes(20_000));
    const copy = store.readNow(pageKey(), 0, 20_000);
    const small = store.readNow(pageKey(), 5, 500);
    fillWithOthers(store, 50);
    expect(copy?.equals(pageBytes(20_000))).toBe(true);
    expect(small?.equals(pageBytes(20_000).subarray(5, 500))).toBe(true);
  });

  test('what is lent stays as it is until it is given back, and then makes room again', () => {
    const store = openStore(MiB);
    const other = SharedPageReader.of(store.shared, 1);
    store.keep(pageKey(), pageBytes(90_000));
    const loans = new Loans();
    const lent = other.readNow(pageKey(), 0, 90_000, loans);
    expect(loans.isEmpty).toBe(false);
    fillWithOthers(store, 50);
    expect(lent?.equals(pageBytes(90_000))).toBe(true);
    loans.giveBack();
    fillWithOthers(store, 80);
    expect(store.has(pageKey())).toBe(false);
    // Given back, its memory is used again: what a careless reader still looks at has changed.
    expect(lent?.equals(pageBytes(90_000))).toBe(false);
  });

  test('a page that is removed while it is lent stays readable to who has it', async () => {
    const store = openStore(MiB);
    store.keep(pageKey(), pageBytes(90_000));
    const loans = new Loans();
    const lent = store.readNow(pageKey(), 0, 90_000, loans);
    await store.remove('mount-1', 'folder/key');
    fillWithOthers(store, 50);
    expect(lent?.equals(pageBytes(90_000))).toBe(true);
    loans.giveBack();
  });

  test('readers borrow from a part of the memory at most: beyond it they are given copies, and new pages find room', () => {
    const store = openStore(2 * MiB);
    const other = SharedPageReader.of(store.shared, 1);
    const borrowed: Loans[] = [];
    let copies = 0;
    for (let i = 0; i < 120; i++) {
      const key = pageKey({ path: `key-${i}` });
      store.keep(key, pageBytes(90_000, i));
      const loans = new Loans();
      expect(other.readNow(key, 0, 90_000, loans)?.equals(pageBytes(90_000, i))).toBe(true);
      if (loans.isEmpty) copies++;
      borrowed.push(loans);
    }
    expect(copies).toBeGreaterThan(60);
    for (const loans of borrowed) loans.giveBack();
  });

  test('what readers of all threads hold is told, until it is given back', () => {
    const store = openStore(MiB, 2);
    store.keep(pageKey(), pageBytes(90_000));
    const borrowed = [new Loans(), new Loans()];
    SharedPageReader.of(store.shared, 1).readNow(pageKey(), 0, 90_000, borrowed[0]);
    store.readNow(pageKey(), 0, 80_000, borrowed[1]);
    expect(store.holds).toEqual({ pins: 2, lentSegments: 2 });
    for (const loans of borrowed) loans.giveBack();
    expect(store.holds).toEqual({ pins: 0, lentSegments: 0 });
  });

  test('what a thread had borrowed when it died is free again', () => {
    const store = openStore(MiB, 3);
    for (const thread of [1, 2]) {
      const dead = SharedPageReader.of(store.shared, thread);
      for (let i = 0; i < 20; i++) {
        const key = pageKey({ path: `key-${thread}-${i}` });
        store.keep(key, pageBytes(90_000, i));
        dead.readNow(key, 0, 90_000, new Loans());
      }
    }
    const held = () => {
      const before = store.usage.pages;
      fillWithOthers(store, 60);
      let present = 0;
      for (const thread of [1, 2]) {
        for (let i = 0; i < 20; i++) if (store.has(pageKey({ path: `key-${thread}-${i}` }))) present++;
      }
      expect(before).toBeGreaterThan(0);
      return present;
    };
    expect(held()).toBeGreaterThan(0);
    store.forgetThread(1);
    store.forgetThread(2);
    for (let i = 0; i < 100; i++) store.keep(pageKey({ path: `later-${i}` }), pageBytes(90_000, i));
    expect(held()).toBe(0);
  });

  test('a page that goes between the look and the pin is not found', () => {
    const store = openStore(MiB);
    const other = SharedPageReader.of(store.shared, 1);
    store.keep(pageKey({ path: 'before-it' }), pageBytes(25_000));
    store.keep(pageKey(), pageBytes(70_000));
    const add = Atomics.add;
    const spy = jest.spyOn(Atomics, 'add');
    spy.mockImplementationOnce((array, index, value) => {
      for (let i = 0; store.has(pageKey()); i++) {
        store.keep(pageKey({ path: `small-${i}` }), pageBytes(25_000, i));
      }
      return add(array, index, value);
    });
    const found = other.readNow(pageKey(), 0, 70_000, new Loans());
    spy.mockRestore();
    expect(store.has(pageKey())).toBe(false);
    expect(found).toBeUndefined();
  });

  test('nothing is kept where there is no room for anything', () => {
    const store = openStore(0);
    store.keep(pageKey(), pageBytes(10));
    expect(store.has(pageKey())).toBe(false);
    expect(store.readNow(pageKey(), 0, 1)).toBeUndefined();
    expect(store.shared.arena.byteLength).toBe(0);
  });

  test('a page of a name that is no Unicode is not mistaken for another', () => {
    const store = openStore(MiB);
    store.keep(pageKey({ path: '\ufffd' }), pageBytes(10));
    store.keep(pageKey({ path: '\ud800' }), pageBytes(10, 2));
    expect(store.readNow(pageKey({ path: '\ud800' }), 0, 10)).toBeUndefined();
    expect(store.readNow(pageKey({ path: '\ufffd' }), 0, 10)).toEqual(pageBytes(10));
  });

  test('threads that read while pages come and go see whole pages only', async () => {
    const store = openStore(MiB, 3);
    const flag = new SharedArrayBuffer(4);
    const threads = [1, 2].map(
      (thread) =>
        new Worker(new URL('./shared-cache-reader.ts', import.meta.url), {
          workerData: { memory: store.shared, thread, flag },
          execArgv: ['--disable-warning=ExperimentalWarning'],
        }),
    );
    const answers = threads.map(
      (thread) =>
        new Promise<{ copied: number; lent: number; wrong: number }>((resolve, reject) => {
          thread.once('message', resolve).once('error', reject);
        }),
    );
    await Promise.all(threads.map((thread) => new Promise((resolve) => thread.once('online', resolve))));
    const pages = Array.from({ length: churnKeys }, (_, number) => churnPage(number));
    for (let i = 0; i < 12_000; i++) {
      const number = (i * 7919) % churnKeys;
      store.keep(churnKey(number), pages[number] as Buffer);
      if (i % 11 === 0) await store.remove('mount', `key-${(i * 31) % churnKeys}`);
      if (i % 1000 === 0) await setImmediate();
    }
    Atomics.store(new Int32Array(flag), 0, 1);
    for (const { copied, lent, wrong } of await Promise.all(answers)) {
      expect(wrong).toBe(0);
      expect(copied).toBeGreaterThan(0);
      expect(lent).toBeGreaterThan(0);
    }
  });
});
