import type { Clock } from '../common/clock.ts';
import type { Freshness } from '../common/freshness.ts';

/** When something was known to be the backend's state, on both clocks. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** How old what is known of a mount's objects may be. `exclusive`: nobody else changes its backend. */
export function ageLimitMs(exclusive: boolean, freshness: Freshness): number {
  if (exclusive || freshness.kind === 'immutable') return Number.POSITIVE_INFINITY;
  return freshness.kind === 'lease' ? freshness.ms : 0;
}

/** By whichever clock says more: one stands still while the machine sleeps, the other may be set back. */
export function ageMs(moment: Moment, clock: Clock): number {
  return Math.max(clock.monotonicMs() - moment.monotonicMs, clock.nowMs() - moment.wallMs);
}
