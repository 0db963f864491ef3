import type { Clock } from '../common/clock.ts';
import type { LeaseEnd } from './ownership.ts';

/** A moment on both hands of a clock. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() };
}

/** What two clocks may differ by over a lease: so much longer is waited for the end of another node's. */
export function waitMsFor(leaseMs: number): number {
  return Math.ceil(leaseMs * 1.1) + 50;
}

const past: LeaseEnd = Object.freeze({
  monotonicMs: Number.NEGATIVE_INFINITY,
  wallMs: Number.NEGATIVE_INFINITY,
});

/**
 * The right to act on the applied view: for so long from when a read of `ring/epoch` was sent, if no later view is named in its answer
 * than the one that is applied. A later view is made after that read, and whoever gains by it waits from then on.
 */
export class ViewLease {
  private readonly clock: Clock;
  private held: LeaseEnd = past;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** By whichever clock is further: the monotonic one may stand still while the machine sleeps, the wall clock may be put back. */
  isValid(): boolean {
    const { monotonicMs, wallMs } = this.held;
    return this.clock.monotonicMs() < monotonicMs && this.clock.nowMs() < wallMs;
  }

  get end(): LeaseEnd {
    return this.held;
  }

  /** False if the lease that is held was asked for later. */
  renew(sent: Moment, leaseMs: number): boolean {
    const monotonicMs = sent.monotonicMs + leaseMs;
    if (monotonicMs <= this.held.monotonicMs) return false;
    this.held = { monotonicMs, wallMs: sent.wallMs + leaseMs };
    return true;
  }

  drop(): void {
    this.held = past;
  }
}
