import type { Clock } from '../common/clock.ts';

/** Why a page was given up. */
export const evictionReasons = ['room', 'removed', 'damaged', 'quota', 'policy'] as const;
export type EvictionReason = (typeof evictionReasons)[number];

/** What was given up last of an object. */
export interface Eviction {
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** `room`: others were used more; `removed`: the object was changed or deleted, or somebody had it forgotten; `damaged`: it could not be read; `quota`: others of its quota came; `policy`: it was too old, or not to be kept any more. */
  readonly reason: EvictionReason;
  /** Pages of it that were given up, as far back as is remembered. */
  readonly pages: number;
}

/** Of the latest pages that were given up: of which object, when and why. Bounded: an entry takes 13 bytes. */
export class EvictionLog {
  readonly #clock: Clock;
  readonly #hashes: Int32Array;
  readonly #times: Float64Array;
  readonly #reasons: Uint8Array;
  #count = 0;

  constructor(clock: Clock, maxCount = 32_768) {
    this.#clock = clock;
    this.#hashes = new Int32Array(maxCount);
    this.#times = new Float64Array(maxCount);
    this.#reasons = new Uint8Array(maxCount);
  }

  /** `hash`: of the object. Another object may have the same, by a chance of one in some million. */
  note(hash: number, reason: EvictionReason): void {
    const at = this.#count % this.#hashes.length;
    this.#hashes[at] = hash;
    this.#times[at] = this.#clock.nowMs();
    this.#reasons[at] = evictionReasons.indexOf(reason);
    this.#count++;
  }

  /** Undefined where nothing is remembered of it. */
  last(hash: number): Eviction | undefined {
    const wanted = hash | 0;
    let found: Eviction | undefined;
    let pages = 0;
    const kept = Math.min(this.#count, this.#hashes.length);
    for (let back = 1; back <= kept; back++) {
      const at = (this.#count - back) % this.#hashes.length;
      if (this.#hashes[at] !== wanted) continue;
      pages++;
      found ??= {
        atMs: this.#times[at] as number,
        reason: evictionReasons[this.#reasons[at] as number] as EvictionReason,
        pages: 0,
      };
    }
    return found && { ...found, pages };
  }
}
