export interface FillBudgetSettings {
  /** Bytes of pages being filled, or filled and not yet given up. A single larger page is let through alone. */
  readonly maxFillBytes: number;
  /** Pages being filled at once. */
  readonly maxFills: number;
}

interface Waiter {
  readonly bytes: number;
  readonly grant: (release: () => void) => void;
  /** May change while it waits: call `reprioritise` then. */
  readonly isUrgent: () => boolean;
}

/** The part of the limits that those together may take who are not urgent. */
const backgroundShare = 0.5;

/** Memory for fills: permits in order of asking, what is not urgent behind everything that is. */
export class FillBudget {
  private settings: FillBudgetSettings;
  private readonly onPressure: () => void;
  private readonly waiting = new Set<Waiter>();
  private usedBytes = 0;
  private usedCount = 0;

  /** `onPressure` is called when somebody has to wait: whoever holds a permit without need gives it back then. */
  constructor(onPressure: () => void, settings: FillBudgetSettings) {
    this.onPressure = onPressure;
    this.settings = settings;
  }

  /** From now on these limits hold; permits that were given stay. */
  tune({ maxFillBytes, maxFills }: FillBudgetSettings): void {
    this.settings = { maxFillBytes, maxFills };
    this.grantWaiting();
  }

  get usage() {
    return { bytes: this.usedBytes, pages: this.usedCount, waiting: this.waiting.size };
  }

  get pressed(): boolean {
    for (const waiter of this.waiting) if (waiter.isUrgent()) return true;
    return false;
  }

  /** Whether so many bytes that nobody waits for would find room at once, beside those that others have asked for. */
  hasBackgroundRoom(bytes: number, askedBytes: number, askedCount: number): boolean {
    const usedBytes = Math.max(this.usedBytes, askedBytes) + bytes;
    const usedCount = Math.max(this.usedCount, askedCount);
    return this.waiting.size === 0 && this.isBelow(backgroundShare, usedBytes, usedCount);
  }

  /** As `acquire`, for what is not urgent, without waiting: undefined where there is no room. */
  takeAtOnce(bytes: number): (() => void) | undefined {
    return this.waiting.size === 0 && this.fits(bytes, false) ? this.take(bytes) : undefined;
  }

  /**
   * Resolves with a function that gives the permit back (a second call does nothing), or with undefined once the signal
   * is aborted.
   */
  async acquire(
    bytes: number,
    signal: AbortSignal,
    isUrgent: () => boolean = () => true,
  ): Promise<(() => void) | undefined> {
    if (signal.aborted) return undefined;
    if (this.waiting.size === 0 && this.fits(bytes, isUrgent())) return this.take(bytes);
    const granted = Promise.withResolvers<(() => void) | undefined>();
    const waiter: Waiter = { bytes, grant: granted.resolve, isUrgent };
    const giveUp = () => {
      if (this.waiting.delete(waiter)) granted.resolve(undefined);
      this.grantWaiting();
    };
    signal.addEventListener('abort', giveUp, { once: true });
    this.waiting.add(waiter);
    this.reprioritise();
    const release = await granted.promise;
    signal.removeEventListener('abort', giveUp);
    return release;
  }

  /** Somebody who waits may have become urgent. */
  reprioritise(): void {
    this.grantWaiting();
    if (this.pressed) this.onPressure();
  }

  private fits(bytes: number, urgent: boolean): boolean {
    if (this.usedCount === 0) return true;
    return this.isBelow(urgent ? 1 : backgroundShare, this.usedBytes + bytes, this.usedCount);
  }

  private isBelow(share: number, bytes: number, count: number): boolean {
    return bytes <= this.settings.maxFillBytes * share && count < this.settings.maxFills * share;
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
    for (const urgent of [true, false]) {
      for (const waiter of this.waiting) {
        if (waiter.isUrgent() !== urgent) continue;
        if (!this.fits(waiter.bytes, urgent)) return;
        this.waiting.delete(waiter);
        waiter.grant(this.take(waiter.bytes));
      }
    }
  }
}
