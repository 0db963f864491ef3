import type { Clock } from '../common/clock.ts';

/** For so long the quickest is remembered: clocks that are not set drift apart by less than a second in that time. */
const windowMs = 600_000;

/**
 * How long ago what comes over a connection was sent. Both ends tell it by their monotonic clocks, whose difference is what the quickest
 * took of late, so that wall clocks may jump, and be wrong.
 */
export class QuestionAges {
  readonly #clock: Clock;
  #leastMs = Number.POSITIVE_INFINITY;
  #leastBeforeMs = Number.POSITIVE_INFINITY;
  #windowEndMs: number;

  /** `sentMs`: of what has come just now, by the other side's monotonic clock. */
  constructor(clock: Clock, sentMs: number) {
    this.#clock = clock;
    this.#windowEndMs = clock.monotonicMs() + windowMs;
    this.of(sentMs);
  }

  /** How much longer it was on its way than the quickest, ms. */
  of(sentMs: number): number {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#windowEndMs) {
      this.#leastBeforeMs = this.#leastMs;
      this.#leastMs = Number.POSITIVE_INFINITY;
      this.#windowEndMs = nowMs + windowMs;
    }
    const tookMs = nowMs - sentMs;
    this.#leastMs = Math.min(this.#leastMs, tookMs);
    return tookMs - Math.min(this.#leastMs, this.#leastBeforeMs);
  }
}
