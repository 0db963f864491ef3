import type { ObjectMeta } from '../../../src/common/object-meta.ts';
import type { KeptSet } from '../../../src/pending/sets/kept-set.ts';
import { keeperOf, type SetRecord, setsPrefix } from '../../../src/pending/sets/set-record.ts';
import { orAbsent, UfsError } from '../../../src/ufs/errors.ts';
import { VirtualCluster } from '../../ring/virtual-cluster.ts';
import { address, type Machine } from '../../ring/virtual-node.ts';
import { Disk } from '../../support/fault-disk.ts';
import { TestBody } from '../../support/upload-body.ts';
import { CampaignWorld, noSetsCounts } from './campaign-world.ts';
import { VirtualLinks } from './virtual-links.ts';
import { hashOf, VirtualStoreNode, type VirtualStoreNodeOptions } from './virtual-store-node.ts';

/** Nothing is brought to the storage before somebody waits for it. */
export const never = Number.POSITIVE_INFINITY;

/** Nodes in virtual time to which just that is done which a test says. */
export class SetsUnderTest {
  readonly cluster: VirtualCluster;
  readonly world: CampaignWorld;
  /** On how many nodes writes are to be from now on; undefined: as it was said at first. */
  wanted: number | undefined;
  readonly links: VirtualLinks;
  private readonly options: VirtualStoreNodeOptions;
  private readonly nodes = new Map<number, VirtualStoreNode>();
  private readonly disks = new Map<number, Disk>();

  constructor(machines: number, options: Partial<VirtualStoreNodeOptions> = {}) {
    this.cluster = new VirtualCluster(machines, { seed: 1, slowestMs: 5 });
    this.world = new CampaignWorld(this.cluster.time, this.cluster.random, noSetsCounts());
    this.world.isHealthy = true;
    this.links = new VirtualLinks(this.cluster.time, this.cluster.machines);
    const { copies = 2 } = options;
    const wanted = () => this.wanted ?? copies;
    this.options = { copies, whenFull: 'slow-down', delayMs: never, ...options, wanted };
  }

  /** Starts so many of them, the first ones, and resolves when each can take writes. */
  static async start(
    count: number,
    options: Partial<VirtualStoreNodeOptions> = {},
    machines = count,
  ): Promise<SetsUnderTest> {
    const sets = new SetsUnderTest(machines, options);
    for (let i = 0; i < count; i++) await sets.open(i);
    await sets.settled();
    return sets;
  }

  /** Starts a node that has joined when it resolves; on an empty disk, or what its last process left. */
  async open(i: number): Promise<void> {
    const { cluster } = this;
    const machine = cluster.machine(i);
    const disk = this.disks.get(i) ?? emptyDisk();
    this.disks.set(i, disk);
    const node = await cluster.open(i);
    const storage = this.world.seenBy(machine, machine.presentLife);
    const opening = VirtualStoreNode.open(cluster.time, machine, this.links, disk, storage, this.options);
    this.nodes.set(i, await cluster.passing(opening));
    await cluster.passing(node.join(address, new AbortController().signal));
  }

  /** Resolves when all that run know of each other, and each may write what it owns. */
  async settled(): Promise<void> {
    const isReady = (node: VirtualStoreNode) =>
      [...node.kept].some((set) => set.has(this.options.copies)) &&
      node.sets.elsewhere.isReady(ownedBy(node));
    const all = () => this.cluster.isSettled() && [...this.nodes.values()].every(isReady);
    await this.until(all);
  }

  node(i: number): VirtualStoreNode {
    const node = this.nodes.get(i);
    if (!node) throw new Error(`the node ${i} does not run`);
    return node;
  }

  machine(i: number): Machine {
    return this.cluster.machine(i);
  }

  /** The power of a machine goes; with `forGood` so does what lies on its disk. */
  kill(i: number, forGood = false): void {
    this.node(i).kill();
    this.nodes.delete(i);
    const disk = this.disks.get(i) as Disk;
    this.disks.set(i, forGood ? emptyDisk() : disk.afterPowerLoss());
  }

  /** A key that the node owns by its own view. */
  keyOf(i: number, among = 'key'): string {
    const { ownership } = this.machine(i);
    for (let n = 0; ; n++) if (ownership.owns(hashOf(`${among}-${n}`))) return `${among}-${n}`;
  }

  ownerOf(key: string): number {
    for (const i of this.nodes.keys()) {
      const { isPaused, ownership } = this.machine(i);
      if (!isPaused && ownership.owns(hashOf(key))) return i;
    }
    throw new Error(`nobody owns ${key}`);
  }

  put(i: number, key: string, version: string, more: Record<string, string> = {}): Promise<ObjectMeta> {
    const options = { headers: {}, userMetadata: { version, ...more } };
    return this.node(i).backend.put(key, new TestBody(Buffer.from(version)), options);
  }

  /** The version that a node tells of as soon as it can tell one; undefined for none. */
  async seen(i: number, key: string): Promise<string | undefined> {
    for (let tries = 0; ; tries++) {
      try {
        return (await this.passing(orAbsent(this.node(i).backend.head(key))))?.userMetadata.version;
      } catch (error) {
        if (!(error instanceof UfsError && error.kind === 'unavailable') || tries === 50) throw error;
      }
      await this.pass(1_000);
    }
  }

  async stored(key: string): Promise<string | undefined> {
    return (await this.passing(orAbsent(this.world.storage.head(key))))?.userMetadata.version;
  }

  async listed(i: number): Promise<string[]> {
    const page = await this.passing(this.node(i).backend.list({ prefix: '', limit: 100 }));
    return page.entries.map(({ key }) => key);
  }

  /** What a node writes to. */
  setOf(i: number): KeptSet {
    const found = this.node(i).kept.find(({ record }) => record.copies.length > 1) ?? this.node(i).kept[0];
    if (!found) throw new Error(`the node ${i} keeps no set`);
    return found;
  }

  async record(id: string): Promise<SetRecord | undefined> {
    const entry = await this.passing(this.cluster.store.get(setsPrefix + id));
    return entry && (JSON.parse(entry.value) as SetRecord);
  }

  /** Resolves when the coordination store names no set of that id any more. */
  async gone(id: string): Promise<void> {
    for (let tries = 0; await this.record(id); tries++) {
      if (tries === 50) throw new Error(`the set ${id} is still there`);
      await this.pass(1_000);
    }
  }

  /** The coordination store says again what it said before, as after a copy of it took its place. */
  async restore(record: SetRecord | undefined): Promise<void> {
    if (!record) throw new Error('there was no such set');
    const [key, value] = [setsPrefix + record.id, JSON.stringify(record)];
    const present = await this.passing(this.cluster.store.get(key));
    const expected = present ? { revision: present.revision } : 'absent';
    await this.passing(this.cluster.store.putIf(key, value, expected));
  }

  /** Resolves when every set is kept by a node that runs. */
  async taken({ without }: { readonly without?: number } = {}): Promise<void> {
    const indexes = [...this.nodes.keys()].filter((i) => i !== without);
    const running = indexes.map((i) => this.machine(i).workerId);
    for (let tries = 0; ; tries++) {
      const { entries } = await this.passing(this.cluster.store.list(setsPrefix));
      const keepers = entries.flatMap(({ value }) => keeperOf(JSON.parse(value) as SetRecord) ?? []);
      if (keepers.every((keeper) => running.includes(keeper))) return;
      if (tries === 50) throw new Error(`sets are kept by ${keepers}, and only ${running} are there`);
      await this.pass(1_000);
    }
  }

  /** Folders on a node's disk that count for nothing. */
  async voidCopies(i: number): Promise<string[]> {
    const { entries } = await this.passing(this.cluster.store.list(setsPrefix));
    const records = entries.map(({ value }) => JSON.parse(value) as SetRecord);
    const named = records.flatMap(({ id, copies }) => copies.map(({ copyId }) => `${id}.${copyId}`));
    const { disk } = this.node(i).fs;
    const names = [...disk.directory('/node/sets').entries.keys()].filter((name) => !name.endsWith('.ended'));
    return names.filter((name) => !named.includes(name));
  }

  async changeRecord(id: string, change: (record: SetRecord) => SetRecord): Promise<void> {
    const entry = await this.passing(this.cluster.store.get(setsPrefix + id));
    if (!entry) throw new Error(`there is no set ${id}`);
    const value = JSON.stringify(change(JSON.parse(entry.value) as SetRecord));
    await this.passing(this.cluster.store.putIf(setsPrefix + id, value, { revision: entry.revision }));
  }

  /** Index of the node with a set's first copy beside its keeper's. */
  holderOf(set: KeptSet): number {
    const workerId = set.record.copies[1]?.workerId;
    return this.cluster.machines.findIndex((machine) => machine.workerId === workerId);
  }

  /** Kills the node with a set's first copy, so that another one gets it: its index, and what was said of the set before. */
  async withOtherCopy(set: KeptSet): Promise<{ readonly before?: SetRecord; readonly first: number }> {
    const before = await this.record(set.name.setId);
    const first = this.holderOf(set);
    this.kill(first);
    await this.until(() => this.holderOf(set) !== first && set.has(2));
    await this.taken();
    return { before, first };
  }

  passing<T>(work: Promise<T>): Promise<T> {
    return this.cluster.passing(work);
  }

  pass(ms: number): Promise<void> {
    return this.cluster.time.pass(ms);
  }

  until(holds: () => boolean): Promise<void> {
    return this.cluster.time.until(holds, String(holds), () => this.cluster.describe());
  }
}

function ownedBy({ machine }: VirtualStoreNode): number {
  for (let n = 0; ; n++) if (machine.ownership.owns(hashOf(`key-${n}`))) return hashOf(`key-${n}`);
}

function emptyDisk(): Disk {
  const disk = new Disk();
  disk.addEntry('/node', disk.newDirectory());
  disk.syncDirectory(disk.root);
  return disk;
}
