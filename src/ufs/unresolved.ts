import type { Clock } from '../common/clock.ts';
import { UfsError } from './errors.ts';

/** What a change replaces: the version with this ETag, nothing, or whatever there is when it arrives. */
export type Replaced = { readonly etag: string } | 'absent' | 'anything';

export interface UnresolvedSettings {
  readonly backend: string;
  /** How long after it failed a change may still take effect. */
  readonly settlingMs: number;
  /** The longest that a later change waits for it; beyond that it is refused. */
  readonly maxHoldMs: number;
}

/** Beyond so many, the oldest counts for every key. */
const maxChanges = 10_000;

/**
 * Changes that were sent and got no answer: each may still take effect, for some time, if what it replaces is there when it arrives
 * (consistency rule 4).
 */
export class UnresolvedChanges {
  readonly #clock: Clock;
  readonly #settings: UnresolvedSettings;
  /** When each is over, on the monotonic clock; the first to be over comes first. */
  readonly #untilMs = new Map<string, number>();
  #allUntilMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, settings: UnresolvedSettings) {
    this.#clock = clock;
    this.#settings = settings;
  }

  add(key: string, replaced: Replaced): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [name, untilMs] of this.#untilMs) {
      if (untilMs > nowMs && this.#untilMs.size < maxChanges) break;
      this.#allUntilMs = Math.max(this.#allUntilMs, untilMs);
      this.#untilMs.delete(name);
    }
    const name = nameOf(key, replaced);
    this.#untilMs.delete(name);
    this.#untilMs.set(name, nowMs + this.#settings.settlingMs);
  }

  /** Whether a change that is under way could replace what is there now. */
  mayStillChange(key: string, present: Exclude<Replaced, 'anything'>): boolean {
    if (this.#untilMs.size === 0 && this.#allUntilMs < 0) return false;
    return this.#leftMs(key, present) > 0 || this.#leftMs(key, 'anything') > 0;
  }

  /**
   * Waits until no change is under way that would replace whatever it finds, and so what is written now. Rejects with kind `throttled`
   * if that takes too long, `cancelled`.
   */
  async settled(key: string, signal: AbortSignal | undefined): Promise<void> {
    const { backend, maxHoldMs } = this.#settings;
    for (;;) {
      const leftMs = this.#leftMs(key, 'anything');
      if (leftMs <= 0) return;
      if (leftMs > maxHoldMs) {
        const message = 'an earlier change of this key got no answer and may still take effect';
        throw new UfsError('throttled', message, { backend, key });
      }
      try {
        await this.#clock.sleep(leftMs, signal);
      } catch (cause) {
        throw new UfsError('cancelled', 'the call was cancelled', { backend, key, cause });
      }
    }
  }

  #leftMs(key: string, replaced: Replaced): number {
    const untilMs = this.#untilMs.get(nameOf(key, replaced)) ?? Number.NEGATIVE_INFINITY;
    return Math.max(untilMs, this.#allUntilMs) - this.#clock.monotonicMs();
  }
}

function nameOf(key: string, replaced: Replaced): string {
  return typeof replaced === 'string' ? `${replaced}\n${key}` : `=${replaced.etag}\n${key}`;
}
