import type { Clock } from '../common/clock.ts';
import { Changes } from './changes.ts';
import type { Wait } from './claim.ts';
import type {
  Epoch,
  LeaseEnd,
  OwnedWrite,
  Ownership,
  Released,
  ReleaseQuestion,
  View,
  ViewChange,
  ViewMember,
} from './ownership.ts';
import { segmentPosition } from './ring.ts';
import { RingView, type ViewRings } from './ring-view.ts';
import { anybody, nameOf, type PastView, type Tenure, Tenures } from './tenures.ts';
import { type Moment, ViewLease, waitMsFor } from './view-lease.ts';
import { compareEpochs, type ViewName, type ViewRecord } from './view-record.ts';
import { WritesUnderWay, type WriteUnderWay } from './writes-under-way.ts';

/** What the ownership of a member asks of the parts that speak with others. */
export interface Reach {
  refresh(signal: AbortSignal): Promise<void>;
  suspect(member: ViewMember, signal: AbortSignal): Promise<void>;
  /** There is a way to ask members now. */
  asked(): void;
}

const nobody: ReadonlyMap<string, number> = new Map();

/** Before any view: nobody is a member and nobody owns anything. */
export const noView: View = Object.freeze({
  generation: 0,
  epoch: 0,
  members: [],
  member: () => undefined,
  metadataOwnerOf: () => undefined,
  placementOwnerOf: () => undefined,
  previousPlacementOwnerOf: () => undefined,
});

/** The ownership of a member of a cluster: a state machine that is told of views and of reads of `ring/epoch`, and goes by the clock. */
export class ClusterOwnership implements Ownership {
  readonly workerId: string;
  readonly incarnation: string;
  private readonly clock: Clock;
  private readonly reach: Reach;
  private readonly lease: ViewLease;
  private readonly writes = new WritesUnderWay();
  private readonly leaseChanges = new Changes<LeaseEnd>();
  private readonly viewChanges = new Changes<ViewChange>();
  /** Anything that somebody may wait for. */
  private readonly changes = new Changes<void>();
  private applied: RingView | undefined;
  private tenures: Tenures;
  private step = 0;
  private pastViews: readonly PastView[] = [];
  private unknown: Wait = { untilMs: Number.NEGATIVE_INFINITY, settledMs: Number.NEGATIVE_INFINITY };
  /** From when on nothing has an effect any more that was sent for what this node held at any time, on the monotonic clock. */
  private settledMs = Number.NEGATIVE_INFINITY;
  private readonly settlingMs: number;
  private question: ReleaseQuestion | undefined;
  /** Who has not answered yet that it has released what it lost, by the name of `nameOf`: last waited for at which step, and at first until when. */
  private readonly owing = new Map<string, { readonly step: number; readonly untilMs: number }>();
  /** Members that gained from this node and have not asked yet whether it has released that. */
  private readonly waitedForBy = new Set<string>();

  constructor(
    clock: Clock,
    self: {
      readonly workerId: string;
      readonly incarnation: string;
      readonly predecessors?: readonly string[];
    },
    reach: Reach,
    settlingMs: number,
  ) {
    this.clock = clock;
    this.settlingMs = settlingMs;
    this.workerId = self.workerId;
    this.incarnation = self.incarnation;
    this.reach = reach;
    this.lease = new ViewLease(clock);
    const { workerId, predecessors = [] } = self;
    const gone = predecessors.map((incarnation) => nameOf({ workerId, incarnation }));
    this.tenures = new Tenures(nameOf(self), [], gone);
  }

  view(): View {
    return this.applied ?? noView;
  }

  get ringView(): RingView | undefined {
    return this.applied;
  }

  /** Whether this start of the node is a member by the applied view. */
  get isMember(): boolean {
    return this.applied?.member(this.workerId)?.incarnation === this.incarnation;
  }

  mayUseMetadata(objectHash: number): boolean {
    const tenure = this.tenureUnderLease(objectHash);
    if (!tenure) return false;
    return tenure.claim === undefined || tenure.claim.isReleased(this.clock.monotonicMs());
  }

  mayKeepMetadata(objectHash: number): boolean {
    const tenure = this.tenureUnderLease(objectHash);
    if (!tenure) return false;
    return tenure.claim === undefined || tenure.claim.isSettled(this.clock.monotonicMs());
  }

  owns(objectHash: number): boolean {
    return this.tenures.at(segmentPosition(objectHash, 0)) !== undefined;
  }

  ownedSince(objectHash: number): number | undefined {
    return this.tenures.at(segmentPosition(objectHash, 0))?.since;
  }

  gains(): { readonly views: number; readonly areSettled: boolean } {
    return { views: this.step, areSettled: this.tenures.openClaims(this.clock.monotonicMs()).length === 0 };
  }

  beginWrite(objectHash: number): OwnedWrite | undefined {
    const write: WriteUnderWay = { position: segmentPosition(objectHash, 0), began: this.step };
    if (!this.tenures.at(write.position)) return undefined;
    this.writes.begin(write);
    return {
      isHeld: () => this.isOwnedSince(write.position, write.began),
      mayGoOut: () => {
        if (write.leftMs === undefined) return this.mayUseMetadata(objectHash);
        // Whoever has it now waits for it, or keeps nothing until it can have no effect any more.
        return this.lease.isValid() && this.clock.monotonicMs() < write.leftMs + this.settlingMs / 2;
      },
      mayAcknowledge: () => this.isOwnedSince(write.position, write.began) && this.mayUseMetadata(objectHash),
      end: (isUnresolved) => {
        if (isUnresolved) this.unsettledUntil(this.clock.monotonicMs() + this.settlingMs);
        this.writes.end(write);
      },
    };
  }

  leaseEnd(): LeaseEnd {
    return this.lease.end;
  }

  onLease(listener: (end: LeaseEnd) => void): () => void {
    return this.leaseChanges.listen(listener);
  }

  onView(listener: (change: ViewChange) => void): () => void {
    return this.viewChanges.listen(listener);
  }

  async whenSettled(objectHash: number, signal: AbortSignal): Promise<void> {
    while (this.owns(objectHash) && !this.mayUseMetadata(objectHash)) {
      const claim = this.tenures.at(segmentPosition(objectHash, 0))?.claim;
      const isOpen = claim?.isReleased(this.clock.monotonicMs()) === false;
      await this.nextChange(isOpen ? claim.untilMs() : undefined, signal);
    }
  }

  async whenApplied(epoch: Epoch, signal: AbortSignal): Promise<void> {
    while (compareEpochs(this.view(), epoch) < 0) await this.changes.next(signal);
  }

  async whenReleased(asker: string, epoch: Epoch, signal: AbortSignal): Promise<Released> {
    await this.whenApplied(epoch, signal);
    await this.writes.untilLeftEnded(signal);
    if (this.waitedForBy.delete(asker)) this.changes.tell();
    return { settlesInMs: Math.max(0, this.settledMs - this.clock.monotonicMs()) };
  }

  refresh(signal: AbortSignal): Promise<void> {
    return this.reach.refresh(signal);
  }

  async suspect(workerId: string, signal: AbortSignal): Promise<void> {
    const isWriter = (member: ViewMember | undefined) => member?.state === 'joined';
    const member = this.view().member(workerId);
    if (!member || !isWriter(member)) return;
    await this.reach.suspect(member, signal);
    const isUnchanged = () => {
      const now = this.view().member(workerId);
      return isWriter(now) && now?.incarnation === member.incarnation;
    };
    while (isUnchanged()) await this.changes.next(signal);
  }

  askWith(question: ReleaseQuestion): void {
    this.question = question;
    this.reach.asked();
  }

  /** How members are asked to release what they lost, if there is a way. */
  get releaseQuestion(): ReleaseQuestion | undefined {
    return this.question;
  }

  /** Until when owners that are not known here may act, on the monotonic clock. */
  get unknownOwnersUntilMs(): number {
    return this.unknown.untilMs;
  }

  /** Resolves when this node is a member by the applied view, may act on it, and waits for no release; rejects with the signal's reason. */
  async whenJoined(signal: AbortSignal): Promise<void> {
    const isJoined = () => this.isMember && this.lease.isValid() && this.unreleased().size === 0;
    while (!isJoined()) await this.nextChange(this.latestClaimMs(), signal);
  }

  /** Resolves when this node owns nothing any more and everybody who needs to knows; rejects with the signal's reason. */
  async whenHandedOver(signal: AbortSignal): Promise<void> {
    const ownsNothing = () => this.isMember && this.view().member(this.workerId)?.state !== 'joined';
    while (!ownsNothing()) await this.changes.next(signal);
    await this.whenAsked(signal);
  }

  /** Resolves when all that gained from this node by the applied view know that it has released it; rejects with the signal's reason. */
  private async whenAsked(signal: AbortSignal): Promise<void> {
    while (this.waitedForBy.size > 0) await this.changes.next(signal);
  }

  /**
   * Makes a view hold. `seenMs`: a moment, on the monotonic clock, at which it was known that this view, or a later one, is the latest.
   * `follows`: whether no other view was between the applied one and this, or this is the first of all. `rings`: of this view, if they
   * have been made already.
   */
  apply(record: ViewRecord, seenMs: number, follows: boolean, rings?: ViewRings): void {
    const before = this.applied;
    const view = new RingView(record, before, rings);
    const nowMs = this.clock.monotonicMs();
    const deadAtMs = seenMs + waitMsFor(record.settings.leaseMs);
    this.pastViews = this.pastViews.filter((past) => past.deadAtMs > nowMs);
    if (before) this.pastViews = [...this.pastViews, { view: before, deadAtMs }];
    this.findUnknown(deadAtMs, follows, view);
    this.unsettledUntil(this.unknown.settledMs);
    this.step += 1;
    this.unsettledUntil(this.tenures.settledMs());
    const isMine = view.member(this.workerId)?.incarnation === this.incarnation;
    this.tenures = this.tenures.after({
      step: this.step,
      arcs: isMine ? view.writeRing.arcsOf(this.workerId) : [],
      isUnbroken: follows,
      pastViews: this.pastViews,
      unknown: this.unknown,
      nowMs,
      settlingMs: this.settlingMs,
    });
    for (const asker of this.waitedForBy) if (!view.member(asker)) this.waitedForBy.delete(asker);
    for (const arc of this.isMember ? (before?.writeRing.arcsOf(this.workerId) ?? []) : []) {
      for (const { workerId } of view.writeRing.ownersIn(arc)) {
        if (workerId !== this.workerId) this.waitedForBy.add(workerId);
      }
    }
    this.noteOwing(view, nowMs);
    this.applied = view;
    const { step } = this;
    this.writes.leave(({ position, began }) => this.isOwnedSince(position, began), nowMs);
    this.viewChanges.tell({
      view,
      keeps: (objectHash) => this.isOwnedSince(segmentPosition(objectHash, 0), step - 1),
    });
    this.changes.tell();
  }

  /** A read of `ring/epoch` that was sent at `sent` has named the applied view, or one before it. */
  renew(sent: Moment, named: ViewName): void {
    if (!this.applied || compareEpochs(named, this.applied) > 0) return;
    if (!this.lease.renew(sent, this.applied.record.settings.leaseMs)) return;
    this.leaseChanges.tell(this.lease.end);
    this.changes.tell();
  }

  /** Nothing may be acted on until the next `renew`. */
  dropLease(): void {
    this.lease.drop();
    this.leaseChanges.tell(this.lease.end);
    this.changes.tell();
  }

  get hasLease(): boolean {
    return this.lease.isValid();
  }

  /** Who is waited for, by the name of `nameOf`; each with until when on the monotonic clock. */
  unreleased(): ReadonlyMap<string, number> {
    const names = new Map<string, number>();
    for (const claim of this.tenures.openClaims(this.clock.monotonicMs())) {
      for (const name of claim.waits().keys())
        names.set(name, Math.max(names.get(name) ?? 0, claim.untilMs()));
    }
    return names;
  }

  /** Whose release would still let something be kept sooner, by the name of `nameOf`; each with until when on the monotonic clock. */
  unsettled(): ReadonlyMap<string, number> {
    const names = new Map<string, number>();
    for (const claim of this.tenures.unsettledClaims(this.clock.monotonicMs())) {
      for (const [name, { settledMs }] of claim.unreleased())
        names.set(name, Math.max(names.get(name) ?? settledMs, settledMs));
    }
    return names;
  }

  /** This member has released what views up to this one took from it. */
  released(name: string, epoch: Epoch, { settlesInMs }: Released): void {
    if (compareEpochs(epoch, this.view()) < 0) return;
    const nowMs = this.clock.monotonicMs();
    for (const claim of this.tenures.unsettledClaims(nowMs)) claim.release(name, nowMs + settlesInMs);
    const owing = this.owing.get(name);
    if (settlesInMs === 0) this.owing.delete(name);
    // It has given it up; but what got no answer may come late.
    else if (owing) this.owing.set(name, { ...owing, untilMs: nowMs });
    this.changes.tell();
  }

  private tenureUnderLease(objectHash: number): Tenure | undefined {
    const tenure = this.tenures.at(segmentPosition(objectHash, 0));
    if (!tenure || !this.lease.isValid()) return undefined;
    return tenure;
  }

  overdue(): ReadonlyMap<string, number> {
    if (this.owing.size === 0) return nobody;
    const nowMs = this.clock.monotonicMs();
    const late = [...this.owing].filter(([, { untilMs }]) => untilMs <= nowMs);
    return new Map(late.map(([name, { step }]) => [name.slice(name.indexOf('/') + 1), step]));
  }

  /** Whoever is no member any more need not be remembered. */
  private noteOwing(view: RingView, nowMs: number): void {
    for (const claim of this.tenures.openClaims(nowMs)) {
      for (const [name, { untilMs }] of claim.waits()) {
        const firstMs = this.owing.get(name)?.untilMs ?? untilMs;
        this.owing.set(name, { step: this.step, untilMs: Math.min(firstMs, untilMs) });
      }
    }
    const members = new Set([anybody, ...view.members.map((member) => nameOf(member))]);
    for (const name of this.owing.keys()) if (!members.has(name)) this.owing.delete(name);
  }

  private unsettledUntil(settledMs: number): void {
    this.settledMs = Math.max(this.settledMs, settledMs);
  }

  /**
   * Whom nobody will name. Views that were not seen may have given to anybody what this node gains by a later one; of what was before the
   * first view that it sees those know who are owners by that one. Where a view has no owner, there is none to know it of those before.
   */
  private findUnknown(deadAtMs: number, follows: boolean, view: RingView): void {
    const { untilMs, settledMs } = this.unknown;
    const isLost = view.writeRing.workers.length === 0 || (this.applied !== undefined && !follows);
    this.unknown = {
      untilMs: follows ? untilMs : Math.max(untilMs, deadAtMs),
      settledMs: isLost ? Math.max(settledMs, deadAtMs + this.settlingMs) : settledMs,
    };
  }

  private latestClaimMs(): number | undefined {
    const until = [...this.unreleased().values()];
    return until.length === 0 ? undefined : Math.max(...until);
  }

  private isOwnedSince(position: number, step: number): boolean {
    const tenure = this.tenures.at(position);
    return tenure !== undefined && tenure.since <= step;
  }

  /** Resolves at the next change, or when the monotonic clock has come so far. */
  private async nextChange(untilMs: number | undefined, signal: AbortSignal): Promise<void> {
    if (untilMs === undefined) {
      await this.changes.next(signal);
      return;
    }
    const ended = new AbortController();
    const either = AbortSignal.any([ended.signal, signal]);
    const ms = Math.max(1, untilMs - this.clock.monotonicMs());
    try {
      await Promise.race([this.changes.next(either), this.clock.sleep(ms, either)]);
    } finally {
      ended.abort();
    }
  }
}
