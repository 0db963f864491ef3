import type { Clock } from '../common/clock.ts';

/** How many uploads may be under way, and how long one may lie still. */
export interface UploadLimits {
  readonly maxCount: number;
  /** Milliseconds; 0 for ever. */
  readonly maxIdleMs: number;
}

export const defaultUploadLimits: UploadLimits = { maxCount: 10_000, maxIdleMs: 0 };

/** At least, and at most, so long between two searches; otherwise a quarter of the time that an upload may lie still. */
const leastPauseMs = 1_000;
const mostPauseMs = 3_600_000;

/** Has uploads removed, time and again, that nobody has gone on with for too long. */
export class UploadExpiry {
  private readonly clock: Clock;
  private readonly remove: () => Promise<void>;
  private readonly onError: (error: unknown) => void;
  private readonly stopping = new AbortController();
  private ended: Promise<void> = Promise.resolve();

  /** `remove` removes those that are too old now; what it rejects with is told, and tried again at the next search. */
  constructor(clock: Clock, remove: () => Promise<void>, onError: (error: unknown) => void) {
    this.clock = clock;
    this.remove = remove;
    this.onError = onError;
  }

  start({ maxIdleMs }: UploadLimits): void {
    if (maxIdleMs > 0) this.ended = this.run(Math.max(leastPauseMs, Math.min(mostPauseMs, maxIdleMs / 4)));
  }

  /** Ends when no search is under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.ended;
  }

  private async run(pauseMs: number): Promise<void> {
    const { signal } = this.stopping;
    for (;;) {
      // It rejects when the expiry is stopped, and never otherwise.
      await this.clock.sleep(pauseMs, signal).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.remove();
      } catch (error) {
        this.onError(error);
      }
    }
  }
}
