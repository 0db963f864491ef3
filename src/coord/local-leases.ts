import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { CoordError, type Lease } from './store.ts';

interface Held {
  deadlineMs: number;
  readonly ended: AbortController;
}

/** Leases of a store that lives in this process: they end when their time is over by the monotonic clock, or with the process. */
export class LocalLeases {
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly onEnd: (leaseId: string) => void;
  private readonly held = new Map<string, Held>();

  /** `onEnd` is called once a lease, after it has ended. */
  constructor(clock: Clock, random: Random, onEnd: (leaseId: string) => void) {
    this.clock = clock;
    this.random = random;
    this.onEnd = onEnd;
  }

  grant(ttlMs: number): Lease {
    const id = this.random.uuid();
    const held: Held = { deadlineMs: this.clock.monotonicMs() + ttlMs, ended: new AbortController() };
    this.held.set(id, held);
    void this.endWhenOver(id, held);
    return {
      id,
      keepAlive: async () => {
        this.endOverdue();
        if (this.held.get(id) !== held) throw new CoordError('lease-lost', `lease ${id} has ended`);
        held.deadlineMs = this.clock.monotonicMs() + ttlMs;
      },
      revoke: async () => this.end(id),
    };
  }

  /** Rejects with kind `lease-lost` unless the lease is alive at this moment. */
  assertAlive(lease: Lease): void {
    this.endOverdue();
    if (!this.held.has(lease.id)) throw new CoordError('lease-lost', `lease ${lease.id} has ended`);
  }

  /** Ends what is over by the clock, though its timer has not fired yet: a timer may be late, a reader must not see that. */
  endOverdue(): void {
    const now = this.clock.monotonicMs();
    for (const [id, held] of this.held) if (held.deadlineMs <= now) this.end(id);
  }

  close(): void {
    for (const held of this.held.values()) held.ended.abort();
    this.held.clear();
  }

  private async endWhenOver(id: string, held: Held): Promise<void> {
    while (this.held.get(id) === held) {
      const remainingMs = held.deadlineMs - this.clock.monotonicMs();
      if (remainingMs <= 0) return this.end(id);
      try {
        await this.clock.sleep(Math.ceil(remainingMs), held.ended.signal);
      } catch {
        return; // Ended or closed meanwhile: nothing is left to wait for.
      }
    }
  }

  private end(id: string): void {
    const held = this.held.get(id);
    if (!held) return;
    this.held.delete(id);
    held.ended.abort();
    this.onEnd(id);
  }
}
