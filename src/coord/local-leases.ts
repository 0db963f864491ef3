import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { CoordError, type Lease } from './store.ts';

/** The least time between two tries to end a lease. */
const retryMs = 5;

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

  /** `onEnd` makes a lease's keys vanish; called again if it threw a `CoordError`. */
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
      ended: held.ended.signal,
      remainingMs: () =>
        this.held.get(id) === held ? Math.max(0, held.deadlineMs - this.clock.monotonicMs()) : 0,
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
      if (remainingMs <= 0 && this.tryEnd(id)) return;
      try {
        await this.clock.sleep(Math.max(Math.ceil(remainingMs), retryMs), held.ended.signal);
      } catch {
        return; // Ended or closed meanwhile: nothing is left to wait for.
      }
    }
  }

  /** False if the end could not be written down (a full disk): the lease stays ended-but-held, and is tried again. */
  private tryEnd(id: string): boolean {
    try {
      this.end(id);
      return true;
    } catch (error) {
      if (error instanceof CoordError) return false;
      throw error;
    }
  }

  private end(id: string): void {
    const held = this.held.get(id);
    if (!held) return;
    this.onEnd(id);
    this.held.delete(id);
    held.ended.abort();
  }
}
