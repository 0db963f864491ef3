import type { Clock } from '../../src/common/clock.ts';

interface Sleeper {
  readonly atMs: number;
  readonly order: number;
  readonly wake: () => void;
}

/** Time that passes as fast as everything that is due at each moment has run. */
export class VirtualTime implements Clock {
  private readonly sleepers: Sleeper[] = [];
  private now = 0;
  private made = 0;

  nowMs(): number {
    return 1_700_000_000_000 + Math.floor(this.now);
  }

  monotonicMs(): number {
    return this.now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        this.drop(sleeper);
        reject(signal?.reason);
      };
      const sleeper = this.at(this.now + ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Runs everything that is due within so many milliseconds, in order. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.now + ms;
    await settle();
    for (;;) {
      const next = this.sleepers[0];
      if (!next || next.atMs > untilMs) break;
      this.sleepers.shift();
      this.now = Math.max(this.now, next.atMs);
      next.wake();
      await settle();
    }
    this.now = untilMs;
  }

  /** Passes time until it holds; throws if it does not within a virtual minute. */
  async until(holds: () => boolean, what: string, because: () => unknown = () => ''): Promise<void> {
    for (let waited = 0; !holds(); waited += 20) {
      if (waited > 60_000) throw new Error(`in a minute not ${what} ${JSON.stringify(because())}`);
      await this.pass(20);
    }
  }

  private at(atMs: number, wake: () => void): Sleeper {
    const sleeper = { atMs, order: this.made++, wake };
    let place = this.sleepers.length;
    while (place > 0 && (this.sleepers[place - 1] as Sleeper).atMs > atMs) place--;
    this.sleepers.splice(place, 0, sleeper);
    return sleeper;
  }

  private drop(sleeper: Sleeper): void {
    const place = this.sleepers.indexOf(sleeper);
    if (place !== -1) this.sleepers.splice(place, 1);
  }
}

/** Lets every promise that needs no time come to its end. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
