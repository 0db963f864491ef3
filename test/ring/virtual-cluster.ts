import { createMemoryStore } from '../../src/coord/memory.ts';
import type { CoordStore } from '../../src/coord/store.ts';
import type { ClusterMember } from '../../src/ring/cluster-member.ts';
import type { RingSettings } from '../../src/ring/view-record.ts';
import { SeededRandom } from '../worker/seeded.ts';
import { address, Machine, testSettings } from './virtual-node.ts';
import { VirtualTime } from './virtual-time.ts';

/** Machines in virtual time over one coordination store. */
export class VirtualCluster {
  readonly time = new VirtualTime();
  readonly random: SeededRandom;
  readonly store: CoordStore;
  readonly machines: readonly Machine[];
  private readonly settings: RingSettings;

  constructor(count: number, { seed = 1, settings = testSettings, slowestMs = 5 } = {}) {
    this.random = new SeededRandom(seed);
    this.store = createMemoryStore(this.time, this.random);
    this.settings = settings;
    const delayMs = () => this.random.next() ** 4 * slowestMs;
    this.machines = Array.from(
      { length: count },
      (_, i) => new Machine(this.time, this.random, this.store, `worker-${i}`, delayMs),
    );
  }

  machine(i: number): Machine {
    const machine = this.machines[i];
    if (!machine) throw new Error(`there is no machine ${i}`);
    return machine;
  }

  /** Starts a node and lets time pass until it has joined. */
  async join(i: number): Promise<ClusterMember> {
    const node = await this.open(i);
    await this.passing(node.join(address, new AbortController().signal));
    return node;
  }

  /** Starts a node that is no member yet. */
  open(i: number): Promise<ClusterMember> {
    return this.passing(this.machine(i).start(() => this.machines, this.settings));
  }

  /** Lets time pass until it is done; for a minute at most. */
  async passing<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const end = () => {
      isDone = true;
    };
    work.then(end, end);
    await this.time.until(() => isDone, 'done');
    return work;
  }

  /** Those that run and are members by their own view. */
  members(): Machine[] {
    return this.machines.filter(({ node }) => node?.standing.isMember);
  }

  /** Whether all that run agree on a view with all of them, and each may use what it owns. */
  isSettled(): boolean {
    const running = this.machines.filter(({ node }) => node !== undefined);
    const [first] = running;
    return running.every(({ node }) => {
      const { view, isMember, hasLease, unreleased } = node?.standing ?? {};
      const isSame = view?.record.id === first?.node?.standing.view?.record.id;
      const hasAll =
        view?.members.length === running.length && view.members.every(({ state }) => state === 'joined');
      return isMember && hasLease && unreleased === 0 && isSame && hasAll;
    });
  }

  /** Where each node stands, for a test that failed. */
  describe(): unknown {
    return this.machines.map(({ workerId, node, isPaused }) => {
      const { view, registered: _, ...rest } = node?.standing ?? { registered: [] };
      const members = view?.members.map((member) => `${member.incarnation} ${member.state}`);
      return { workerId, isPaused, epoch: view?.epoch, members, ...rest };
    });
  }

  async close(): Promise<void> {
    for (const machine of this.machines) machine.resume();
    await this.passing(Promise.all(this.machines.map(({ node }) => node?.close())));
    await this.store.close();
  }
}
