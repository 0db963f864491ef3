import { afterEach, describe, expect, test } from '@jest/globals';
import { WorkerIdInUseError } from '../../src/ring/membership.ts';
import { waitMsFor } from '../../src/ring/view-lease.ts';
import {
  epochOfKey,
  pointerKey,
  settingsKey,
  type ViewPointer,
  viewKey,
  viewsPrefix,
  workersPrefix,
} from '../../src/ring/view-record.ts';
import { closeAll, clusterOf, hashes, ownedBy, pointerOf, settle, usersOf } from './cluster-scene.ts';
import type { VirtualCluster } from './virtual-cluster.ts';
import { address, Machine, settlingMs, testSettings } from './virtual-node.ts';

afterEach(closeAll);

const never = new AbortController().signal;
const { leaseMs } = testSettings;

/** Two nodes that are about to join; each joining resolves when a view has it. */
async function openedTwo(cluster: VirtualCluster): Promise<(() => Promise<void>)[]> {
  const nodes = [await cluster.open(2), await cluster.open(3)];
  await cluster.time.pass(2 * leaseMs);
  return nodes.map((node, i) => async () => {
    void node.join(address, never);
    const has = () =>
      cluster
        .machine(i + 2)
        .ownership.view()
        .member(`worker-${i + 2}`) !== undefined;
    await cluster.time.until(has, 'in a view');
  });
}

describe('a cluster', () => {
  test('joins nodes one after the other, and each object has one owner at a time', async () => {
    const cluster = await clusterOf(0, 4);
    for (let i = 0; i < 4; i++) {
      await cluster.join(i);
      await settle(cluster);
      for (const hash of hashes) {
        expect(usersOf(cluster, hash)).toEqual([cluster.machine(0).ownership.view().metadataOwnerOf(hash)]);
      }
    }
    expect(cluster.machine(0).ownership.view()).toMatchObject({ generation: 1, epoch: 4 });
  });

  test('takes nodes that come at once into one view or two', async () => {
    const cluster = await clusterOf(1, 5);
    await Promise.all([1, 2, 3, 4, 5].map((i) => cluster.open(i)));
    const joins = cluster.machines.map(({ node }, i) => (i === 0 ? undefined : node?.join(address, never)));
    await cluster.passing(Promise.all(joins));
    await settle(cluster);
    expect((await pointerOf(cluster)).epoch).toBeLessThanOrEqual(3);
  });

  test('hands over in a few exchanges when a node joins or drains, without waiting for a lease to end', async () => {
    const cluster = await clusterOf(3, 1);
    const node = await cluster.open(3);
    const joined = node.join(address, never);
    let longestMs = 0;
    const watch = async (isDone: () => boolean) => {
      for (let withoutMs = 0; !isDone(); await cluster.time.pass(5)) {
        withoutMs = hashes.every((hash) => usersOf(cluster, hash).length === 1) ? 0 : withoutMs + 5;
        longestMs = Math.max(longestMs, withoutMs);
      }
    };
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    void joined.then(done);
    await watch(() => isDone);
    isDone = false;
    const drained = cluster.machine(1).node?.drain(2_250).then(done);
    await watch(() => isDone);
    await drained;
    expect(ownedBy(cluster.machine(1))).toEqual([]);
    expect(longestMs).toBeLessThan(leaseMs / 4);
  });

  test('lets nobody use what a crashed node owned until its view lease is over for certain', async () => {
    const cluster = await clusterOf(3);
    const lost = ownedBy(cluster.machine(1));
    cluster.machine(1).kill();
    const before = (await pointerOf(cluster)).epoch;
    await cluster.time.until(() => (cluster.machine(0).ownership.view().epoch ?? 0) > before, 'another view');
    const seenMs = cluster.time.monotonicMs();
    while (cluster.time.monotonicMs() < seenMs + waitMsFor(leaseMs) - 50) {
      expect(lost.filter((hash) => usersOf(cluster, hash).length > 0)).toEqual([]);
      await cluster.time.pass(50);
    }
    await settle(cluster);
    for (const hash of hashes) expect(usersOf(cluster, hash)).toHaveLength(1);
  });

  test('lets a node that stood still use nothing from the moment it goes on', async () => {
    const cluster = await clusterOf(2);
    const machine = cluster.machine(0);
    const [hash] = ownedBy(machine) as [number];
    expect(machine.ownership.mayUseMetadata(hash)).toBe(true);
    const write = machine.ownership.beginWrite(hash);
    machine.pause();
    await cluster.time.pass(leaseMs + 100);
    machine.resume();
    // No timer of it has run yet.
    expect(machine.ownership.mayUseMetadata(hash)).toBe(false);
    expect(write?.mayAcknowledge()).toBe(false);
    write?.end();
    await settle(cluster);
    expect(machine.ownership.mayUseMetadata(hash)).toBe(true);
  });

  test('ends the view lease by the wall clock too, which goes on while a machine sleeps', async () => {
    const cluster = await clusterOf(1);
    const machine = cluster.machine(0);
    const [hash] = hashes as [number];
    machine.wallShiftMs += leaseMs + 1;
    expect(machine.ownership.mayUseMetadata(hash)).toBe(false);
    await cluster.time.pass(leaseMs);
    expect(machine.ownership.mayUseMetadata(hash)).toBe(true);
    machine.wallShiftMs -= 3_600_000;
    machine.isCutOff = true;
    await cluster.time.pass(leaseMs + 100);
    expect(machine.ownership.mayUseMetadata(hash)).toBe(false);
  });

  test('counts a view lease from when it was asked for, however long the answer takes', async () => {
    const cluster = await clusterOf(1);
    const machine = cluster.machine(0);
    const [hash] = hashes as [number];
    machine.slowByMs = leaseMs;
    await cluster.time.pass(3 * leaseMs);
    for (let i = 0; i < 100; i++) {
      expect(machine.ownership.mayUseMetadata(hash)).toBe(false);
      await cluster.time.pass(50);
    }
  });

  test('keeps nothing of a node that missed views, where others may have owned it meanwhile', async () => {
    const cluster = await clusterOf(2, 1);
    const machine = cluster.machine(0);
    let kept = 0;
    machine.isCutOff = true;
    machine.isDeaf = true;
    machine.ownership.onView(({ keeps }) => {
      kept += hashes.filter(keeps).length;
    });
    const { epoch } = machine.ownership.view();
    // Its own entry runs out, others come and go until the views that it missed are gone too.
    for (let i = 0; i < 18; i++) {
      const node = await cluster.join(2);
      await cluster.passing(node.drain(2_250).then(() => node.close()));
      cluster.machine(2).kill();
    }
    machine.isCutOff = false;
    await cluster.time.until(() => machine.ownership.view().epoch > epoch + 16, 'at a later view');
    machine.isDeaf = false;
    await cluster.time.until(() => ownedBy(machine).length > 0, 'an owner again');
    expect(kept).toBe(0);
    await settle(cluster);
    // Whoever owned it meanwhile, and is not known, may have sent something that still takes effect.
    expect(ownedBy(machine).filter((hash) => machine.ownership.mayKeepMetadata(hash))).toEqual([]);
    await cluster.time.pass(settlingMs);
    expect(ownedBy(machine).every((hash) => machine.ownership.mayKeepMetadata(hash))).toBe(true);
  });

  test('keeps what a node owned through views that it caught up with one by one', async () => {
    const cluster = await clusterOf(2, 2);
    const machine = cluster.machine(0);
    const owned = new Set(ownedBy(machine));
    machine.ownership.onView(({ keeps }) => {
      for (const hash of owned) if (!keeps(hash)) owned.delete(hash);
    });
    const joins = await openedTwo(cluster);
    const { epoch } = await pointerOf(cluster);
    machine.isCutOff = true;
    machine.isDeaf = true;
    for (const join of joins) await join();
    expect((await pointerOf(cluster)).epoch).toBe(epoch + 2);
    machine.isCutOff = false;
    await cluster.time.until(() => machine.ownership.view().epoch === epoch + 2, 'caught up');
    machine.isDeaf = false;
    await settle(cluster);
    expect(owned.size).toBeGreaterThan(20);
    for (const hash of owned) expect(machine.ownership.mayUseMetadata(hash)).toBe(true);
  });

  test('keeps nothing where a view between is not there any more, though the node owns as much as before', async () => {
    const cluster = await clusterOf(2, 2);
    const machine = cluster.machine(0);
    const joins = await openedTwo(cluster);
    const { epoch } = await pointerOf(cluster);
    machine.isCutOff = true;
    machine.isDeaf = true;
    for (const join of joins) await join();
    for (const { key } of (await cluster.store.list(viewsPrefix)).entries) {
      if (epochOfKey(key) === epoch + 1) await cluster.store.deleteIf(key, 'any');
    }
    let kept = 0;
    machine.ownership.onView(({ keeps }) => {
      kept += hashes.filter(keeps).length;
    });
    machine.isCutOff = false;
    await cluster.time.until(() => machine.ownership.view().epoch === epoch + 2, 'at a later view');
    expect(ownedBy(machine).length).toBeGreaterThan(20);
    expect(kept).toBe(0);
    machine.isDeaf = false;
    await settle(cluster);
  });

  test('lets nobody use what a node has that has not heard of it, though others who gained it meanwhile have released it', async () => {
    const cluster = await clusterOf(2, 2);
    const machine = cluster.machine(1);
    const joins = await openedTwo(cluster);
    await cluster.time.pass(leaseMs / 4);
    machine.isCutOff = true;
    for (const join of joins) await join();
    // Its lease is valid when the last of them has joined, or the test shows nothing.
    expect(hashes.filter((hash) => machine.ownership.mayUseMetadata(hash)).length).toBeGreaterThan(20);
    for (let i = 0; i < 200; i++) {
      expect(hashes.filter((hash) => usersOf(cluster, hash).length > 1)).toEqual([]);
      await cluster.time.pass(20);
    }
    machine.isCutOff = false;
    await settle(cluster);
  });

  test('acknowledges no write of an object that went to another node and came back meanwhile', async () => {
    const cluster = await clusterOf(1, 1);
    const machine = cluster.machine(0);
    const writes = hashes.map((hash) => ({ hash, write: machine.ownership.beginWrite(hash) }));
    const node = await cluster.join(1);
    const moved = new Set(ownedBy(cluster.machine(1)));
    await cluster.passing(node.drain(2_250));
    await settleAll(cluster, machine);
    for (const { hash, write } of writes) expect(write?.mayAcknowledge()).toBe(!moved.has(hash));
    expect(moved.size).toBeGreaterThan(20);
  });

  test('releases what it lost only when the writes that had begun there are over', async () => {
    const cluster = await clusterOf(1, 1);
    const machine = cluster.machine(0);
    const writes = hashes.map((hash) => machine.ownership.beginWrite(hash));
    await cluster.open(1);
    const other = cluster.machine(1);
    const joined = other.node?.join(address, never);
    await cluster.time.until(() => ownedBy(other).length > 0, 'owning something');
    await cluster.time.pass(200);
    const [gained] = ownedBy(other) as [number];
    expect(other.ownership.mayUseMetadata(gained)).toBe(false);
    for (const write of writes) write?.end();
    await cluster.time.pass(200);
    expect(other.ownership.mayUseMetadata(gained)).toBe(true);
    await cluster.passing(joined as Promise<void>);
  });

  test('refuses a copy of a data folder whose original runs, and takes back a node that crashed', async () => {
    const cluster = await clusterOf(2);
    const original = cluster.machine(0);
    const copy = new Machine(cluster.time, cluster.random, cluster.store, original.workerId, () => 1);
    copy.starts = original.starts;
    const node = await cluster.passing(copy.start(() => []));
    await expect(cluster.passing(node.join(address, never))).rejects.toThrow(WorkerIdInUseError);
    await cluster.passing(node.close());
    await settle(cluster);
    original.kill();
    await cluster.join(0);
    await settle(cluster);
    expect(original.ownership.view().member(original.workerId)?.incarnation).toBe(
      original.ownership.incarnation,
    );
  });

  test('makes a member that another cannot reach own nothing for a while, and tells who asked when it is so', async () => {
    const cluster = await clusterOf(3);
    const [accuser, accused] = [cluster.machine(0), cluster.machine(1)];
    await cluster.passing(accuser.ownership.suspect(accused.workerId, never));
    expect(accuser.ownership.view().member(accused.workerId)?.state).toBe('suspect');
    for (const hash of hashes) {
      expect(accuser.ownership.view().metadataOwnerOf(hash)).not.toBe(accused.workerId);
    }
    await cluster.time.until(() => ownedBy(accused).length === 0, 'given up');
    // Its pages stay where they are.
    const placed = hashes.map((hash) => accuser.ownership.view().placementOwnerOf(hash, 0));
    expect(placed).toContain(accused.workerId);
    await settle(cluster);
  });

  test('keeps only the views that somebody may still need', async () => {
    const cluster = await clusterOf(1, 1);
    for (let i = 0; i < 20; i++) {
      const node = await cluster.join(1);
      await cluster.passing(node.drain(2_250).then(() => node.close()));
      cluster.machine(1).kill();
    }
    const { entries } = await cluster.store.list(viewsPrefix);
    expect(entries.length).toBeLessThanOrEqual(33);
    expect(entries.map(({ key }) => key)).toContain(viewKey(await pointerOf(cluster)));
  });
});

describe('a store that was restored', () => {
  test.each<[string, (latest: ViewPointer, older: string) => string | undefined]>([
    ['names an older view', (_, older) => older],
    ['names another view of the same number', (latest) => JSON.stringify({ ...latest, id: 'another' })],
    ['names no view', () => undefined],
  ])('stops every node when it %s, until the generation is raised', async (_, restored) => {
    const cluster = await clusterOf(1, 1);
    const older = (await cluster.store.get(pointerKey))?.value ?? '';
    await cluster.join(1);
    await settle(cluster);
    const value = restored(await pointerOf(cluster), older);
    if (value === undefined) await cluster.store.deleteIf(pointerKey, 'any');
    else await cluster.store.putIf(pointerKey, value, 'any');
    await cluster.time.pass(leaseMs * 2);
    for (const { node } of cluster.machines) {
      expect(node?.reasonNotReady()).toMatch(/the coordination store went back.*raise-generation/);
    }
    await cluster.time.pass(20_000);
    for (const hash of hashes) expect(usersOf(cluster, hash)).toEqual([]);
    const name = await cluster.passing(cluster.machine(0).node?.raiseGeneration() as Promise<unknown>);
    expect(name).toEqual({ generation: 2, epoch: 3 });
    await settle(cluster);
    for (const hash of hashes) expect(usersOf(cluster, hash)).toHaveLength(1);
    expect(cluster.machine(1).node?.reasonNotReady()).toBeUndefined();
  });

  test('is noticed by a node that was started again since', async () => {
    const cluster = await clusterOf(2);
    for (const machine of cluster.machines) machine.kill();
    await cluster.time.pass(20_000);
    await cluster.store.deleteIf(pointerKey, 'any');
    const node = await cluster.open(0);
    expect(node.reasonNotReady()).toMatch(/the coordination store went back/);
  });
});

describe('static mode', () => {
  test('places pages on registered workers, alive or not, and lets only those that are alive own metadata', async () => {
    const cluster = await clusterOf(3);
    await cluster.store.putIf(settingsKey, JSON.stringify({ ...testSettings, mode: 'static' }), 'any');
    const registered = async () => (await cluster.store.list(workersPrefix)).entries.length;
    let count = 0;
    await cluster.time.until(() => {
      void registered().then((found) => {
        count = found;
      });
      return count === 3;
    }, 'registered');
    await settle(cluster);
    const view = () => cluster.machine(0).ownership.view();
    const placed = hashes.map((hash) => view().placementOwnerOf(hash, 3));
    cluster.machine(2).kill();
    await settle(cluster);
    expect(hashes.map((hash) => view().placementOwnerOf(hash, 3))).toEqual(placed);
    expect(placed).toContain('worker-2');
    expect(hashes.map((hash) => view().metadataOwnerOf(hash))).not.toContain('worker-2');
  });
});

/** Until one machine may use all that there is. */
async function settleAll({ time }: VirtualCluster, { ownership }: Machine): Promise<void> {
  await time.until(() => hashes.every((hash) => ownership.mayUseMetadata(hash)), 'alone');
}
