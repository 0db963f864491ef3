import { type Clock, systemClock } from '../../src/common/clock.ts';

/** The system's clock, which can be moved on: for what shares real time with another program, and is not to wait for it. */
export class SkippingClock implements Clock {
  private skippedMs = 0;
  private readonly sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();

  nowMs(): number {
    return systemClock.nowMs() + this.skippedMs;
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.skippedMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const sleeper = { atMs: this.monotonicMs() + ms, wake: () => woken.abort() };
    this.sleepers.add(sleeper);
    try {
      await systemClock.sleep(ms, AbortSignal.any(signal ? [woken.signal, signal] : [woken.signal]));
    } catch (error) {
      if (!woken.signal.aborted) throw error;
    } finally {
      this.sleepers.delete(sleeper);
    }
  }

  /** Moves the time on and lets everything that is due run. */
  async skip(ms: number): Promise<void> {
    this.skippedMs += ms;
    for (const sleeper of [...this.sleepers]) if (sleeper.atMs <= this.monotonicMs()) sleeper.wake();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
