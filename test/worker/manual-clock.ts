import type { Clock } from '../../src/common/clock.ts';

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** A clock whose two hands are moved by the test, together or apart. */
export class ManualClock implements Clock {
  wallMs = 1_700_000_000_000;
  steadyMs = 0;
  private readonly sleepers = new Set<Sleeper>();

  nowMs(): number {
    return this.wallMs;
  }

  monotonicMs(): number {
    return this.steadyMs;
  }

  get sleeperCount(): number {
    return this.sleepers.size;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { atMs: this.steadyMs + ms, wake: resolve };
      this.sleepers.add(sleeper);
      const onAbort = () => {
        this.sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Moves both hands and lets everything run that is due. */
  async pass(ms: number): Promise<void> {
    this.wallMs += ms;
    this.steadyMs += ms;
    for (const sleeper of [...this.sleepers]) {
      if (sleeper.atMs > this.steadyMs) continue;
      this.sleepers.delete(sleeper);
      sleeper.wake();
    }
    await turn();
  }
}

/** Lets everything run that needs no more than the event loop. */
export async function turn(count = 1): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
