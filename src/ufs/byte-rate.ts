import type { Clock } from '../common/clock.ts';
import { UfsError } from './errors.ts';

/** How much may pass at once after a quiet time: what a second brings. */
const burstSeconds = 1;

/**
 * Bytes a second, of all who share it together. Whoever passes bytes pays for them afterwards, and the next ones wait until they are paid
 * for; so a piece of any size passes, and none is split.
 */
export class ByteRate {
  readonly #clock: Clock;
  readonly #bytesPerSecond: () => number;
  readonly #backend: string;
  /** When everything that has passed is paid for, on the monotonic clock. */
  #paidMs: number;

  /** `bytesPerSecond` is asked at each pass. */
  constructor(clock: Clock, backend: string, bytesPerSecond: () => number) {
    this.#clock = clock;
    this.#backend = backend;
    this.#bytesPerSecond = bytesPerSecond;
    this.#paidMs = clock.monotonicMs() - burstSeconds * 1_000;
  }

  /** Counts bytes that pass now, and waits until the next may. Kinds: cancelled. */
  async pass(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const fromMs = Math.max(this.#paidMs, nowMs - burstSeconds * 1_000);
    this.#paidMs = fromMs + (bytes / this.#bytesPerSecond()) * 1_000;
    if (this.#paidMs <= nowMs) return;
    try {
      await this.#clock.sleep(this.#paidMs - nowMs, signal);
    } catch (cause) {
      throw new UfsError('cancelled', 'the call was cancelled', { backend: this.#backend, cause });
    }
  }
}
