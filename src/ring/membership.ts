import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import { CoordError, type CoordStore, type Lease } from '../coord/store.ts';
import { type MemberRecord, membersPrefix } from './view-record.ts';

/** How long a node that does not say goodbye counts as alive. */
export const memberTtlMs = 5_000;
/** What a lease may outlive its time by, for the store's own clock and the way there. */
const leaseSlackMs = 3_000;
const pauseMs = 250;
/** How long is waited for the store to end a lease. */
const revokeMs = 500;
/** Signs of life that wait for their answer. */
const maxUnderWay = 3;

/** Another process is alive under this node's worker id. */
export class WorkerIdInUseError extends Error {
  override name = 'WorkerIdInUseError';
}

/** This node's entry among the members, under a lease that is kept alive; where the lease was lost it is made anew. */
export class Membership {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly store: CoordStore;
  private readonly key: string;
  private readonly predecessors: readonly string[];
  private readonly ended = new AbortController();
  private record: MemberRecord | undefined;
  private lease: Lease | undefined;
  private keeping: Promise<void> | undefined;
  private readonly underWay = new Set<Promise<void>>();
  /** Told to stay away: the entry is taken back as soon as it stands. */
  private isHeldBack = false;

  /** `predecessors`: incarnations whose processes are gone for certain. Their entry is not waited for. */
  constructor(
    clock: Clock,
    log: Log,
    store: CoordStore,
    workerId: string,
    predecessors: readonly string[] = [],
  ) {
    this.clock = clock;
    this.predecessors = predecessors;
    this.log = log;
    this.store = store;
    this.key = membersPrefix + workerId;
  }

  get isRegistered(): boolean {
    return this.lease !== undefined && this.lease.remainingMs() > 0;
  }

  /**
   * Resolves when the entry stands. Rejects with `WorkerIdInUseError` if another process holds it and does not go, and with the signal's
   * reason. An entry that an earlier start of this node left behind is removed if that is gone for certain, and else waited for until its
   * lease has run out.
   */
  async join(record: MemberRecord, signal: AbortSignal): Promise<void> {
    this.record = record;
    const either = AbortSignal.any([signal, this.ended.signal]);
    let first: { readonly revision: number; readonly atMs: number } | undefined;
    while (!(await this.tryToRegister())) {
      const found = await this.present();
      if (found && (await this.removesLeftOver(found))) continue;
      const there = found?.record.incarnation === record.incarnation ? undefined : found;
      const nowMs = this.clock.monotonicMs();
      if (there && first && there.revision !== first.revision) throw this.inUse(there.record);
      first ??= there && { revision: there.revision, atMs: nowMs };
      if (there && first && nowMs - first.atMs > memberTtlMs + leaseSlackMs) throw this.inUse(there.record);
      await this.clock.sleep(pauseMs, either);
    }
    this.keeping = this.keep();
  }

  /** Says that this node is about to go: it is to own nothing any more. Rejects with `CoordError`. */
  async drain(): Promise<void> {
    if (!this.record) return;
    this.record = { ...this.record, state: 'draining' };
    if (this.lease) await this.store.putIf(this.key, JSON.stringify(this.record), 'any', this.lease);
  }

  get isDraining(): boolean {
    return this.record?.state === 'draining';
  }

  /** While `held` the node is no member. */
  holdBack(held: boolean): void {
    if (held && !this.isHeldBack) void this.revoke();
    this.isHeldBack = held;
  }

  /** Takes the entry back. */
  async close(): Promise<void> {
    this.ended.abort();
    await this.keeping;
    await this.revoke();
  }

  private async keep(): Promise<void> {
    const { signal } = this.ended;
    while (!signal.aborted) {
      // Closed meanwhile: the loop ends.
      await this.clock.sleep(memberTtlMs / 4, signal).catch(() => {});
      // An answer that is slow in coming does not keep the next one from being asked for.
      const most = this.isRegistered ? maxUnderWay : 1;
      if (signal.aborted || this.underWay.size >= most) continue;
      const once = this.keepOnce().catch((error: unknown) => this.passOver(error));
      this.underWay.add(once);
      void once.finally(() => this.underWay.delete(once));
    }
    await Promise.all(this.underWay);
  }

  private async keepOnce(): Promise<void> {
    if (this.isRegistered) return this.lease?.keepAlive();
    if (this.isHeldBack || (await this.tryToRegister())) return;
    const there = await this.present();
    if (!there || there.record.incarnation === this.record?.incarnation) return;
    this.log.error({ key: this.key }, 'another process is alive under the worker id of this node');
  }

  /** It is tried again; meanwhile the lease runs out by itself. */
  private passOver(error: unknown): void {
    if (!(error instanceof CoordError)) throw error;
  }

  /** False if another process is registered under this id. */
  private async tryToRegister(): Promise<boolean> {
    let lease: Lease | undefined;
    try {
      lease = await this.store.lease(memberTtlMs);
      const revision = await this.store.putIf(this.key, JSON.stringify(this.record), 'absent', lease);
      if (revision !== undefined) {
        this.lease = lease;
        if (this.isHeldBack) await this.revoke();
        return true;
      }
    } catch (error) {
      if (!(error instanceof CoordError)) throw error;
    }
    // It may have been written nevertheless; then it goes with its lease.
    await lease?.revoke().catch((error: unknown) => this.passOver(error));
    return false;
  }

  private async present(): Promise<{ record: MemberRecord; revision: number } | undefined> {
    try {
      const entry = await this.store.get(this.key);
      return entry && { record: JSON.parse(entry.value) as MemberRecord, revision: entry.revision };
    } catch (error) {
      if (!(error instanceof CoordError)) throw error;
      return undefined;
    }
  }

  /**
   * Removes an entry that an earlier start of this node has left behind, or an earlier try of this one that had no answer. False if it may be
   * that of a process which is alive, or the store is away.
   */
  private async removesLeftOver({
    record,
    revision,
  }: {
    readonly record: MemberRecord;
    readonly revision: number;
  }): Promise<boolean> {
    const isOwn = record.incarnation === this.record?.incarnation;
    if (!isOwn && !this.predecessors.includes(record.incarnation)) return false;
    try {
      return await this.store.deleteIf(this.key, { revision });
    } catch (error) {
      this.passOver(error);
      return false;
    }
  }

  private async revoke(): Promise<void> {
    const { lease } = this;
    this.lease = undefined;
    const revoked = lease?.revoke().catch((error: unknown) => this.passOver(error));
    // Where the store is away, the lease runs out by itself.
    await Promise.race([revoked, this.clock.sleep(revokeMs)]);
  }

  private inUse({ workerId, host, peerPort }: MemberRecord): WorkerIdInUseError {
    return new WorkerIdInUseError(
      `another node of the cluster, at ${host}:${peerPort}, is alive with this one's worker id ${workerId}: its data folder is a copy. Give this node an empty data folder, or remove the file worker-id from this one`,
    );
  }
}
