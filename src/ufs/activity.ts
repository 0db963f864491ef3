/** Counts the calls under way, so that what they need is not taken away from under them. */
export class Activity {
  private count = 0;
  private idleWaiters: (() => void)[] = [];

  async run<T>(work: () => Promise<T>): Promise<T> {
    this.count++;
    try {
      return await work();
    } finally {
      this.count--;
      if (this.count === 0) for (const resolve of this.idleWaiters.splice(0)) resolve();
    }
  }

  /** Resolves when no call is under way. */
  async idle(): Promise<void> {
    while (this.count > 0) await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }
}
