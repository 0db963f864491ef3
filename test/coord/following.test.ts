import { expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import { MirrorStore } from '../../src/coord/mirror.ts';
import { MirrorFeed, type MirrorUpdate } from '../../src/coord/mirror-feed.ts';
import { CoordError, type CoordStore } from '../../src/coord/store.ts';
import { WatchedPrefix } from '../../src/coord/watched-prefix.ts';
import { ThreadBoard } from '../../src/gateway/thread-board.ts';
import { until } from '../support/until.ts';

/** A store across a network, whose watches are reset, and whose lists fail or take their time, when the test says so. */
class Remote {
  readonly store: CoordStore;
  lists = 0;
  failures = 0;
  /** Resolves when a list that was made may be answered. */
  answer: Promise<void> = Promise.resolve();
  /** Resolves when what changes may be delivered; at once if there is none. */
  delivery: Promise<void> | undefined;
  private readonly resets = new Set<() => void>();
  private readonly inner = createMemoryStore(systemClock, systemRandom);

  constructor() {
    this.store = {
      get: (key) => this.inner.get(key),
      putIf: (key, value, expected, lease) => this.inner.putIf(key, value, expected, lease),
      deleteIf: (key, expected) => this.inner.deleteIf(key, expected),
      lease: (ttlMs) => this.inner.lease(ttlMs),
      close: () => this.inner.close(),
      list: async (prefix) => {
        this.lists += 1;
        if (this.failures-- > 0) throw new CoordError('unavailable', 'away');
        const listed = await this.inner.list(prefix);
        await this.answer;
        return listed;
      },
      watch: async (prefix, from, onEvents, onReset) => {
        const deliver: typeof onEvents = (events) =>
          this.delivery ? void this.delivery.then(() => onEvents(events)) : onEvents(events);
        const watch = await this.inner.watch(prefix, from, deliver, onReset);
        this.resets.add(() => {
          void watch.close();
          onReset();
        });
        return watch;
      },
    };
  }

  /** All watches end, and are told so. */
  reset(): void {
    const resets = [...this.resets];
    this.resets.clear();
    for (const reset of resets) reset();
  }
}

async function contents(store: CoordStore): Promise<string[]> {
  return (await store.list('')).entries.map(({ key, value }) => `${key}=${value}`);
}

function held(): { readonly promise: Promise<void>; readonly release: () => void } {
  let release: () => void = () => {};
  const promise = new Promise<void>((done) => {
    release = done;
  });
  return { promise, release };
}

test('where the list after a reset fails it is made again, and what was known stands until then', async () => {
  const remote = new Remote();
  await remote.store.putIf('p/a', '1', 'any');
  const watched = await WatchedPrefix.open(systemClock, remote.store, 'p/', Number, () => {});
  remote.failures = 3;
  remote.reset();
  await remote.store.putIf('p/b', '2', 'any');
  expect(watched.values()).toEqual([1]);
  await until(() => watched.values().length === 2);
  expect(remote.lists).toBe(5);
  await remote.store.putIf('p/c', '3', 'any');
  expect(watched.values()).toEqual([1, 2, 3]);
  await watched.close();
});

test('what is written while everything is listed again is seen all the time', async () => {
  const remote = new Remote();
  for (const name of ['stays', 'goes']) await remote.store.putIf(`p/${name}`, '1', 'any');
  const watched = await WatchedPrefix.open(systemClock, remote.store, 'p/', Number, () => {
    seen.push(now());
  });
  const now = () => ['stays', 'goes', 'new'].map((name) => watched.get(name));
  const seen: ReturnType<typeof now>[] = [];
  const { promise, release } = held();
  remote.answer = promise;
  remote.reset();
  await until(() => remote.lists === 2);
  expect(await watched.put('new', '2', 'absent')).toBe(true);
  expect(await watched.delete('goes', watched.revisionOf('goes') as number)).toBe(true);
  expect(await watched.put('stays', '3', { revision: watched.revisionOf('stays') as number })).toBe(true);
  release();
  await until(() => seen.length >= 4);
  expect(now()).toEqual([3, undefined, 2]);
  const last = [3, undefined, 2];
  expect(seen.slice(0, 4)).toEqual([[1, 1, 2], [1, undefined, 2], last, last]);
  // What the watch brings of it afterwards changes nothing.
  await remote.store.putIf('p/last', '4', 'any');
  expect(now()).toEqual([3, undefined, 2]);
  await watched.close();
});

test('a change that was answered while everything was listed again is in the mirror before the mirror counts as current', async () => {
  const remote = new Remote();
  const board = ThreadBoard.create(2);
  const feed = await MirrorFeed.open(systemClock, remote.store, board.changes);
  const updates: MirrorUpdate[] = [];
  const { snapshot } = await feed.join((update) => updates.push(structuredClone(update)));
  const mirror = new MirrorStore(snapshot);
  const { promise, release } = held();
  remote.answer = promise;
  remote.reset();
  expect(mirror.count).not.toBe(board.changes.read());
  await until(() => remote.lists === 3);
  // The list that is on its way does not know of it, and a watch from there takes its time.
  const late = held();
  remote.delivery = late.promise;
  await remote.store.putIf('a', '1', 'any');
  release();
  await until(() => updates.length > 0);
  for (const update of updates.splice(0)) mirror.take(update);
  expect([mirror.count, (await mirror.get('a'))?.value]).toEqual([board.changes.read(), '1']);
  late.release();
  await until(() => updates.length > 0);
  for (const update of updates.splice(0)) mirror.take(update);
  expect([mirror.count, await contents(mirror)]).toEqual([board.changes.read(), ['a=1']]);
  await feed.close();
});

test('a mirror, and who watches it, goes back with a store that was restored from an older copy', async () => {
  const entry = (key: string, revision: number) => ({ key, value: String(revision), revision });
  const mirror = new MirrorStore({ count: 1, revision: 90, entries: [entry('p/a', 90), entry('p/b', 80)] });
  const watched = await WatchedPrefix.open(systemClock, mirror, 'p/', Number, () => {});
  mirror.take({ count: 2, revision: 10, entries: [entry('p/a', 7)] });
  await until(() => watched.values().length === 1);
  expect([await mirror.list(''), watched.get('a')]).toEqual([
    { revision: 10, entries: [entry('p/a', 7)] },
    7,
  ]);
  mirror.take({ count: 3, revision: 11, events: [{ type: 'put', entry: entry('p/c', 11) }] });
  expect(watched.get('c')).toBe(11);
  await watched.close();
});
