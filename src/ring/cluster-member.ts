import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import { CoordError, type CoordStore } from '../coord/store.ts';
import { ClusterOwnership } from './cluster-ownership.ts';
import { ClusterTable } from './cluster-table.ts';
import { Membership } from './membership.ts';
import type { Ownership, ViewMember } from './ownership.ts';
import { Releases } from './releases.ts';
import { RingControl } from './ring-control.ts';
import { Suspects } from './suspects.ts';
import { ViewFollower } from './view-follower.ts';
import {
  defaultRingSettings,
  type MemberRecord,
  type RingSettings,
  settingsKey,
  type ViewRecord,
  workersPrefix,
} from './view-record.ts';
import { ViewWriter } from './view-writer.ts';

/** How often a node sees for itself whether the view is right, should nothing else have made it look. */
const lookEveryMs = 2_000;

/** Who a node is in its cluster. */
export interface MemberIdentity extends Pick<MemberRecord, 'workerId' | 'incarnation' | 'weight'> {
  /** Earlier incarnations of the same worker whose processes are gone for certain: nothing is waited for of them. */
  readonly predecessors?: readonly string[];
}
/** Where others reach it. */
export type MemberAddress = Pick<MemberRecord, 'host' | 'peerPort' | 's3Url' | 'adminUrl'>;

/** A node's part in a cluster: it is a member, follows the views, writes them where it falls to it, and knows what it owns. */
export class ClusterMember {
  private readonly clock: Clock;
  /** What an operator decides. */
  readonly control: RingControl;
  private readonly store: CoordStore;
  private readonly self: MemberIdentity;
  private readonly owning: ClusterOwnership;
  private readonly follower: ViewFollower;
  private readonly membership: Membership;
  private readonly releases: Releases;
  private readonly suspects: Suspects;
  private readonly ended = new AbortController();
  private table: ClusterTable | undefined;
  private writer: ViewWriter | undefined;
  private looking: Promise<void> | undefined;

  private constructor(
    clock: Clock,
    log: Log,
    store: CoordStore,
    own: CoordStore,
    self: MemberIdentity,
    settlingMs: number,
  ) {
    this.clock = clock;
    this.store = store;
    this.control = new RingControl(store);
    this.self = self;
    this.suspects = new Suspects(store, self.workerId);
    const reach = {
      refresh: () => this.follower.read(),
      suspect: (member: ViewMember) => this.suspects.tell(member),
      asked: () => this.releases.begin(),
    };
    this.owning = new ClusterOwnership(clock, self, reach, settlingMs);
    this.follower = new ViewFollower(clock, log, store, own, this.owning);
    this.membership = new Membership(clock, log, store, self.workerId, self.predecessors);
    this.releases = new Releases(clock, this.owning);
  }

  /**
   * Follows the cluster from now on, without being a member yet. `own`: a store of this node alone, which outlives the process.
   * `initial`: the settings of the cluster, if this node is its first. `settlingMs`: how long after it was sent a change may still take
   * effect at a storage. Rejects with `CoordError`.
   */
  static async open(
    clock: Clock,
    random: Random,
    log: Log,
    store: CoordStore,
    own: CoordStore,
    self: MemberIdentity,
    { initial = defaultRingSettings, settlingMs }: { initial?: RingSettings; settlingMs: number },
  ): Promise<ClusterMember> {
    const member = new ClusterMember(clock, log, store, own, self, settlingMs);
    try {
      await member.begin(random, log, initial);
    } catch (error) {
      await member.close();
      throw error;
    }
    return member;
  }

  get ownership(): Ownership {
    return this.owning;
  }

  /** What this node is in the cluster, for those who look after it. */
  get standing() {
    const view = this.owning.ringView;
    return {
      view,
      settings: this.table?.settings ?? defaultRingSettings,
      isMember: this.owning.isMember,
      hasLease: this.owning.hasLease,
      isDraining: this.membership.isDraining,
      unreleased: this.owning.unreleased().size,
      stoppedBecause: this.follower.stoppedBecause,
      registered: this.table?.registered() ?? [],
    };
  }

  /** Why this node may not be sent requests; undefined if it may. */
  reasonNotReady(): string | undefined {
    const { stoppedBecause } = this.follower;
    if (stoppedBecause !== undefined) {
      return `${stoppedBecause}. If it was restored on purpose, run forebay ring raise-generation`;
    }
    if (!this.owning.isMember) return 'waiting to be a member of the cluster';
    return this.membership.isDraining ? 'the node has been drained' : undefined;
  }

  /**
   * Resolves when this node is a member by the view that it has applied, and all that it gained was released. Rejects with
   * `WorkerIdInUseError`, or the signal's reason.
   */
  async join(address: MemberAddress, signal: AbortSignal): Promise<void> {
    // So that whoever owns what this node will gain is known by then, and can release it at once: nobody has to wait for this node.
    const waitMs = this.owning.unknownOwnersUntilMs - this.clock.monotonicMs();
    if (waitMs > 0) await this.clock.sleep(waitMs, signal);
    const { workerId, incarnation, weight } = this.self;
    await this.membership.join({ workerId, incarnation, weight, ...address, state: 'joined' }, signal);
    this.look();
    await this.owning.whenJoined(signal);
  }

  /**
   * Hands everything over to the others. Resolves when they have it; after `withinMs`, or where the store is away, also when not: then they
   * wait for the end of this node's lease, or of its entry.
   */
  async drain(withinMs: number): Promise<void> {
    if (!this.owning.isMember) return;
    const over = new AbortController();
    const either = AbortSignal.any([over.signal, this.ended.signal]);
    const handOver = async () => {
      await this.membership.drain();
      await this.owning.whenHandedOver(either);
    };
    const timer = this.clock.sleep(withinMs, either);
    await Promise.race([handOver(), timer]).catch(() => {});
    over.abort();
  }

  /** Takes this node out of the cluster at once. */
  async close(): Promise<void> {
    this.ended.abort();
    this.releases.close();
    await this.looking;
    await this.writer?.close();
    await this.membership.close();
    await this.follower.close();
    await this.table?.close();
    this.owning.dropLease();
  }

  /** Goes on with a store that went back, by a view of its own, which counts as later than any that this node has seen. */
  async raiseGeneration(): Promise<{ readonly generation: number; readonly epoch: number }> {
    if (!this.writer) throw new CoordError('unavailable', 'the cluster is not followed yet');
    const { generation, epoch } = await this.writer.raiseGeneration(this.follower.latestSeen);
    await this.follower.read();
    return { generation, epoch };
  }

  private async begin(random: Random, log: Log, initial: RingSettings): Promise<void> {
    const { clock, store } = this;
    await store.putIf(settingsKey, JSON.stringify(initial), 'absent');
    const settings = await store.get(settingsKey);
    const { leaseMs } = settings ? (JSON.parse(settings.value) as RingSettings) : initial;
    let before: ViewRecord | undefined;
    this.owning.onView(() => {
      const view = this.owning.ringView?.record as ViewRecord;
      this.releases.begin();
      this.writer?.onView(view, before);
      before = view;
    });
    await this.follower.open(leaseMs / 4);
    this.table = await ClusterTable.open(
      clock,
      store,
      // What could not be loaded is read again with the next poll.
      (entry) => void this.follower.hear(entry).catch(passOver),
      () => this.look(),
    );
    this.writer = new ViewWriter(clock, random, log, store, this.table, this.self.workerId, {
      present: () => this.owning.ringView?.record,
      mayWrite: () => this.membership.isRegistered && this.follower.stoppedBecause === undefined,
      readAgain: () => this.follower.read(),
    });
    this.looking = this.lookAgainAndAgain();
  }

  private async lookAgainAndAgain(): Promise<void> {
    const { signal } = this.ended;
    while (!signal.aborted) {
      this.membership.holdBack(this.follower.stoppedBecause !== undefined);
      this.look();
      await this.register().catch(passOver);
      // Closed meanwhile: the loop ends.
      await this.clock.sleep(lookEveryMs, signal).catch(() => {});
    }
  }

  private look(): void {
    this.writer?.look();
  }

  /** In static mode pages are placed on whoever was a member once, until it is removed. */
  private async register(): Promise<void> {
    const { workerId, weight } = this.self;
    const { table } = this;
    if (table?.settings.mode !== 'static' || !this.owning.isMember || this.membership.isDraining) return;
    const present = table.registered().find((worker) => worker.workerId === workerId);
    if (present?.weight === weight) return;
    await this.store.putIf(workersPrefix + workerId, JSON.stringify({ workerId, weight }), 'any');
  }
}

/** The store is away: what was to be done is done with the next occasion. */
function passOver(error: unknown): void {
  if (!(error instanceof CoordError)) throw error;
}
