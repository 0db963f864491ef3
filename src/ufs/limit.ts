import type { Clock } from '../common/clock.ts';
import { UfsError } from './errors.ts';

export interface LimitSettings {
  /** The backend's URI, for messages. */
  readonly backend: string;
  /** Calls under way at once: at the start, at the least and at the most. */
  readonly initial: number;
  readonly minimum: number;
  readonly maximum: number;
  /** Callers that may wait for a permit; one more is refused with `throttled`. */
  readonly maxQueued: number;
  /** How long a caller waits for a permit before it is refused with `throttled`, milliseconds. */
  readonly maxWaitMs: number;
  /** Of several complaints within so many milliseconds only the first lowers the limit: they speak of one moment. */
  readonly cutIntervalMs: number;
}

/** The right to have one call under way. */
export interface Permit {
  /** Says that the backend asked for fewer calls. */
  throttled(): void;
  /** Gives the permit back; only the first time counts. */
  release(): void;
}

interface Waiter {
  readonly admit: () => void;
}

/**
 * How many calls may be under way at a backend: one more for each round of calls that went well, half as many after a
 * complaint (additive increase, multiplicative decrease; RFC 5681, 3.1, has it for TCP). Waiting callers are served in order.
 */
export class AdaptiveLimit {
  private readonly clock: Clock;
  private readonly settings: LimitSettings;
  private readonly waiting = new Set<Waiter>();
  private allowed: number;
  private inFlight = 0;
  private lastCutMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, settings: LimitSettings) {
    this.clock = clock;
    this.settings = settings;
    this.allowed = settings.initial;
  }

  /** Calls that may be under way now. */
  get limit(): number {
    return Math.floor(this.allowed);
  }

  get queued(): number {
    return this.waiting.size;
  }

  /** A permit, at once or when one is free. Kinds: throttled (too many wait, or it took too long), cancelled. */
  async acquire(signal?: AbortSignal): Promise<Permit> {
    if (this.inFlight >= this.limit || this.waiting.size > 0) await this.wait(signal);
    else this.inFlight++;
    return this.permit();
  }

  private wait(signal: AbortSignal | undefined): Promise<void> {
    const { backend, maxQueued, maxWaitMs } = this.settings;
    if (this.waiting.size >= maxQueued) {
      throw new UfsError('throttled', `${maxQueued} calls wait for this backend already`, { backend });
    }
    return new Promise((resolve, reject) => {
      const over = new AbortController();
      const leave = () => {
        this.waiting.delete(waiter);
        signal?.removeEventListener('abort', cancel);
        over.abort();
      };
      const waiter: Waiter = {
        admit: () => {
          leave();
          resolve();
        },
      };
      const cancel = () => {
        leave();
        reject(new UfsError('cancelled', 'the call was cancelled', { backend, cause: signal?.reason }));
      };
      if (signal?.aborted) return cancel();
      signal?.addEventListener('abort', cancel, { once: true });
      this.waiting.add(waiter);
      this.clock.sleep(maxWaitMs, over.signal).then(
        () => {
          leave();
          reject(new UfsError('throttled', `no call was free for ${maxWaitMs} ms`, { backend }));
        },
        // The sleep is cut short once the caller was admitted or went away.
        () => {},
      );
    });
  }

  private permit(): Permit {
    let complained = false;
    let released = false;
    return {
      throttled: () => {
        complained = true;
        this.cut();
      },
      release: () => {
        if (released) return;
        released = true;
        // A limit that is not being used says nothing about whether a higher one would hold.
        if (!complained && this.inFlight >= this.limit) {
          this.allowed = Math.min(this.settings.maximum, this.allowed + 1 / this.allowed);
        }
        this.inFlight--;
        this.admitWaiting();
      },
    };
  }

  private cut(): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.lastCutMs < this.settings.cutIntervalMs) return;
    this.lastCutMs = nowMs;
    this.allowed = Math.max(this.settings.minimum, this.allowed / 2);
  }

  private admitWaiting(): void {
    for (const waiter of this.waiting) {
      if (this.inFlight >= this.limit) return;
      this.inFlight++;
      waiter.admit();
    }
  }
}
