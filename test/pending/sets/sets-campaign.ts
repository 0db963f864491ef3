import { type SetCopy, type SetRecord, setsPrefix } from '../../../src/pending/sets/set-record.ts';
import { WorkerIdInUseError } from '../../../src/ring/membership.ts';
import { pointerKey } from '../../../src/ring/view-record.ts';
import { orAbsent } from '../../../src/ufs/errors.ts';
import { VirtualCluster } from '../../ring/virtual-cluster.ts';
import { address, type Machine } from '../../ring/virtual-node.ts';
import { Disk } from '../../support/fault-disk.ts';
import { CampaignClients, keys, versionOf } from './campaign-clients.ts';
import { CampaignWorld, type SetsCounts } from './campaign-world.ts';
import { VirtualLinks } from './virtual-links.ts';
import { settleMs, VirtualStoreNode, type VirtualStoreNodeOptions } from './virtual-store-node.ts';

export interface SetsCampaignOptions extends VirtualStoreNodeOptions {
  readonly machines: number;
  readonly virtualMs: number;
}

/**
 * One seeded run in virtual time: machines with a real ring, real journals on disks that lose what was not synced, over one storage that refuses, does not
 * answer and carries attempts out later. Clients put, delete, read and list through all of them and keep their own log, while machines are
 * killed, paused and cut off, leave and come back. At the end all is healed and flushed, and the storage compared with the log. Throws what is
 * wrong.
 */
export async function runSetsCampaign(
  seed: number,
  counts: SetsCounts,
  options: Partial<SetsCampaignOptions> = {},
): Promise<void> {
  const { machines = 3 + (seed % 2), virtualMs = 40_000, copies = seed % 7 === 6 ? 3 : 2 } = options;
  const { delayMs = [0, 600, 2_500][seed % 3] as number, whenFull = seed % 4 < 3 ? 'through' : 'slow-down' } =
    options;
  counts.runs++;
  const campaign = new SetsCampaign(seed, counts, { machines, virtualMs, copies, whenFull, delayMs });
  await campaign.run();
}

class SetsCampaign {
  private readonly cluster: VirtualCluster;
  private readonly world: CampaignWorld;
  private readonly clients: CampaignClients;
  private readonly links: VirtualLinks;
  private readonly nodes = new Map<Machine, VirtualStoreNode>();
  private readonly disks = new Map<Machine, Disk>();
  private readonly starting = new Set<Machine>();
  private readonly leaving = new Set<Machine>();
  private readonly ends = new Map<Machine, () => void>();
  private readonly takenOver = new Set<string>();
  private readonly options: SetsCampaignOptions;
  private isRestoring = false;
  private failure: unknown;

  constructor(seed: number, counts: SetsCounts, options: SetsCampaignOptions) {
    this.cluster = new VirtualCluster(options.machines, { seed, slowestMs: 20 });
    this.world = new CampaignWorld(this.cluster.time, this.cluster.random, counts);
    this.clients = new CampaignClients(this.world, () => [...this.nodes.values()]);
    this.links = new VirtualLinks(this.cluster.time, this.cluster.machines);
    this.options = options;
    for (const machine of this.cluster.machines) {
      const disk = new Disk();
      disk.addEntry('/node', disk.newDirectory());
      disk.syncDirectory(disk.root);
      this.disks.set(machine, disk);
    }
  }

  async run(): Promise<void> {
    try {
      await this.runAll();
    } catch (error) {
      const named = keys.find((key) => new RegExp(`(: |lists )${key}[ :]`).test(String(error)));
      const [, set] = /for the set ([0-9a-f-]{36})/.exec(String(error)) ?? [];
      const isAbout = (line: string) =>
        line.includes('!!') ||
        (set
          ? line.includes(` set ${set}`)
          : (!named || line.includes(` ${named} `)) && !line.includes(' set '));
      const lines = this.world.trace.filter(isAbout).slice(-60);
      throw new Error(`${error}\n${lines.join('\n')}\n${JSON.stringify(this.describe())}`, { cause: error });
    }
  }

  private async runAll(): Promise<void> {
    const { machines } = this.cluster;
    this.noteSets();
    for (const machine of machines) void this.start(machine);
    await this.until(() => this.cluster.isSettled(), 'settled at first');
    this.clients.start();
    for (let passed = 0; passed < this.options.virtualMs; ) {
      const ms = 100 + this.world.random.next() ** 2 * 4_000;
      await this.pass(ms);
      passed += ms;
      this.disturb();
    }
    await this.heal();
    // Here it surely can be, with clients at work.
    void this.restoreLater();
    await this.settled();
    this.clients.stop();
    await this.until(() => this.clients.areQuiet, 'quiet');
    await this.until(() => this.pendingAnywhere() === 0, 'flushed');
    await this.finish();
    await this.cluster.close();
  }

  /** What is said of sets, for whoever has to find out why it went wrong. */
  private noteSets(): void {
    const { store } = this.cluster;
    const [put, remove] = [store.putIf.bind(store), store.deleteIf.bind(store)];
    const of = (copies: readonly SetCopy[]) =>
      copies.map(({ workerId, copyId }) => `${workerId}/${copyId.slice(0, 4)}`).join();
    store.putIf = (key, value, ...rest) => {
      const putting = put(key, value, ...rest);
      if (!key.startsWith(setsPrefix)) return putting;
      const { id, generation, incarnation, copies, building, former } = JSON.parse(value) as SetRecord;
      const said = `${generation} ${incarnation} has ${of(copies)} building ${of(building)} former ${of(former)}`;
      void putting.then((made) => this.world.note(`set ${id} ${made === undefined ? 'not' : ''} ${said}`));
      return putting;
    };
    store.deleteIf = (key, ...rest) => {
      if (key.startsWith(setsPrefix)) this.world.note(`set ${key.slice(setsPrefix.length)} goes`);
      return remove(key, ...rest);
    };
  }

  private async heal(): Promise<void> {
    this.world.isHealthy = true;
    this.world.isStorageAway = false;
    for (const end of this.ends.values()) end();
    this.ends.clear();
    await this.settled();
  }

  private async settled(): Promise<void> {
    const { machines } = this.cluster;
    await this.until(() => !this.isRestoring, 'restored');
    await this.until(() => {
      for (const machine of machines) if (!machine.node) void this.start(machine);
      return this.nodes.size === machines.length && this.leaving.size === 0 && this.cluster.isSettled();
    }, 'settled in the end');
    await this.pass(2 * settleMs);
  }

  private pendingAnywhere(): number {
    let count = 0;
    for (const node of this.nodes.values()) count += node.pending;
    return count;
  }

  private describe() {
    return [...this.nodes.values()].map(({ machine, kept, sets }) => ({
      worker: machine.workerId,
      held: sets.heldCopies,
      kept: kept.map((set) => ({
        ...set.record,
        keys: [...set.keys()],
        copies: set.record.copies.map(({ workerId }) => workerId),
        silent: set.writers.map(({ silentSinceMs, isFenced, isEnded }) => [silentSinceMs, isFenced, isEnded]),
      })),
    }));
  }

  /** Every node and the storage agree with the log. */
  private async finish(): Promise<void> {
    const { log } = this.clients;
    const { cluster } = this;
    for (const key of keys) {
      const meta = await cluster.passing(orAbsent(this.world.storage.head(key)));
      log.judge(key, versionOf(meta), 'the storage in the end');
      for (const { machine, backend } of this.nodes.values()) {
        const seen = await cluster.passing(orAbsent(backend.head(key)));
        log.judge(key, versionOf(seen), `${machine.workerId} in the end`);
      }
    }
    const present = keys.filter((key) => log.present(key)).sort();
    for (const { backend } of this.nodes.values()) {
      const { entries } = await cluster.passing(backend.list({ prefix: '', limit: 100 }));
      // What the storage was tried with stays where the node was killed meanwhile.
      const listed = entries.map(({ key }) => key).filter((key) => !key.startsWith('.forebay-check-'));
      if (listed.join() !== present.join()) throw new Error(`lists ${listed}, and not ${present}`);
    }
  }

  private async start(machine: Machine): Promise<void> {
    if (machine.node || this.starting.has(machine)) return;
    this.starting.add(machine);
    try {
      const node = await machine.start(() => this.cluster.machines);
      const life = machine.presentLife;
      const disk = this.disks.get(machine) as Disk;
      const storage = this.world.seenBy(machine, life);
      const { time } = this.cluster;
      const opened = await VirtualStoreNode.open(time, machine, this.links, disk, storage, this.options);
      if (life.isOver) return;
      this.nodes.set(machine, opened);
      await node.join(address, new AbortController().signal);
    } catch (error) {
      this.kill(machine);
      // An entry of an earlier start that came late: without the lock of a data folder nobody knows here that it is of a process which is gone.
      const isEarlier = error instanceof WorkerIdInUseError;
      if (!isEarlier && !/not reached|aborted/.test(String(error))) this.failure ??= error;
    } finally {
      this.starting.delete(machine);
    }
  }

  private kill(machine: Machine): void {
    const node = this.nodes.get(machine);
    this.nodes.delete(machine);
    this.starting.delete(machine);
    this.leaving.delete(machine);
    if (node) node.kill();
    else machine.kill();
    const disk = this.disks.get(machine) as Disk;
    const survival = this.world.below(3);
    if (survival === 1) this.disks.set(machine, disk.afterPowerLoss());
    if (survival === 2)
      this.disks.set(
        machine,
        disk.afterPowerLoss(() => this.world.random.next()),
      );
    this.world.counts.kills++;
  }

  /** As a node ends that is asked to. */
  private async leave(machine: Machine): Promise<void> {
    const node = this.nodes.get(machine);
    if (!node || this.leaving.has(machine)) return;
    const { life } = node;
    this.leaving.add(machine);
    this.world.counts.leaves++;
    try {
      await machine.node?.drain(1_500);
      await node.sets.flush(1_000);
      await node.sets.close();
      await machine.node?.close();
    } finally {
      if (!life.isOver) {
        this.leaving.delete(machine);
        node.kill();
        this.starting.delete(machine);
        if (this.nodes.get(machine) === node) this.nodes.delete(machine);
      }
    }
  }

  private disturb(): void {
    if (this.isRestoring) return;
    const { machines } = this.cluster;
    const machine = this.cluster.machine(this.world.below(machines.length));
    const end = this.ends.get(machine);
    if (end) {
      end();
      this.world.note(`!! ${machine.workerId} ends`);
      this.ends.delete(machine);
      return;
    }
    const kind = this.world.below(15);
    this.world.note(`!! ${machine.workerId} ${machine.node ? kind : 'start'}`);
    // A write lies on two disks: with both of them gone at once, nobody can have it.
    const isSafe = machines.every((other) => other === machine || this.nodes.has(other));
    if (!machine.node) void this.start(machine);
    else if (kind <= 1 && isSafe) this.kill(machine);
    else if (kind === 2 && isSafe) {
      this.kill(machine);
      void this.start(machine);
    } else if (kind === 3 && isSafe) void this.leave(machine);
    else if (kind <= 5) this.world.isStorageAway = !this.world.isStorageAway;
    else if (kind === 14) void this.restoreLater();
    else this.disturbForAWhile(machine, kind);
  }

  /**
   * The coordination store goes back by some seconds, and then an operator raises its generation. A node that is away then cannot say what it
   * keeps: that is not promised.
   */
  private async restoreLater(): Promise<void> {
    const { machines } = this.cluster;
    const areThere = machines.every((machine) => this.nodes.has(machine) && !this.ends.has(machine));
    if (this.isRestoring || !areThere || this.leaving.size > 0) return;
    this.isRestoring = true;
    try {
      const { store, time } = this.cluster;
      const before = await store.list(setsPrefix);
      const pointer = await store.get(pointerKey);
      await time.sleep(500 + this.world.below(3_500));
      for (const { key } of (await store.list(setsPrefix)).entries)
        if (!before.entries.some((entry) => entry.key === key)) await store.deleteIf(key, 'any');
      for (const { key, value } of before.entries) await store.putIf(key, value, 'any');
      if (pointer) await store.putIf(pointerKey, pointer.value, 'any');
      this.world.note('!! the store went back');
      this.world.counts.restored++;
      await this.raise();
      await time.sleep(5_000);
    } catch (error) {
      this.failure ??= error;
    } finally {
      this.isRestoring = false;
    }
  }

  private async raise(): Promise<void> {
    const asks = () =>
      [...this.nodes.keys()].find(({ node }) => node?.reasonNotReady()?.includes('raise-generation'));
    for (let looks = 0; looks < 50; looks++) {
      await this.cluster.time.sleep(100);
      // One that is cut off, or gone by then, does not do it.
      const isDone = await asks()
        ?.node?.raiseGeneration()
        .then(
          () => true,
          () => false,
        );
      if (isDone) return;
    }
  }

  private disturbForAWhile(machine: Machine, kind: number): void {
    const { counts } = this.world;
    if (kind <= 7) {
      machine.pause();
      counts.pauses++;
      this.ends.set(machine, () => machine.resume());
    } else if (kind === 8) {
      machine.isCutOff = true;
      this.ends.set(machine, () => {
        machine.isCutOff = false;
      });
    } else if (kind >= 11) {
      const { delayMs } = machine;
      // Everything that it does takes its time, so that much is under way when something else happens.
      machine.delayMs = () => delayMs() + this.world.random.next() ** 2 * 1_200;
      this.ends.set(machine, () => {
        machine.delayMs = delayMs;
      });
    } else {
      machine.isAlone = true;
      this.ends.set(machine, () => {
        machine.isAlone = false;
      });
    }
  }

  private async pass(ms: number): Promise<void> {
    await this.cluster.time.pass(ms);
    for (const { kept } of this.nodes.values()) {
      for (const { name, record } of kept) {
        if (!record.isTakenOver || this.takenOver.has(name.setId)) continue;
        this.takenOver.add(name.setId);
        this.world.counts.takenOver++;
      }
    }
    const failure = this.failure ?? this.clients.failure;
    if (failure !== undefined) throw failure;
  }

  private async until(holds: () => boolean, what: string): Promise<void> {
    for (let waited = 0; !holds(); waited += 50) {
      if (waited > 120_000) {
        throw new Error(`in two minutes not ${what}: ${JSON.stringify(this.cluster.describe())}`);
      }
      await this.pass(50);
    }
  }
}
