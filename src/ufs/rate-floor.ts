import type { Clock } from '../common/clock.ts';

export interface RateFloorSettings {
  /** 0: any rate will do. */
  readonly minBytesPerSecond: number;
  /** What is held against it is what came in so long at least, so that a pause is no low rate. */
  readonly windowMs: number;
}

/** Whether bytes come at a least rate while they are the backend's turn to send. Without it one byte now and then would hold a reader for ever. */
export class RateFloor {
  readonly #clock: Clock;
  readonly #settings: RateFloorSettings;
  #beganMs = 0;
  #turnMs = 0;
  #bytes = 0;

  constructor(clock: Clock, settings: RateFloorSettings) {
    this.#clock = clock;
    this.#settings = settings;
  }

  /** From now on it is the backend's turn. */
  begin(): void {
    this.#beganMs = this.#clock.monotonicMs();
  }

  /** So many bytes have come, and it is not its turn any more. False if the backend is too slow. */
  end(bytes: number): boolean {
    const { minBytesPerSecond, windowMs } = this.#settings;
    this.#turnMs += this.#clock.monotonicMs() - this.#beganMs;
    this.#bytes += bytes;
    if (this.#turnMs < windowMs) return true;
    const isEnough = this.#bytes * 1_000 >= minBytesPerSecond * this.#turnMs;
    this.#turnMs = 0;
    this.#bytes = 0;
    return isEnough;
  }
}
