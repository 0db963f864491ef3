import type { Clock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import type { Random } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import { CoordError, type CoordStore, type Lease, type Watch } from '../../src/coord/store.ts';
import { ClusterMember, type MemberAddress } from '../../src/ring/cluster-member.ts';
import type { Ownership } from '../../src/ring/ownership.ts';
import type { RingSettings } from '../../src/ring/view-record.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Where a node says that it is; nobody connects to it. */
export const address: MemberAddress = {
  host: '127.0.0.1',
  peerPort: 9002,
  s3Url: 'http://127.0.0.1:9000',
  adminUrl: 'http://127.0.0.1:9001',
};
export const testSettings: RingSettings = { mode: 'dynamic', virtualNodes: 16, leaseMs: 2_000 };
/** How long a change may take at the storage. */
export const settlingMs = 6_000;
/** What a call to the store takes when nothing answers it. */
const timeoutMs = 1_500;

/** One start of a process. */
export interface Life {
  isOver: boolean;
}

/** The clocks of a machine, as a process on it has them: they may run fast or slow, and the wall clock may jump. */
class MachineClock implements Clock {
  private readonly time: VirtualTime;
  private readonly machine: Machine;
  private readonly life: Life;

  constructor(time: VirtualTime, machine: Machine, life: Life) {
    this.time = time;
    this.machine = machine;
    this.life = life;
  }

  nowMs(): number {
    return Math.floor(this.time.nowMs() + this.machine.wallShiftMs);
  }

  monotonicMs(): number {
    return 1_000_000 + this.time.monotonicMs() * this.machine.rate;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.time.sleep(ms / this.machine.rate, signal);
    await this.machine.awake(this.life);
    if (signal?.aborted) throw signal.reason;
  }
}

/** What a node runs on, and how it reaches others. */
export class Machine {
  readonly workerId: string;
  /** Of its clocks, against true time. */
  rate = 1;
  wallShiftMs = 0;
  readonly own: CoordStore;
  readonly random: Random;
  /** Whether the store is reached. */
  isCutOff = false;
  /** Whether the store's watches bring nothing, while it answers. */
  isDeaf = false;
  /** The same of some watches, by what they watch. */
  isDeafTo: (prefix: string) => boolean = () => false;
  /** Whether others reach it, and it them. */
  isAlone = false;
  /** What an answer of the store takes beside the usual. */
  slowByMs = 0;
  delayMs: () => number;
  node: ClusterMember | undefined;
  private readonly time: VirtualTime;
  private readonly store: CoordStore;
  private paused: (() => void)[] | undefined;
  /** How often it was started, which tells its starts apart. */
  starts = 0;
  /** Of the process that runs now. */
  presentLife: Life = { isOver: true };
  /** As the process that runs now has them. */
  clock: Clock | undefined;
  reached: CoordStore | undefined;

  constructor(time: VirtualTime, random: Random, store: CoordStore, workerId: string, delayMs: () => number) {
    this.time = time;
    this.random = random;
    this.store = store;
    this.workerId = workerId;
    this.delayMs = delayMs;
    this.own = createMemoryStore(time, random);
  }

  get ownership(): Ownership {
    if (!this.node) throw new Error(`${this.workerId} does not run`);
    return this.node.ownership;
  }

  /** Starts the node without waiting for it to be a member. `reachable`: the machines that it asks for releases. */
  async start(reachable: () => readonly Machine[], settings = testSettings): Promise<ClusterMember> {
    const life = { isOver: false };
    this.presentLife = life;
    const clock = new MachineClock(this.time, this, life);
    const store = new StoreOverNetwork(this.time, this, clock, life, this.store);
    this.clock = clock;
    this.reached = store;
    const { workerId } = this;
    const self = { workerId, incarnation: `${workerId}-${++this.starts}`, weight: 1 };
    const node = await ClusterMember.open(clock, this.random, silentLog(), store, this.own, self, {
      initial: settings,
      settlingMs,
    });
    this.node = node;
    node.ownership.askWith(async (member, epoch, signal) => {
      const machine = reachable().find(
        ({ node: other }) => other?.ownership.incarnation === member.incarnation,
      );
      await this.time.sleep(this.delayMs());
      if (!machine?.node || machine.isAlone || this.isAlone) return undefined;
      await machine.awake(machine.presentLife);
      const released = await machine.ownership.whenReleased(this.workerId, epoch, signal);
      await this.time.sleep(this.delayMs());
      await this.awake(life);
      return machine.isAlone || this.isAlone ? undefined : released;
    });
    return node;
  }

  /** The process is gone, with all that it knew; its lease runs out. */
  kill(): void {
    this.presentLife.isOver = true;
    this.node = undefined;
  }

  pause(): void {
    this.paused ??= [];
  }

  resume(): void {
    const waiting = this.paused ?? [];
    this.paused = undefined;
    for (const go of waiting) go();
  }

  get isPaused(): boolean {
    return this.paused !== undefined;
  }

  /** Resolves while the machine runs; what a process waited for that was killed never comes. */
  async awake(life: Life): Promise<void> {
    while (this.paused) await new Promise<void>((resolve) => this.paused?.push(resolve));
    if (life.isOver) await new Promise(() => {});
  }
}

/** A store across a network: calls and answers take time, and may be lost before or after they had an effect. */
class StoreOverNetwork implements CoordStore {
  private readonly time: VirtualTime;
  private readonly machine: Machine;
  private readonly store: CoordStore;
  private readonly clock: Clock;
  private readonly life: Life;

  constructor(time: VirtualTime, machine: Machine, clock: Clock, life: Life, store: CoordStore) {
    this.time = time;
    this.machine = machine;
    this.clock = clock;
    this.life = life;
    this.store = store;
  }

  get(key: string) {
    return this.call(() => this.store.get(key));
  }

  list(prefix: string) {
    return this.call(() => this.store.list(prefix));
  }

  putIf(...given: Parameters<CoordStore['putIf']>) {
    const [key, value, expected, lease] = given;
    return this.call(() =>
      this.store.putIf(key, value, expected, lease && (lease as LeaseOverNetwork).inner),
    );
  }

  deleteIf(...given: Parameters<CoordStore['deleteIf']>) {
    return this.call(() => this.store.deleteIf(...given));
  }

  async watch(...given: Parameters<CoordStore['watch']>): Promise<Watch> {
    const [prefix, fromRevision, onEvents, onReset] = given;
    let turn = Promise.resolve();
    let isClosed = false;
    const inner = await this.store.watch(
      prefix,
      fromRevision,
      (events) => {
        turn = turn.then(async () => {
          await this.time.sleep(this.machine.delayMs());
          const isDeaf = () => this.machine.isDeaf || this.machine.isDeafTo(prefix);
          while (this.machine.isCutOff || isDeaf()) await this.time.sleep(50);
          await this.machine.awake(this.life);
          if (!isClosed && !this.life.isOver) onEvents(events);
        });
      },
      onReset,
    );
    return {
      close: async () => {
        isClosed = true;
        await inner.close();
      },
    };
  }

  async lease(ttlMs: number): Promise<Lease> {
    const sentMs = this.clock.monotonicMs();
    const inner = await this.call(() => this.store.lease(ttlMs));
    return new LeaseOverNetwork(this.clock, inner, ttlMs, sentMs, (work) => this.call(work));
  }

  async close(): Promise<void> {}

  private async call<T>(work: () => Promise<T>): Promise<T> {
    await this.time.sleep(this.machine.delayMs());
    const isLostOnTheWay = this.machine.isCutOff;
    if (this.life.isOver) await new Promise(() => {});
    const answer = isLostOnTheWay ? undefined : await work();
    await this.time.sleep(this.machine.delayMs() + this.machine.slowByMs);
    const isLost = isLostOnTheWay || this.machine.isCutOff;
    if (isLost) await this.time.sleep(timeoutMs);
    await this.machine.awake(this.life);
    if (isLost) throw new CoordError('unavailable', 'the store is not reached');
    return answer as T;
  }
}

class LeaseOverNetwork implements Lease {
  readonly inner: Lease;
  readonly id: string;
  readonly ended: AbortSignal;
  private readonly clock: Clock;
  private readonly ttlMs: number;
  private readonly call: <T>(work: () => Promise<T>) => Promise<T>;
  private sentMs: number;

  constructor(
    clock: Clock,
    inner: Lease,
    ttlMs: number,
    sentMs: number,
    call: <T>(work: () => Promise<T>) => Promise<T>,
  ) {
    this.inner = inner;
    this.id = inner.id;
    this.ended = inner.ended;
    this.clock = clock;
    this.ttlMs = ttlMs;
    this.sentMs = sentMs;
    this.call = call;
  }

  remainingMs(): number {
    return Math.max(0, this.sentMs + this.ttlMs - this.clock.monotonicMs());
  }

  async keepAlive(): Promise<void> {
    const sentMs = this.clock.monotonicMs();
    await this.call(() => this.inner.keepAlive());
    this.sentMs = sentMs;
  }

  revoke(): Promise<void> {
    this.sentMs = Number.NEGATIVE_INFINITY;
    return this.call(() => this.inner.revoke());
  }
}
