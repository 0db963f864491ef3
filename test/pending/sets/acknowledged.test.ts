import { describe, expect, test } from '@jest/globals';
import { UfsError } from '../../../src/ufs/errors.ts';
import { someBytes, TestBody } from '../../support/upload-body.ts';
import { SetsUnderTest } from './sets-under-test.ts';

const long = { long: 'x'.repeat(1_900) };

function kindOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (error: unknown) => (error instanceof UfsError ? error.kind : String(error)),
  );
}

describe('a write that is acknowledged before its storage has it', () => {
  test('is on another disk by then', async () => {
    const sets = await SetsUnderTest.start(2);
    const key = sets.keyOf(0);
    await sets.passing(sets.put(0, key, '1'));
    sets.kill(0, true);
    expect(await sets.seen(1, key)).toBe('1');
    await sets.cluster.close();
  });

  test('is neither acknowledged nor seen as long as a copy does not have it', async () => {
    const sets = await SetsUnderTest.start(2);
    const key = sets.keyOf(0);
    const writing = kindOf(sets.put(0, key, '1'));
    sets.machine(1).pause();
    let became: string | undefined;
    void writing.then((kind) => {
      became = kind;
    });
    await sets.pass(1_500);
    expect(became).toBeUndefined();
    expect([...sets.setOf(0).entries()]).toEqual([]);
    sets.machine(1).resume();
    expect(await sets.passing(writing)).toBe('done');
    expect(await sets.seen(1, key)).toBe('1');
    await sets.cluster.close();
  });

  test('is refused where there are fewer nodes than copies, be it one', async () => {
    const alone = await SetsUnderTest.start(1, { copies: 1 }).catch(() => undefined);
    expect(alone).toBeUndefined();
    const few = await SetsUnderTest.start(2, { copies: 3 }).catch(() => undefined);
    expect(few).toBeUndefined();
    const sets = await SetsUnderTest.start(2);
    const set = sets.setOf(0);
    sets.kill(1);
    // At that very moment, before it is seen to what becomes of the copy.
    await sets.until(() => sets.machine(0).ownership.view().members.length === 1);
    expect(set.writers.length).toBe(1);
    expect(set.has(2)).toBe(false);
    await sets.pass(20_000);
    expect(await sets.passing(kindOf(sets.put(0, sets.keyOf(0), '1')))).toBe('throttled');
    expect(await sets.stored(sets.keyOf(0))).toBeUndefined();
    const three = await SetsUnderTest.start(3, { copies: 3 });
    three.kill(2);
    await three.pass(20_000);
    expect(await three.passing(kindOf(three.put(0, three.keyOf(0), '1')))).toBe('throttled');
    await sets.cluster.close();
    await three.cluster.close();
  });

  test('survives its owner, and then the node with the copy, when that had been replaced', async () => {
    const sets = await SetsUnderTest.start(3);
    const [key, gone] = [sets.keyOf(0), sets.keyOf(0, 'gone')];
    await sets.passing(sets.put(0, key, '1'));
    await sets.passing(sets.put(0, gone, '1'));
    await sets.passing(sets.node(0).backend.delete(gone));
    const set = sets.setOf(0);
    const first = sets.holderOf(set);
    sets.kill(first, true);
    await sets.until(() => sets.holderOf(set) !== first && set.has(2));
    // What that node kept lies on the one that is to go.
    await sets.taken();
    sets.kill(0, true);
    const left = 3 - first;
    expect(await sets.seen(left, key)).toBe('1');
    expect(await sets.seen(left, gone)).toBeUndefined();
    await sets.cluster.close();
  });

  test('is on another disk for as long as it is pending, whatever may be written then', async () => {
    const sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    await sets.passing(sets.put(0, key, '1'));
    sets.wanted = 0;
    const set = sets.setOf(0);
    const first = sets.holderOf(set);
    sets.kill(first, true);
    await sets.until(() => set.record.copies.length > 1 && sets.holderOf(set) !== first);
    await sets.cluster.close();
  });

  test('makes what was known before void, be it that it comes to be pending when its client has given it up', async () => {
    const sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    await sets.passing(sets.put(0, key, '1'));
    const set = sets.setOf(0);
    const holder = sets.holderOf(set);
    sets.links.apart = [0, 1, 2].map((i) => sets.machine(i).workerId);
    expect(await sets.passing(kindOf(sets.put(0, key, '2')))).toBe('unavailable');
    expect(sets.node(0).appeared).toEqual([]);
    sets.links.apart = [];
    await sets.until(() => sets.node(0).appeared.length > 0);
    expect(sets.node(0).appeared).toEqual([key]);
    expect(await sets.seen(holder, key)).toBe('2');
    await sets.cluster.close();
  });

  test('has the longer to be copied the longer it is', async () => {
    const sets = await SetsUnderTest.start(2);
    const held = Promise.withResolvers<void>();
    sets.links.bulkHeld = held.promise;
    const keys = { short: sets.keyOf(0, 'short'), long: sets.keyOf(0, 'long') };
    const put = (version: keyof typeof keys, sizeBytes: number) => {
      const options = { headers: {}, userMetadata: { version } };
      const body = new TestBody(someBytes(sizeBytes));
      return kindOf(sets.node(0).backend.put(keys[version], body, options));
    };
    const [short, long] = [put('short', 70_000), put('long', 4_000_000)];
    await sets.pass(10_000);
    held.resolve();
    expect(await sets.passing(long)).toBe('done');
    expect(await sets.passing(short)).toBe('unavailable');
    sets.kill(0, true);
    expect(await sets.seen(1, keys.long)).toBe('long');
    await sets.cluster.close();
  });

  test('does not give way to an earlier one of its key that comes to be pending after it', async () => {
    const sets = await SetsUnderTest.start(2);
    const key = sets.keyOf(0);
    const held = Promise.withResolvers<void>();
    sets.links.bulkHeld = held.promise;
    const body = new TestBody(someBytes(70_000));
    const options = { headers: {}, userMetadata: { version: '1' } };
    const first = kindOf(sets.node(0).backend.put(key, body, options));
    await sets.pass(1_000);
    // It waits for its turn, behind the one whose bytes do not come through.
    const second = kindOf(sets.put(0, key, '2'));
    expect(await sets.passing(first)).toBe('unavailable');
    const became = await sets.passing(second);
    held.resolve();
    await sets.until(() => [...sets.setOf(0).entries()].length > 0);
    await sets.pass(5_000);
    const expected = became === 'done' ? '2' : '1';
    expect(await sets.seen(0, key)).toBe(expected);
    expect(await sets.seen(1, key)).toBe(expected);
    expect(became).toBe('throttled');
    // And then it is the next one's turn.
    await sets.passing(sets.put(0, key, '3'));
    expect(await sets.seen(1, key)).toBe('3');
    await sets.cluster.close();
  });

  test('counts as pending until no copy can bring it forth again', async () => {
    const sets = await SetsUnderTest.start(2);
    const key = sets.keyOf(0);
    await sets.passing(sets.put(0, key, '1'));
    sets.machine(1).pause();
    // It goes to the storage itself, behind what is pending.
    const writing = kindOf(sets.put(0, key, '2', long));
    await sets.pass(1_000);
    expect(await sets.stored(key)).toBe('1');
    expect([...sets.setOf(0).entries()].length).toBe(1);
    sets.machine(1).resume();
    expect(await sets.passing(writing)).toBe('done');
    sets.kill(0, true);
    expect(await sets.seen(1, key)).toBe('2');
    await sets.cluster.close();
  });

  test('does not hold its key up for ever when the storage has it and the other nodes are gone', async () => {
    const sets = await SetsUnderTest.start(2, { whenFull: 'through' });
    const [key, late] = [sets.keyOf(0), sets.keyOf(0, 'late')];
    await sets.passing(sets.put(0, key, '1'));
    sets.kill(1);
    // It found its copy gone in the middle of it.
    expect(await sets.passing(kindOf(sets.put(0, late, '1')))).toBe('unavailable');
    await sets.pass(20_000);
    for (const one of [key, late]) expect(await sets.passing(kindOf(sets.put(0, one, '2')))).toBe('done');
    for (const one of [key, late]) expect(await sets.stored(one)).toBe('2');
    // What the other node had does not count any more.
    await sets.open(1);
    await sets.settled();
    sets.kill(0, true);
    for (const one of [key, late]) expect(await sets.seen(1, one)).toBe('2');
    await sets.cluster.close();
  });

  test('has a later stamp than all before, also when its node lost the set before', async () => {
    const sets = await SetsUnderTest.start(2);
    const key = sets.keyOf(0);
    for (const version of ['1', '2', '3']) await sets.passing(sets.put(0, key, version));
    const set = sets.setOf(0);
    const last = [...set.entries()].at(-1)?.change.stamp ?? [0, 0];
    const [, copy] = set.record.copies;
    // As another node would that was late with it.
    await sets.changeRecord(set.name.setId, (record) => ({
      ...record,
      generation: record.generation + 1,
      incarnation: sets.machine(1).ownership.incarnation,
      copies: copy ? [copy] : [],
      former: [...record.former, ...record.copies.slice(0, 1)],
      isTakenOver: true,
    }));
    await sets.until(() => set.isLost);
    await sets.settled();
    // What is pending at the other node is flushed first.
    await sets.passing(sets.put(0, key, '4'));
    const stamp = [...sets.setOf(0).entries()].at(-1)?.change.stamp ?? [0, 0];
    expect(stamp[0] > last[0] || (stamp[0] === last[0] && stamp[1] > last[1])).toBe(true);
    expect(await sets.seen(1, key)).toBe('4');
    await sets.cluster.close();
  });
});
