import { expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import { MirrorStore } from '../../src/coord/mirror.ts';
import { MirrorFeed, type MirrorUpdate } from '../../src/coord/mirror-feed.ts';
import type { CoordStore, StoreEvent } from '../../src/coord/store.ts';
import { ThreadBoard } from '../../src/gateway/thread-board.ts';

async function fill(store: CoordStore, keys: readonly string[]): Promise<void> {
  for (const key of keys) await store.putIf(key, `value of ${key}`, 'any');
}

async function contents(store: CoordStore): Promise<string[]> {
  return (await store.list('')).entries.map(({ key, value, revision }) => `${key}=${value}@${revision}`);
}

/** Updates on their way, which arrive when the test says so. */
class Wire {
  readonly sent: MirrorUpdate[] = [];
  readonly post = (update: MirrorUpdate) => void this.sent.push(structuredClone(update));

  deliver(mirror: MirrorStore): void {
    for (const update of this.sent.splice(0)) mirror.take(update);
  }
}

test('a mirror holds what the store holds, and its watchers hear of each change once and in order', async () => {
  const store = createMemoryStore(systemClock, systemRandom);
  await fill(store, ['a/1', 'a/2', 'b/1']);
  const board = ThreadBoard.create(2);
  const feed = await MirrorFeed.open(systemClock, store, board.changes);
  const wire = new Wire();
  const { snapshot } = await feed.join(wire.post);
  const mirror = new MirrorStore(structuredClone(snapshot));
  expect(await contents(mirror)).toEqual(await contents(store));
  const heard: string[] = [];
  const nameOf = (event: StoreEvent) => (event.type === 'put' ? event.entry.key : `-${event.key}`);
  const { revision } = await mirror.list('a/');
  await mirror.watch(
    'a/',
    revision,
    (events) => void heard.push(...events.map(nameOf)),
    () => expect('reset').toBe('never'),
  );
  await fill(store, ['a/3', 'b/2']);
  await store.deleteIf('a/1', 'any');
  expect(mirror.count).not.toBe(board.changes.read());
  wire.deliver(mirror);
  expect(mirror.count).toBe(board.changes.read());
  expect(await contents(mirror)).toEqual(await contents(store));
  expect(heard).toEqual(['a/3', '-a/1']);
  await feed.close();
});

test('a change is counted before the call that makes it returns', async () => {
  const store = createMemoryStore(systemClock, systemRandom);
  const board = ThreadBoard.create(2);
  const feed = await MirrorFeed.open(systemClock, store, board.changes);
  const before = board.changes.read();
  const put = store.putIf('key', 'value', 'any');
  expect(board.changes.read()).toBe(before + 1);
  await put;
  await store.deleteIf('key', 'any');
  expect(board.changes.read()).toBe(before + 2);
  await feed.close();
});

test('what came with the snapshot and again as a change is taken once', async () => {
  const store = createMemoryStore(systemClock, systemRandom);
  const board = ThreadBoard.create(2);
  const feed = await MirrorFeed.open(systemClock, store, board.changes);
  const wire = new Wire();
  const joining = feed.join(wire.post);
  await fill(store, ['a', 'b']);
  const { snapshot } = await joining;
  await fill(store, ['c']);
  const mirror = new MirrorStore(snapshot);
  const heard: string[] = [];
  const { revision } = await mirror.list('');
  await mirror.watch(
    '',
    revision,
    (events) => void heard.push(...events.map((event) => (event.type === 'put' ? event.entry.key : '-'))),
    () => {},
  );
  wire.deliver(mirror);
  expect(await contents(mirror)).toEqual(await contents(store));
  expect(new Set(heard).size).toBe(heard.length);
  expect(mirror.count).toBe(board.changes.read());
  await feed.close();
});

test('a new snapshot brings what was missed: what is gone is gone, what is new is there', async () => {
  const store = createMemoryStore(systemClock, systemRandom);
  await fill(store, ['kept', 'gone', 'changed']);
  const { entries, revision } = await store.list('');
  const mirror = new MirrorStore({ count: 0, revision, entries });
  const heard: string[] = [];
  await mirror.watch(
    '',
    revision,
    (events) =>
      void heard.push(...events.map((event) => (event.type === 'put' ? event.entry.key : `-${event.key}`))),
    () => {},
  );
  await store.deleteIf('gone', 'any');
  await fill(store, ['changed', 'new']);
  mirror.take({ count: 7, ...(await store.list('')) });
  expect(await contents(mirror)).toEqual(await contents(store));
  expect(heard.sort()).toEqual(['-gone', 'changed', 'new']);
  expect(mirror.count).toBe(7);
});

test('a deletion that a reset watch has missed reaches a mirror, also where nothing was written after it', async () => {
  const store = createMemoryStore(systemClock, systemRandom);
  await fill(store, ['gone', 'kept']);
  const board = ThreadBoard.create(2);
  let reset = () => {};
  let isCut = false;
  const watched: Pick<CoordStore, 'list' | 'watch'> = {
    list: (prefix) => store.list(prefix),
    watch: (prefix, fromRevision, onEvents, onReset) => {
      reset = onReset;
      return store.watch(prefix, fromRevision, (events) => !isCut && onEvents(events), onReset);
    },
  };
  const feed = await MirrorFeed.open(systemClock, watched as CoordStore, board.changes);
  const wire = new Wire();
  const mirror = new MirrorStore((await feed.join(wire.post)).snapshot);
  isCut = true;
  await store.deleteIf('gone', 'any');
  isCut = false;
  reset();
  while (wire.sent.length === 0) await new Promise((resolve) => setImmediate(resolve));
  wire.deliver(mirror);
  expect(await contents(mirror)).toEqual(await contents(store));
  expect((await mirror.list('')).revision).toBe((await store.list('')).revision);
  expect(mirror.count).toBe(board.changes.read());
  await feed.close();
});

test('a mirror is changed by nobody but its feed', async () => {
  const mirror = new MirrorStore({ count: 0, revision: 0, entries: [] });
  for (const call of [mirror.putIf(), mirror.deleteIf(), mirror.lease()]) {
    await expect(call).rejects.toMatchObject({ name: 'CoordError', kind: 'unavailable' });
  }
});

test('limits count what all threads have, and nothing of one that is no more', () => {
  const store = ThreadBoard.create(3);
  const [one, two] = [1, 2].map((thread) => new ThreadBoard(store.memory, thread)) as [
    ThreadBoard,
    ThreadBoard,
  ];
  expect([one.enterRequest(), two.enterRequest(), one.enterRequest(), store.enterRequest()]).toEqual([
    1, 2, 3, 4,
  ]);
  expect([one.addConnection(), two.addConnection()]).toEqual([1, 2]);
  two.leaveRequest();
  store.forgetThread(1);
  expect([two.enterRequest(), two.addConnection()]).toEqual([2, 2]);
  one.addLogBytes(10);
  store.takeLogBytes(1, 4);
  expect([one.logBytes, two.logBytes]).toEqual([6, 0]);
});
