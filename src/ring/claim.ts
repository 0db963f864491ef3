/** What is known of one who may still act on what was gained. Both on the monotonic clock. */
export interface Wait {
  /** From then on it does not act on it any more. */
  readonly untilMs: number;
  /** From then on nothing has an effect that it sent to a storage before, unless it says better when it releases. */
  readonly settledMs: number;
}

/** What is waited for before something that was gained may be used: each who may still act on it releases it, or its lease is over for certain. */
export class Claim {
  /** Who is waited for, by name. */
  private readonly waiting: Map<string, Wait>;
  /** Whose time is over, and who has not said when what it sent has had its effect. */
  private readonly silent = new Map<string, Wait>();
  private settledMs: number;

  /** `settledMs`: from then on nothing has an effect any more that was sent by those who need not be waited for, on the monotonic clock. */
  constructor(waiting: ReadonlyMap<string, Wait>, settledMs = Number.NEGATIVE_INFINITY) {
    this.waiting = new Map(waiting);
    this.settledMs = settledMs;
  }

  /** Whether nobody else acts on it any more. Tested at the moment of use. */
  isReleased(nowMs: number): boolean {
    if (this.waiting.size === 0) return true;
    for (const [name, wait] of this.waiting) {
      if (wait.untilMs > nowMs) continue;
      this.waiting.delete(name);
      this.silent.set(name, wait);
    }
    return this.waiting.size === 0;
  }

  /** Whether, moreover, nothing that others sent to a storage before can have an effect any more. Tested at the moment of use. */
  isSettled(nowMs: number): boolean {
    if (!this.isReleased(nowMs) || this.settledMs > nowMs) return false;
    for (const { settledMs } of this.silent.values()) if (settledMs > nowMs) return false;
    return true;
  }

  /** Also when its time is over already. `settledMs`: when what it sent before has had its effect, on the monotonic clock. */
  release(name: string, settledMs: number): void {
    const wasWaiting = this.waiting.delete(name);
    if (!this.silent.delete(name) && !wasWaiting) return;
    this.settledMs = Math.max(this.settledMs, settledMs);
  }

  /** Who is waited for. */
  waits(): ReadonlyMap<string, Wait> {
    return this.waiting;
  }

  /** Who has not released it, be its time over or not. */
  unreleased(): ReadonlyMap<string, Wait> {
    return new Map([...this.silent, ...this.waiting]);
  }

  /** When it is released at the latest, on the monotonic clock. */
  untilMs(): number {
    let latestMs = Number.NEGATIVE_INFINITY;
    for (const { untilMs } of this.waiting.values()) latestMs = Math.max(latestMs, untilMs);
    return latestMs;
  }

  /** When it is settled at the latest, by what is known now, on the monotonic clock. */
  settledUntilMs(): number {
    let latestMs = this.settledMs;
    for (const { settledMs } of this.unreleased().values()) latestMs = Math.max(latestMs, settledMs);
    return latestMs;
  }
}
