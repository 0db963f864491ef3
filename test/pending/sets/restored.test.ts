import { describe, expect, test } from '@jest/globals';
import { setsPrefix } from '../../../src/pending/sets/set-record.ts';
import { SetsUnderTest } from './sets-under-test.ts';

/** A set that has ended, and what was said of it before. */
async function ended(sets: SetsUnderTest, key: string) {
  await sets.passing(sets.put(0, key, '1'));
  const { setId } = sets.setOf(0).name;
  const before = await sets.record(setId);
  sets.kill(0);
  await sets.open(0);
  await sets.settled();
  await sets.gone(setId);
  return { setId, before };
}

describe('a coordination store that went back', () => {
  test('does not bring a set back that has ended', async () => {
    const sets = await SetsUnderTest.start(3, { delayMs: 0 });
    const key = sets.keyOf(0);
    const { setId, before } = await ended(sets, key);
    await sets.restore(before);
    for (const i of [0, 1, 2]) expect(await sets.seen(i, key)).toBe('1');
    for (const i of [0, 1, 2]) expect(await sets.listed(i)).toEqual([key]);
    await sets.gone(setId);
    await sets.cluster.close();
  });

  test('does not bring it back when the nodes that had it were started anew since, or one of them is gone', async () => {
    const sets = await SetsUnderTest.start(3, { delayMs: 0 });
    const key = sets.keyOf(0);
    const { before } = await ended(sets, key);
    for (const i of [0, 1, 2]) {
      sets.kill(i);
      await sets.open(i);
      await sets.settled();
    }
    sets.kill(0, true);
    await sets.taken();
    await sets.restore(before);
    for (const i of [1, 2]) expect(await sets.seen(i, key)).toBe('1');
    await sets.cluster.close();
  });

  test('leaves no node that keeps a set which is another one’s by what is said last', async () => {
    const sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    await sets.passing(sets.put(0, key, '1'));
    const set = sets.setOf(0);
    const [, copy] = set.record.copies;
    await sets.changeRecord(set.name.setId, (record) => ({
      ...record,
      generation: record.generation + 1,
      incarnation: sets.machine(sets.holderOf(set)).ownership.incarnation,
      copies: copy ? [copy] : [],
      isTakenOver: true,
    }));
    await sets.until(() => set.isLost);
    for (const i of [0, 1, 2]) expect(await sets.seen(i, key)).toBe('1');
    await sets.cluster.close();
  });

  test('is told at once by whoever keeps a set, be there no other view', async () => {
    const sets = await SetsUnderTest.start(3);
    const set = sets.setOf(0);
    const { before, first } = await sets.withOtherCopy(set);
    await sets.open(first);
    await sets.settled();
    await sets.restore(before);
    await sets.pass(2_000);
    const said = await sets.record(set.name.setId);
    expect(said?.copies).toEqual(set.record.copies);
    expect(said?.copies).not.toEqual(before?.copies);
    await sets.cluster.close();
  });

  test('does not pass over what is pending before its keeper has said so again', async () => {
    const sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    await sets.passing(sets.put(0, key, '1'));
    const { setId } = sets.setOf(0).name;
    expect(await sets.listed(1)).toEqual([key]);
    sets.machine(0).isDeafTo = (prefix) => prefix.startsWith('pending/');
    await sets.passing(sets.cluster.store.deleteIf(setsPrefix + setId, 'any'));
    await sets.pass(1_000);
    const listing = sets.passing(sets.node(1).backend.list({ prefix: '', limit: 10 }));
    await expect(listing).rejects.toThrow('went back');
    sets.machine(0).isDeafTo = () => false;
    await sets.pass(2_000);
    for (const i of [0, 1, 2]) expect(await sets.listed(i)).toEqual([key]);
    await sets.cluster.close();
  });

  test('is believed after a while', async () => {
    const sets = await SetsUnderTest.start(3);
    const { record } = sets.setOf(0);
    const id = sets.cluster.random.uuid();
    await sets.restore({ ...record, id });
    await sets.pass(1_000);
    await sets.passing(sets.cluster.store.deleteIf(setsPrefix + id, 'any'));
    await sets.passing(sets.node(1).backend.list({ prefix: '', limit: 10 })).catch(() => undefined);
    await sets.pass(15_000);
    expect(await sets.listed(1)).toEqual([]);
    await sets.cluster.close();
  });

  test('does not make a keeper count on copies that it has replaced', async () => {
    const sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    const set = sets.setOf(0);
    const { before, first } = await sets.withOtherCopy(set);
    await sets.open(first);
    await sets.settled();
    // Its keeper does not hear of that by itself.
    sets.machine(0).isDeafTo = (prefix) => prefix.startsWith('pending/');
    await sets.restore(before);
    // Its copies are out of reach for so long that it looks for others.
    sets.links.apart = [0, 1, 2].map((i) => sets.machine(i).workerId);
    const given = sets.passing(sets.put(0, key, '1')).catch(() => 'given up');
    expect(await given).toBe('given up');
    sets.links.apart = [];
    await sets.until(() => set.has(2) && [...set.entries()].length > 0);
    await sets.passing(sets.put(0, key, '2'));
    sets.kill(0, true);
    expect(await sets.seen(first, key)).toBe('2');
    await sets.cluster.close();
  });

  test('leaves sets of which nobody has anything to whoever accepts the loss, and no others', async () => {
    const sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    await sets.passing(sets.put(0, key, '1'));
    const { record } = sets.setOf(0);
    // As if both disks had been lost.
    const copies = record.copies.map((copy) => ({ ...copy, copyId: sets.cluster.random.uuid() }));
    const id = sets.cluster.random.uuid();
    await sets.restore({ ...record, id, copies });
    const { backend } = sets.node(1);
    await expect(sets.passing(backend.list({ prefix: '', limit: 10 }))).rejects.toThrow(id);
    await sets.passing(sets.node(2).sets.acceptLoss());
    for (const i of [0, 1, 2]) expect(await sets.listed(i)).toEqual([key]);
    for (const i of [0, 1, 2]) expect(await sets.seen(i, key)).toBe('1');
    await sets.cluster.close();
  });
});
