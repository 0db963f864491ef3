export interface FillBudgetSettings {
  /** Bytes of pages being filled, or filled and not yet given up. A single larger page is let through alone. */
  readonly maxFillBytes: number;
  /** Pages being filled at once. */
  readonly maxFills: number;
}

interface Waiter {
  readonly bytes: number;
  readonly grant: (release: () => void) => void;
}

/** Memory for fills: permits in order of asking. */
export class FillBudget {
  private readonly settings: FillBudgetSettings;
  private readonly onPressure: () => void;
  private readonly waiting = new Set<Waiter>();
  private usedBytes = 0;
  private usedCount = 0;

  /** `onPressure` is called when somebody has to wait: whoever holds a permit without need gives it back then. */
  constructor(onPressure: () => void, settings: FillBudgetSettings) {
    this.onPressure = onPressure;
    this.settings = settings;
  }

  get usage() {
    return { bytes: this.usedBytes, pages: this.usedCount, waiting: this.waiting.size };
  }

  get pressed(): boolean {
    return this.waiting.size > 0;
  }

  /**
   * Resolves with a function that gives the permit back (a second call does nothing), or with undefined once the signal
   * is aborted.
   */
  async acquire(bytes: number, signal: AbortSignal): Promise<(() => void) | undefined> {
    if (signal.aborted) return undefined;
    if (this.waiting.size === 0 && this.fits(bytes)) return this.take(bytes);
    const granted = Promise.withResolvers<(() => void) | undefined>();
    const waiter: Waiter = { bytes, grant: granted.resolve };
    const giveUp = () => {
      if (this.waiting.delete(waiter)) granted.resolve(undefined);
      this.grantWaiting();
    };
    signal.addEventListener('abort', giveUp, { once: true });
    this.waiting.add(waiter);
    this.onPressure();
    const release = await granted.promise;
    signal.removeEventListener('abort', giveUp);
    return release;
  }

  private fits(bytes: number): boolean {
    if (this.usedCount === 0) return true;
    return this.usedCount < this.settings.maxFills && this.usedBytes + bytes <= this.settings.maxFillBytes;
  }

  private take(bytes: number): () => void {
    this.usedBytes += bytes;
    this.usedCount++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.usedBytes -= bytes;
      this.usedCount--;
      this.grantWaiting();
    };
  }

  private grantWaiting(): void {
    for (const waiter of this.waiting) {
      if (!this.fits(waiter.bytes)) return;
      this.waiting.delete(waiter);
      waiter.grant(this.take(waiter.bytes));
    }
  }
}
