import { describe, expect, test } from '@jest/globals';
import { orAbsent, UfsError } from '../../../src/ufs/errors.ts';
import { someBytes, TestBody } from '../../support/upload-body.ts';
import { SetsUnderTest } from './sets-under-test.ts';
import { hashOf, place } from './virtual-store-node.ts';

function kindOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (error: unknown) => (error instanceof UfsError ? error.kind : String(error)),
  );
}

describe('what is pending in a cluster', () => {
  test('is read and listed through every node', async () => {
    const sets = await SetsUnderTest.start(3);
    const keys = [0, 1, 2].map((i) => sets.keyOf(i));
    for (const i of [0, 1, 2]) await sets.passing(sets.put(i, keys[i] as string, String(i)));
    for (const at of [0, 1, 2]) {
      expect(await sets.listed(at)).toEqual([...keys].sort());
      for (const i of [0, 1, 2]) expect(await sets.seen(at, keys[i] as string)).toBe(String(i));
    }
    await sets.cluster.close();
  });

  test('is not told without what a node has that says nothing', async () => {
    const sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    await sets.passing(sets.put(0, key, '1'));
    sets.kill(0);
    expect(await sets.passing(kindOf(sets.node(1).backend.head(key)))).toBe('unavailable');
    expect(await sets.passing(kindOf(sets.node(2).backend.list({ prefix: '', limit: 10 })))).toBe(
      'unavailable',
    );
    expect(await sets.seen(1, key)).toBe('1');
    expect(await sets.listed(2)).toEqual([key]);
    await sets.cluster.close();
  });

  test('is known to a new owner before it answers anything', async () => {
    const sets = await SetsUnderTest.start(2, {}, 3);
    const keys = Array.from({ length: 24 }, (_, n) => `key-${n}`);
    for (const key of keys) await sets.passing(sets.put(sets.ownerOf(key), key, '1'));
    // Some are on their way to their copies when the new owner asks.
    const late = Array.from({ length: 24 }, (_, n) => `late-${n}`);
    const held = Promise.withResolvers<void>();
    sets.links.bulkHeld = held.promise;
    const options = { headers: {}, userMetadata: { version: '1' } };
    const begin = (key: string) =>
      kindOf(sets.node(sets.ownerOf(key)).backend.put(key, new TestBody(someBytes(70_000)), options));
    const writing = Promise.all(late.map(begin));
    await sets.open(2);
    const isGained = (key: string) => sets.machine(2).ownership.owns(hashOf(key));
    await sets.until(() => sets.node(2).sets.elsewhere.isReady(hashOf(keys.find(isGained) ?? '')));
    held.resolve();
    const gained = keys.filter(isGained);
    expect(gained.length).toBeGreaterThan(0);
    for (const key of gained) expect(await sets.seen(2, key)).toBe('1');
    const came = await sets.passing(writing);
    for (const [n, key] of late.entries()) if (came[n] === 'done') expect(await sets.seen(2, key)).toBe('1');
    expect(late.some((key, n) => isGained(key) && came[n] === 'done')).toBe(true);
    await sets.settled();
    for (const key of gained) {
      await sets.passing(sets.put(2, key, '2'));
      expect(await sets.seen(0, key)).toBe('2');
    }
    for (const key of gained) expect(await sets.stored(key)).toBe('1');
    await sets.cluster.close();
  });

  test('is told without a node that went before it could write anything', async () => {
    const sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    await sets.passing(sets.put(0, key, '1'));
    const { record } = sets.setOf(0);
    const of = (workerId: string) => ({ workerId, copyId: sets.cluster.random.uuid() });
    const left = { ...record, incarnation: 'one that left', generation: 1, isFresh: true } as const;
    const [id, had] = [sets.cluster.random.uuid(), record.id];
    await sets.restore({ ...left, id, copies: [of('worker-9')], former: [] });
    // By what a coordination store says that went back, the other has no copies either.
    sets.kill(0);
    await sets.restore({ ...left, id: had, incarnation: record.incarnation, copies: [of('worker-9')] });
    await sets.pass(30_000);
    expect(await sets.record(id)).toMatchObject({ copies: [] });
    expect((await sets.record(had))?.copies).not.toEqual([]);
    await sets.cluster.close();
  });

  test('is flushed though it was still on its way to its copies when that began', async () => {
    const sets = await SetsUnderTest.start(2);
    const key = sets.keyOf(0);
    sets.links.apart = [0, 1].map((i) => sets.machine(i).workerId);
    expect(await sets.passing(kindOf(sets.put(0, key, '1')))).toBe('unavailable');
    const flushing = sets.node(0).sets.elsewhere.flush(place, { prefix: '' }, 30_000);
    sets.links.apart = [];
    await sets.passing(flushing);
    expect(await sets.stored(key)).toBe('1');
    await sets.cluster.close();
  });

  test('is not told for as long as it is on its way to its copies, and that in time', async () => {
    const sets = await SetsUnderTest.start(2);
    const key = sets.keyOf(0);
    const held = Promise.withResolvers<void>();
    sets.links.bulkHeld = held.promise;
    const options = { headers: {}, userMetadata: { version: '1' } };
    void kindOf(sets.node(0).backend.put(key, new TestBody(someBytes(70_000)), options));
    await sets.pass(100);
    const { elsewhere } = sets.node(0).sets;
    let became: string | undefined;
    void kindOf(elsewhere.find(place, key)).then((kind) => {
      became = kind;
    });
    await sets.pass(3_000);
    expect(became).toBeUndefined();
    await sets.pass(20_000);
    expect(became).toBe('unavailable');
    held.resolve();
    expect(await sets.seen(1, key)).toBe('1');
    await sets.cluster.close();
  });

  test('is told by nodes that keep more than one message holds', async () => {
    const sets = await SetsUnderTest.start(2);
    const long = { long: 'x'.repeat(1_700) };
    const keys = Array.from({ length: 1_200 }, (_, n) => `${n}-`.padEnd(590, '\u0001'));
    const own = keys.filter((key) => sets.ownerOf(key) === 0);
    await sets.passing(Promise.all(own.map((key) => sets.put(0, key, '1', long))));
    const said: number[] = [];
    sets.links.onMessage = (bytes) => said.push(bytes);
    const heads = await sets.passing(sets.node(1).sets.elsewhere.under(place, ''));
    expect(heads.map(({ key }) => key).sort()).toEqual([...own].sort());
    sets.node(1).sets.elsewhere.forget();
    await sets.passing(sets.node(1).sets.elsewhere.learn());
    expect(own.every((key) => sets.node(1).sets.elsewhere.has(place, key))).toBe(true);
    expect(Math.max(...said)).toBeLessThan(4 * 1024 * 1024);
    expect(said.length).toBeGreaterThan(4);
    await sets.cluster.close();
  });

  test('is read through every node when its storage got it twice', async () => {
    const sets = await SetsUnderTest.start(2, { delayMs: 0 });
    const key = sets.keyOf(0);
    await sets.passing(sets.put(0, key, '1'));
    await sets.passing(sets.node(0).sets.elsewhere.flush(place, { key }, 10_000));
    const readThrough = async (i: number) => {
      const meta = await sets.passing(sets.node(0).backend.head(key));
      const pieces: Buffer[] = [];
      const reading = async () => {
        const range = { start: 0, end: meta.sizeBytes };
        for await (const piece of sets.node(i).backend.read(key, meta, range)) pieces.push(piece);
      };
      await sets.passing(reading());
      return Buffer.concat(pieces).toString();
    };
    for (const i of [0, 1]) expect(await readThrough(i)).toBe('1');
    // As by an attempt that came late, over the same bytes.
    const { headers, userMetadata, stamp } = await sets.passing(sets.world.storage.head(key));
    await sets.passing(
      sets.world.storage.put(key, new TestBody(Buffer.from('1')), { headers, userMetadata, stamp }),
    );
    for (const i of [0, 1]) expect(await readThrough(i)).toBe('1');
    await sets.cluster.close();
  });

  test('is not told by a node that was away, before it knows what it still keeps', async () => {
    const sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    await sets.passing(sets.put(0, key, '1'));
    const set = sets.setOf(0);
    sets.machine(0).pause();
    await sets.taken({ without: 0 });
    const owner = sets.ownerOf(key);
    await sets.until(() => sets.node(owner).sets.elsewhere.isReady(hashOf(key)));
    await sets.passing(sets.put(owner, key, '2'));
    await sets.passing(sets.node(owner).sets.elsewhere.flush(place, { key }, 10_000));
    expect(await sets.stored(key)).toBe('2');
    // It hears nothing of sets by itself when it is back.
    sets.machine(0).isDeafTo = (prefix) => prefix.startsWith('pending/');
    sets.machine(0).resume();
    await sets.until(() => sets.cluster.isSettled());
    for (const i of [0, 1, 2]) expect(await sets.seen(i, key)).toBe('2');
    await sets.until(() => set.isLost);
    for (const i of [0, 1, 2]) expect(await sets.seen(i, key)).toBe('2');
    await sets.cluster.close();
  });

  test('is not told by a node that was started anew, before its copies have all of it', async () => {
    const sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    const holder = sets.holderOf(sets.setOf(0));
    const writing = kindOf(sets.put(0, key, '1'));
    sets.links.apart = [0, holder].map((i) => sets.machine(i).workerId);
    await sets.pass(100);
    // It is on the disk of its owner alone, and nobody was told of it.
    sets.kill(0);
    void writing;
    await sets.open(0);
    const other = 3 - holder;
    const told = await sets.passing(kindOf(orAbsent(sets.node(other).backend.head(key))));
    expect(told).toBe('unavailable');
    sets.links.apart = [];
    expect(await sets.seen(other, key)).toBe('1');
    sets.kill(0, true);
    expect(await sets.seen(other, key)).toBe('1');
    await sets.cluster.close();
  });

  test('may be on its way to the storage when another node takes it over, and does not undo what follows', async () => {
    const sets = await SetsUnderTest.start(3, { delayMs: 0, settleMs: 30_000 });
    const key = sets.keyOf(0);
    const arrives = Promise.withResolvers<void>();
    sets.world.detour = arrives.promise;
    await sets.passing(sets.put(0, key, '1'));
    await sets.pass(500);
    sets.kill(0, true);
    sets.world.detour = undefined;
    await sets.taken();
    const owner = sets.ownerOf(key);
    await sets.until(() => sets.node(owner).sets.elsewhere.isReady(hashOf(key)));
    const deleting = kindOf(sets.node(owner).backend.delete(key));
    await sets.pass(9_000);
    arrives.resolve();
    const said = await sets.passing(deleting);
    await sets.pass(60_000);
    const stored = await sets.stored(key);
    expect([said, stored]).toEqual(['throttled', '1']);
    await sets.passing(sets.node(owner).backend.delete(key));
    await sets.pass(60_000);
    expect(await sets.stored(key)).toBeUndefined();
    await sets.cluster.close();
  });

  test('is not brought forth again by a node that was away while another one took it over', async () => {
    const sets = await SetsUnderTest.start(3, { delayMs: 0, settleMs: 1_000 });
    const key = sets.keyOf(0);
    sets.world.isStorageAway = true;
    await sets.passing(sets.put(0, key, '1'));
    sets.kill(0);
    await sets.taken();
    sets.world.isStorageAway = false;
    const owner = sets.ownerOf(key);
    await sets.until(() => sets.node(owner).sets.elsewhere.isReady(hashOf(key)));
    await sets.passing(sets.node(owner).backend.delete(key));
    await sets.pass(20_000);
    await sets.open(0);
    await sets.settled();
    await sets.pass(20_000);
    for (const i of [0, 1, 2]) expect(await sets.seen(i, key)).toBeUndefined();
    expect(await sets.stored(key)).toBeUndefined();
    for (const i of [0, 1, 2]) expect(await sets.voidCopies(i)).toEqual([]);
    await sets.cluster.close();
  });

  test('stays known when the coordination store goes back', async () => {
    const sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    const set = sets.setOf(0);
    const { before, first } = await sets.withOtherCopy(set);
    await sets.passing(sets.put(0, key, '1'));
    await sets.changeRecord(set.name.setId, (record) => before ?? record);
    // As when the generation is raised then: there is a new view.
    await sets.open(first);
    await sets.settled();
    const record = await sets.record(set.name.setId);
    expect(record?.copies.map(({ copyId }) => copyId)).toEqual(set.record.copies.map(({ copyId }) => copyId));
    sets.kill(0, true);
    expect(await sets.seen(first, key)).toBe('1');
    await sets.cluster.close();
  });
});
