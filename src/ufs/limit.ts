import type { Clock } from '../common/clock.ts';
import { UfsError } from './errors.ts';

export interface LimitSettings {
  /** The backend's URI, for messages. */
  readonly backend: string;
  /** Calls under way at once: at the start, at the least and at the most. */
  readonly initial: number;
  readonly minimum: number;
  readonly maximum: number;
  /** What is allowed of that at this moment, if that changes; ≥ 1. Who waits is let in within `idleMs` when it has grown. */
  readonly share?: () => number;
  /** Callers that may wait for a permit; one more is refused with `throttled`. */
  readonly maxQueued: number;
  /** How long a caller waits for a permit before it is refused with `throttled`, milliseconds. */
  readonly maxWaitMs: number;
  /** A call whose caller has been busy with other things for so long makes room for another. */
  readonly idleMs: number;
  /** Calls that have made room so, at most: each keeps its connection. */
  readonly maxLent: number;
  /** Of several complaints within so many milliseconds only the first lowers the limit: they speak of one moment. */
  readonly cutIntervalMs: number;
}

/** The right to have one call under way. */
export interface Permit {
  /** Says that the backend asked for fewer calls. */
  throttled(): void;
  /** The call waits for its own caller: it is not the backend that is busy. */
  pause(): void;
  /** The call goes on at once, even where another has taken its room. */
  resume(): void;
  /** Gives the permit back; only the first time counts. */
  release(): void;
}

/** A permit that was given. */
interface Held {
  lent: boolean;
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
  /** Since when calls wait for their callers, the longest first. */
  private readonly idle = new Map<Held, number>();
  private lent = 0;
  private watch: AbortController | undefined;
  private lastCutMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, settings: LimitSettings) {
    this.clock = clock;
    this.settings = settings;
    this.allowed = settings.initial;
  }

  /** Calls that may be under way now. */
  get limit(): number {
    return Math.floor(Math.min(this.allowed, this.settings.share?.() ?? this.allowed));
  }

  get queued(): number {
    return this.waiting.size;
  }

  /** A permit, at once or when one is free. Kinds: throttled (too many wait, or it took too long), cancelled. */
  async acquire(signal?: AbortSignal): Promise<Permit> {
    if (this.waiting.size === 0 && (this.inFlight < this.limit || this.reclaim())) this.inFlight++;
    else await this.wait(signal);
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
        if (this.waiting.size === 0) this.watch?.abort();
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
      this.watchIdle();
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
    const held: Held = { lent: false };
    const resume = () => {
      if (!this.idle.delete(held) && held.lent) {
        held.lent = false;
        this.lent--;
        this.inFlight++;
      }
    };
    return {
      throttled: () => {
        complained = true;
        this.cut();
      },
      pause: () => {
        if (!released && !held.lent) this.idle.set(held, this.clock.monotonicMs());
      },
      resume,
      release: () => {
        if (released) return;
        resume();
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
      if (this.inFlight >= this.limit && !this.reclaim()) return;
      this.inFlight++;
      waiter.admit();
    }
  }

  /** Takes the room of the call that has been idle longest, if that is long enough. */
  private reclaim(): boolean {
    const { idleMs, maxLent } = this.settings;
    const [longest] = this.idle;
    if (!longest || this.lent >= maxLent || this.inFlight > this.limit) return false;
    const [held, sinceMs] = longest;
    if (this.clock.monotonicMs() - sinceMs < idleMs) return false;
    this.idle.delete(held);
    held.lent = true;
    this.lent++;
    this.inFlight--;
    return true;
  }

  /** While somebody waits: calls become idle without anything that would tell of it. */
  private watchIdle(): void {
    if (this.watch && !this.watch.signal.aborted) return;
    const watch = new AbortController();
    this.watch = watch;
    this.clock.sleep(this.settings.idleMs, watch.signal).then(
      () => {
        this.watch = undefined;
        this.admitWaiting();
        if (this.waiting.size > 0) this.watchIdle();
      },
      // Nobody waits any more.
      () => undefined,
    );
  }
}
