import type { Clock } from '../../src/common/clock.ts';

/** A clock that stands still until `pass` moves it. */
export class FakeClock implements Clock {
  private now = 1_700_000_000_000;
  private readonly sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();

  nowMs(): number {
    return this.now;
  }

  monotonicMs(): number {
    return this.now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { atMs: this.now + ms, wake: resolve };
      this.sleepers.add(sleeper);
      signal?.addEventListener('abort', () => {
        this.sleepers.delete(sleeper);
        reject(signal.reason);
      });
    });
  }

  /** Moves the time on and lets everything that is due run. */
  async pass(ms: number): Promise<void> {
    this.now += ms;
    for (const sleeper of [...this.sleepers]) {
      if (sleeper.atMs > this.now) continue;
      this.sleepers.delete(sleeper);
      sleeper.wake();
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
