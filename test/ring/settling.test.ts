import { afterEach, describe, expect, test } from '@jest/globals';
import { waitMsFor } from '../../src/ring/view-lease.ts';
import { closeAll, clusterOf, hashes, ownedBy, pointerOf, settle } from './cluster-scene.ts';
import { address, settlingMs, testSettings } from './virtual-node.ts';

const { leaseMs } = testSettings;

afterEach(closeAll);

describe('a node that gains something', () => {
  test('may keep at once what was handed over with every change answered, and is told how long it must wait otherwise', async () => {
    const cluster = await clusterOf(1, 3);
    const machine = cluster.machine(0);
    await cluster.join(1);
    await settle(cluster);
    const second = cluster.machine(1);
    expect(ownedBy(second).filter((hash) => second.ownership.mayKeepMetadata(hash))).toEqual(ownedBy(second));
    // Beyond everything that the first one waited for when it gained it.
    await cluster.time.pass(2 * settlingMs + waitMsFor(leaseMs));
    for (const each of [machine, second]) each.ownership.beginWrite(ownedBy(each)[0] as number)?.end(true);
    const sentMs = cluster.time.monotonicMs();
    await cluster.join(2);
    const third = cluster.machine(2);
    const isFrom = (hash: number) => machine.ownership.view().metadataOwnerOf(hash) === third.workerId;
    await cluster.time.until(() => hashes.some((hash) => third.ownership.mayUseMetadata(hash)), 'in use');
    const passed = hashes.filter((hash) => isFrom(hash) && third.ownership.mayUseMetadata(hash));
    const unsettled = passed.filter((hash) => !third.ownership.mayKeepMetadata(hash));
    expect(unsettled.length).toBeGreaterThan(0);
    // Passed on within that time, it is not settled sooner.
    await cluster.join(3);
    const fourth = cluster.machine(3);
    const gained = ownedBy(fourth).filter((hash) => unsettled.includes(hash));
    await cluster.time.until(() => gained.every((hash) => fourth.ownership.mayUseMetadata(hash)), 'in use');
    expect(gained.length).toBeGreaterThan(0);
    while (cluster.time.monotonicMs() < sentMs + settlingMs - 20) {
      expect(gained.some((hash) => fourth.ownership.mayKeepMetadata(hash))).toBe(false);
      await cluster.time.pass(20);
    }
    await cluster.time.pass(200);
    expect(gained.every((hash) => fourth.ownership.mayKeepMetadata(hash))).toBe(true);
  });

  test('keeps nothing of what a crashed node owned until what that node sent can have no effect any more', async () => {
    const cluster = await clusterOf(3);
    const lost = ownedBy(cluster.machine(1));
    cluster.machine(1).kill();
    const { epoch } = await pointerOf(cluster);
    await cluster.time.until(() => cluster.machine(0).ownership.view().epoch > epoch, 'another view');
    const seenMs = cluster.time.monotonicMs();
    await settle(cluster);
    const mayBeKept = (hash: number) =>
      cluster.machines.some(({ node }) => node?.ownership.mayKeepMetadata(hash));
    while (cluster.time.monotonicMs() < seenMs + waitMsFor(leaseMs) + settlingMs - 50) {
      expect(lost.filter(mayBeKept)).toEqual([]);
      await cluster.time.pass(50);
    }
    await cluster.time.pass(100);
    expect(lost.every(mayBeKept)).toBe(true);
  });

  test('knows which members did not release what it gained, as long as they are members', async () => {
    const cluster = await clusterOf(2, 2);
    const silent = cluster.machine(1);
    silent.isAlone = true;
    await cluster.join(2);
    const gaining = cluster.machine(2);
    await cluster.time.until(
      () => ownedBy(gaining).every((hash) => gaining.ownership.mayUseMetadata(hash)),
      'in use',
    );
    const late = [...gaining.ownership.overdue()];
    expect(late.map(([incarnation]) => incarnation)).toEqual([silent.ownership.incarnation]);
    expect([...cluster.machine(0).ownership.overdue()]).toEqual([]);
    // What it is late with a second time is another matter, and has another number.
    await cluster.join(3);
    await settle(cluster);
    cluster.machine(3).kill();
    await settle(cluster);
    const again = gaining.ownership.overdue();
    for (const [incarnation, number] of late) expect(again.get(incarnation)).toBeGreaterThanOrEqual(number);
    silent.kill();
    await cluster.time.until(
      () => gaining.ownership.view().member(silent.workerId) === undefined,
      'without the silent one',
    );
    expect(gaining.ownership.overdue().has(late[0]?.[0] ?? '')).toBe(false);
  });

  test('holds nothing against who has released it, and all against who released it with changes that got no answer', async () => {
    const cluster = await clusterOf(2, 2);
    await cluster.join(2);
    await settle(cluster);
    expect([...cluster.machine(2).ownership.overdue()]).toEqual([]);
    const unsure = cluster.machine(0);
    unsure.ownership.beginWrite(ownedBy(unsure)[0] as number)?.end(true);
    await cluster.join(3);
    await settle(cluster);
    expect(cluster.machine(3).ownership.overdue().has(unsure.ownership.incarnation)).toBe(true);
  });

  test('hears from one whose writes took longer than its lease when all of them are answered', async () => {
    const cluster = await clusterOf(1, 1);
    const machine = cluster.machine(0);
    const writes = hashes.map((hash) => machine.ownership.beginWrite(hash));
    await cluster.open(1);
    const other = cluster.machine(1);
    void other.node?.join(address, new AbortController().signal);
    await cluster.time.until(() => ownedBy(other).length > 0, 'owning something');
    await cluster.time.pass(waitMsFor(leaseMs) + 500);
    const gained = ownedBy(other);
    expect(gained.filter((hash) => other.ownership.mayKeepMetadata(hash))).toEqual([]);
    for (const write of writes) write?.end();
    await cluster.time.pass(300);
    expect(gained.filter((hash) => !other.ownership.mayKeepMetadata(hash))).toEqual([]);
  });
});
