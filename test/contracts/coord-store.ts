import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CoordError, type CoordStore, type StoreEvent } from '../../src/coord/store.ts';
import { until } from '../support/until.ts';

/** What every coordination store must do. `open` gives an empty store; `passMs` lets that much of the store's time go by. */
export function describeCoordStore(
  name: string,
  open: () => Promise<CoordStore>,
  passMs: (ms: number) => Promise<void>,
): void {
  describe(`the coordination store ${name}`, () => {
    let store: CoordStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    const kindOf = (promise: Promise<unknown>) =>
      promise.then(
        () => 'none',
        (error: CoordError) => (error instanceof CoordError ? error.kind : `not a CoordError: ${error}`),
      );

    test('gives back what was put, with the revision that the put returned', async () => {
      const revision = await store.putIf('a/1', 'eins ü 😀', 'any');
      expect(await store.get('a/1')).toEqual({ key: 'a/1', value: 'eins ü 😀', revision });
      expect(await store.get('a/2')).toBeUndefined();
    });

    test('revisions grow with every change, deletions included', async () => {
      const first = (await store.putIf('a', '1', 'any')) as number;
      const second = (await store.putIf('b', '1', 'any')) as number;
      await store.deleteIf('a', 'any');
      const third = (await store.putIf('a', '1', 'absent')) as number;
      expect(second).toBeGreaterThan(first);
      expect(third).toBeGreaterThan(second + 1);
      expect((await store.list('')).revision).toBe(third);
    });

    test('absent holds only where there is nothing, and changes nothing when it does not hold', async () => {
      const revision = await store.putIf('k', 'old', 'absent');
      expect(await store.putIf('k', 'new', 'absent')).toBeUndefined();
      expect(await store.get('k')).toEqual({ key: 'k', value: 'old', revision });
    });

    test('a revision holds only while the entry has not been written since', async () => {
      const first = (await store.putIf('k', '1', 'any')) as number;
      const second = (await store.putIf('k', '2', { revision: first })) as number;
      expect(await store.putIf('k', '3', { revision: first })).toBeUndefined();
      expect(await store.deleteIf('k', { revision: first })).toBe(false);
      expect((await store.get('k'))?.value).toBe('2');
      expect(await store.deleteIf('k', { revision: second })).toBe(true);
      expect(await store.putIf('k', '4', { revision: second })).toBeUndefined();
      expect(await store.get('k')).toBeUndefined();
    });

    test('deleting what is absent says so', async () => {
      expect(await store.deleteIf('k', 'any')).toBe(false);
    });

    test('of many concurrent creations exactly one succeeds', async () => {
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => store.putIf('one', String(i), 'absent')),
      );
      expect(results.filter((revision) => revision !== undefined)).toHaveLength(1);
    });

    test('concurrent increments by compare-and-set lose none', async () => {
      await store.putIf('n', '0', 'any');
      const increment = async () => {
        for (;;) {
          const entry = await store.get('n');
          if (!entry) throw new Error('the counter is gone');
          const next = String(Number(entry.value) + 1);
          if (await store.putIf('n', next, { revision: entry.revision })) return;
        }
      };
      await Promise.all(Array.from({ length: 10 }, increment));
      expect((await store.get('n'))?.value).toBe('10');
    });

    test('lists a prefix in byte order, wildcards and neighbours left out', async () => {
      const keys = ['a%/x', 'a%/', 'a%', 'a_/x', 'b', 'a%/\u{ff5e}', 'a%/😀', 'a%/X', 'A%/x', 'a%0'];
      for (const key of keys) await store.putIf(key, key, 'any');
      const { entries } = await store.list('a%/');
      expect(entries.map((entry) => entry.key)).toEqual(['a%/', 'a%/X', 'a%/x', 'a%/\u{ff5e}', 'a%/😀']);
      expect((await store.list('')).entries).toHaveLength(keys.length);
      expect((await store.list('zz')).entries).toEqual([]);
    });

    test('a value of 1 MiB is kept', async () => {
      const value = 'x'.repeat(1024 * 1024);
      await store.putIf('big', value, 'any');
      expect((await store.get('big'))?.value).toBe(value);
    });

    test('a watch delivers every later change under its prefix, in order', async () => {
      const seen = watchInto();
      const watch = await store.watch('w/', 0, seen.onEvents, seen.onReset);
      const first = await store.putIf('w/a', '1', 'any');
      await store.putIf('x/a', '1', 'any');
      const second = await store.putIf('w/a', '2', 'any');
      await store.deleteIf('w/a', 'any');
      await seen.until(3);
      expect(seen.events).toEqual([
        { type: 'put', entry: { key: 'w/a', value: '1', revision: first } },
        { type: 'put', entry: { key: 'w/a', value: '2', revision: second } },
        { type: 'delete', key: 'w/a', revision: (second as number) + 1 },
      ]);
      await watch.close();
    });

    test('a change has been delivered to every watch of its key when its call returns', async () => {
      const seen = [watchInto(), watchInto()];
      const watches = await Promise.all(
        ['', 'w/'].map((prefix, i) => store.watch(prefix, 0, seen[i]?.onEvents ?? fail, fail)),
      );
      for (let i = 1; i <= 20; i++) {
        await store.putIf('w/a', String(i), 'any');
        expect(seen.map(({ events }) => events.length)).toEqual([2 * i - 1, 2 * i - 1]);
        await store.deleteIf('w/a', 'any');
        expect(seen.map(({ events }) => events.length)).toEqual([2 * i, 2 * i]);
      }
      await Promise.all(watches.map((watch) => watch.close()));
    });

    test('a watch from an earlier revision begins with the changes since', async () => {
      await store.putIf('w/a', '1', 'any');
      const { revision } = await store.list('w/');
      await store.putIf('w/b', '2', 'any');
      const seen = watchInto();
      const watch = await store.watch('w/', revision, seen.onEvents, seen.onReset);
      await store.putIf('w/c', '3', 'any');
      await seen.until(2);
      expect(seen.events.map((event) => event.type === 'put' && event.entry.key)).toEqual(['w/b', 'w/c']);
      await watch.close();
    });

    test('list and watch together miss nothing while others write', async () => {
      const writer = (async () => {
        for (let i = 0; i < 50; i++) await store.putIf(`w/${i}`, String(i), 'any');
      })();
      const { entries, revision } = await store.list('w/');
      const known = new Set(entries.map((entry) => entry.key));
      const seen = watchInto();
      const watch = await store.watch('w/', revision, seen.onEvents, seen.onReset);
      await writer;
      await seen.until(50 - known.size);
      for (const event of seen.events) if (event.type === 'put') known.add(event.entry.key);
      expect(known.size).toBe(50);
      expect(seen.events).toHaveLength(50 - entries.length);
      await watch.close();
    });

    test('no event arrives after a watch was closed', async () => {
      const seen = watchInto();
      const watch = await store.watch('w/', 0, seen.onEvents, seen.onReset);
      await store.putIf('w/a', '1', 'any');
      await seen.until(1);
      await watch.close();
      await store.putIf('w/b', '1', 'any');
      await passMs(50);
      expect(seen.events).toHaveLength(1);
    });

    test('a watcher that writes is not called again before it has returned', async () => {
      let inside = 0;
      let deepest = 0;
      const seen = watchInto();
      const watch = await store.watch(
        'w/',
        0,
        (events) => {
          inside += 1;
          deepest = Math.max(deepest, inside);
          seen.onEvents(events);
          if (seen.events.length < 5) void store.putIf(`w/${seen.events.length}`, 'x', 'any');
          inside -= 1;
        },
        seen.onReset,
      );
      await store.putIf('w/start', 'x', 'any');
      await seen.until(5);
      expect(deepest).toBe(1);
      await watch.close();
    });

    test('keys of a lease vanish when it is revoked, and a watcher hears of it', async () => {
      const lease = await store.lease(60_000);
      const seen = watchInto();
      const watch = await store.watch('l/', 0, seen.onEvents, seen.onReset);
      await store.putIf('l/a', '1', 'any', lease);
      await store.putIf('l/b', '1', 'any');
      await lease.revoke();
      expect((await store.list('l/')).entries.map((entry) => entry.key)).toEqual(['l/b']);
      await seen.until(3);
      expect(seen.events[2]).toMatchObject({ type: 'delete', key: 'l/a' });
      expect(await kindOf(lease.keepAlive())).toBe('lease-lost');
      expect(await kindOf(store.putIf('l/c', '1', 'any', lease))).toBe('lease-lost');
      await watch.close();
    });

    test('keys of a lease vanish when its time is over', async () => {
      const lease = await store.lease(30_000);
      await store.putIf('l/a', '1', 'any', lease);
      expect([lease.remainingMs() > 0, lease.ended.aborted]).toEqual([true, false]);
      await passMs(70_000);
      expect([lease.remainingMs(), lease.ended.aborted]).toEqual([0, true]);
      expect(await store.get('l/a')).toBeUndefined();
      expect(await kindOf(lease.keepAlive())).toBe('lease-lost');
      expect(await kindOf(store.putIf('l/b', '1', 'any', lease))).toBe('lease-lost');
    });

    test('keeping a lease alive restarts its time', async () => {
      const lease = await store.lease(100_000);
      await store.putIf('l/a', '1', 'any', lease);
      for (let i = 0; i < 4; i++) {
        await passMs(40_000);
        await lease.keepAlive();
      }
      expect((await store.get('l/a'))?.value).toBe('1');
      expect([lease.remainingMs() > 40_000, lease.ended.aborted]).toEqual([true, false]);
      await lease.revoke();
      expect([lease.remainingMs(), lease.ended.aborted]).toEqual([0, true]);
    });

    test('a key written again without its lease stays when the lease ends', async () => {
      const lease = await store.lease(60_000);
      await store.putIf('l/a', '1', 'any', lease);
      await store.putIf('l/a', '2', 'any');
      await lease.revoke();
      expect((await store.get('l/a'))?.value).toBe('2');
    });

    test('a closed store is unavailable', async () => {
      await store.close();
      expect(await kindOf(store.get('a'))).toBe('unavailable');
      expect(await kindOf(store.putIf('a', '1', 'any'))).toBe('unavailable');
    });
  });
}

function fail(): never {
  throw new Error('this is not to be called');
}

/** Collects what a watch delivers. */
export function watchInto() {
  const events: StoreEvent[] = [];
  let resets = 0;
  return {
    events,
    resets: () => resets,
    onEvents: (arrived: readonly StoreEvent[]) => void events.push(...arrived),
    onReset: () => {
      resets += 1;
    },
    /** Waits until so many events have arrived. */
    async until(count: number): Promise<void> {
      await until(() => events.length >= count);
    },
  };
}
