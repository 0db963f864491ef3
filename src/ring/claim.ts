/** What is waited for before something that was gained may be used: each who may still act on it releases it, or its lease is over for certain. */
export class Claim {
  /** Until when each is waited for, on the monotonic clock; by the name of who it is. */
  private readonly waiting: Map<string, number>;

  constructor(waiting: ReadonlyMap<string, number>) {
    this.waiting = new Map(waiting);
  }

  /** Tested at the moment of use. */
  isSettled(nowMs: number): boolean {
    if (this.waiting.size === 0) return true;
    for (const [name, untilMs] of this.waiting) if (untilMs <= nowMs) this.waiting.delete(name);
    return this.waiting.size === 0;
  }

  release(name: string): void {
    this.waiting.delete(name);
  }

  names(): Iterable<string> {
    return this.waiting.keys();
  }

  /** When it is settled at the latest, on the monotonic clock. */
  untilMs(): number {
    return Math.max(Number.NEGATIVE_INFINITY, ...this.waiting.values());
  }
}
