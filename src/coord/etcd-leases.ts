import type { ILeaseKeepAliveResponse } from 'etcd3';
import type { Clock } from '../common/clock.ts';
import { faultOf } from './etcd-errors.ts';
import type { EtcdLink } from './etcd-link.ts';
import { CoordError, type Lease } from './store.ts';

/** A lease as its holder may believe in it: from when the last granted request was sent, by the clock that is further ahead. */
class Held {
  readonly id: string;
  readonly ended = new AbortController();
  private readonly clock: Clock;
  private readonly ttlMs: number;
  private untilMonotonicMs: number;
  private untilWallMs: number;

  constructor(clock: Clock, id: string, ttlMs: number, sent: Sent) {
    this.clock = clock;
    this.id = id;
    this.ttlMs = ttlMs;
    this.untilMonotonicMs = sent.monotonicMs + ttlMs;
    this.untilWallMs = sent.wallMs + ttlMs;
  }

  remainingMs(): number {
    if (this.ended.signal.aborted) return 0;
    const byMonotonic = this.untilMonotonicMs - this.clock.monotonicMs();
    return Math.max(0, Math.min(byMonotonic, this.untilWallMs - this.clock.nowMs()));
  }

  extend(sent: Sent): void {
    this.untilMonotonicMs = Math.max(this.untilMonotonicMs, sent.monotonicMs + this.ttlMs);
    // Not the larger of the two: the wall clock may have been put back since.
    this.untilWallMs = sent.wallMs + this.ttlMs;
  }
}

interface Sent {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/**
 * Leases of etcd. etcd counts from when it heard of a lease, and its holder from before it said so: so the holder gives it up first,
 * also when it has slept or hears nothing.
 */
export class EtcdLeases {
  private readonly clock: Clock;
  private readonly link: EtcdLink;
  private readonly held = new Map<string, Held>();
  private readonly revoking = new Set<Promise<void>>();

  constructor(clock: Clock, link: EtcdLink) {
    this.clock = clock;
    this.link = link;
  }

  async grant(ttlMs: number): Promise<Lease> {
    const sent = this.now();
    const request = { TTL: Math.ceil(ttlMs / 1000), ID: 0 };
    const { ID: id } = await this.link.write('take a lease of', (etcd, call) =>
      etcd.leaseClient.leaseGrant(request, call),
    );
    const held = new Held(this.clock, id, ttlMs, sent);
    this.held.set(id, held);
    void this.endWhenOver(held);
    return {
      id,
      ended: held.ended.signal,
      remainingMs: () => held.remainingMs(),
      keepAlive: () => this.keepAlive(held),
      revoke: async () => {
        this.end(held);
        await this.revokeAtEtcd(id);
      },
    };
  }

  /** Throws with kind `lease-lost` unless the lease may be believed in at this moment. */
  assertAlive(lease: Lease): void {
    const held = this.held.get(lease.id);
    if (held && held.remainingMs() > 0) return;
    if (held) this.giveUp(held);
    throw lost(lease.id);
  }

  /** etcd does not know it any more. */
  gone(lease: Lease): CoordError {
    const held = this.held.get(lease.id);
    if (held) this.end(held);
    return lost(lease.id);
  }

  /** Resolves when etcd has been told, or could not be, of the leases that ended here: their keys are gone then as far as that can be done. */
  async settled(): Promise<void> {
    if (this.revoking.size > 0) await Promise.all(this.revoking);
  }

  async close(): Promise<void> {
    for (const held of this.held.values()) this.giveUp(held);
    await this.settled();
  }

  private async keepAlive(held: Held): Promise<void> {
    if (held.remainingMs() === 0) {
      this.giveUp(held);
      throw lost(held.id);
    }
    const sent = this.now();
    const answer = await this.link.once('keep a lease of', this.link.timeoutMs, async (etcd, call) => {
      const stream = await etcd.leaseClient.leaseKeepAlive(call);
      return new Promise<ILeaseKeepAliveResponse>((resolve, reject) => {
        stream.on('data', resolve);
        stream.on('error', reject);
        stream.on('end', () => reject(new Error('etcd gave no answer')));
        stream.write({ ID: held.id });
        stream.end();
      });
    });
    if (Number(answer.TTL) <= 0) this.end(held);
    // Given up meanwhile, it stays so: others may have acted on it.
    if (held.remainingMs() === 0) {
      this.giveUp(held);
      throw lost(held.id);
    }
    held.extend(sent);
  }

  private async endWhenOver(held: Held): Promise<void> {
    for (let remainingMs = held.remainingMs(); remainingMs > 0; remainingMs = held.remainingMs()) {
      try {
        await this.clock.sleep(Math.ceil(remainingMs), held.ended.signal);
      } catch {
        return; // Ended meanwhile.
      }
    }
    this.giveUp(held);
  }

  /** Its time is over here, and not yet at etcd, which is told so that the keys do not stand longer than the belief in them. */
  private giveUp(held: Held): void {
    if (!this.end(held)) return;
    const told = this.revokeAtEtcd(held.id).catch((error: unknown) => {
      // etcd ends it by itself when its time is over there.
      if (!(error instanceof CoordError)) throw error;
    });
    this.revoking.add(told);
    void told.finally(() => this.revoking.delete(told));
  }

  private end(held: Held): boolean {
    const wasHeld = this.held.delete(held.id);
    held.ended.abort(lost(held.id));
    return wasHeld;
  }

  private async revokeAtEtcd(id: string): Promise<void> {
    try {
      // Doing it twice does no harm.
      await this.link.read('end a lease of', (etcd, call) => etcd.leaseClient.leaseRevoke({ ID: id }, call));
    } catch (error) {
      if (faultOf(error) !== 'lease-gone') throw error;
    }
  }

  private now(): Sent {
    return { monotonicMs: this.clock.monotonicMs(), wallMs: this.clock.nowMs() };
  }
}

function lost(id: string): CoordError {
  return new CoordError('lease-lost', `lease ${id} has ended`);
}
