import { performance } from 'node:perf_hooks';

const tickMs = 100;
/** More is not the work of this process, but of a machine that stood still. */
const longestTickMs = 1_500;
/** What was under way then may fail so much later. */
const echoMs = 10_000;

/** Notices that everything here stood still: then nobody can demand that answers are in time. */
export class Stillness {
  /** How often. */
  count = 0;
  private tickedMs = performance.now();
  private stoodMs = Number.NEGATIVE_INFINITY;
  private readonly timer: NodeJS.Timeout;

  constructor() {
    this.timer = setInterval(() => this.look(), tickMs);
  }

  /** Whether the machine stood still since then, or a short while before. `ms`: of `performance.now`. */
  wasSince(ms: number): boolean {
    this.look();
    return this.stoodMs > ms - echoMs;
  }

  end(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const nowMs = performance.now();
    if (nowMs - this.tickedMs > longestTickMs) {
      this.count += 1;
      this.stoodMs = nowMs;
    }
    this.tickedMs = nowMs;
  }
}
