import type { Clock } from '../common/clock.ts';
import type { FileStatus } from './file-system.ts';

/** The kernel's tick, after which its times differ, is at most 10 ms; the rest is for what lies between two looks at the clocks. */
const tickMs = 50;
/** File systems count time in such steps: FAT in 2 s, others of old in 1 s; some servers in 100 ms or 10 ms. Nanoseconds. */
const steps = [2_000_000_000n, 1_000_000_000n, 100_000_000n, 10_000_000n] as const;
/** A server's clock is not off by more. */
const skewLimitMs = 86_400_000;
/** How many versions are remembered to have been seen. */
const seenCount = 10_000;

/**
 * Tells when a file's times have become a name of its bytes: when the next change must give it others. That takes longer the coarser the
 * file system counts time; and where a server's clock sets the times, this machine's clock says nothing about how old they are.
 */
export class VersionClock {
  private readonly clock: Clock;
  private readonly localDev: bigint | undefined;
  /** When versions whose age is not known were first seen, on the monotonic clock; the oldest first. */
  private readonly seen = new Map<string, number>();

  /** `localDev`: the device, if any, whose times come from this machine's clock. */
  constructor(clock: Clock, localDev: bigint | undefined) {
    this.clock = clock;
    this.localDev = localDev;
  }

  /** Whether every change of the file from now on gives it another generation. `generation` is that of `status`. */
  isSettled(status: FileStatus, generation: string): boolean {
    // Every change of the bytes or of mtime sets ctime to now, so ctime alone tells the age.
    const neededMs = tickMs + stepMs(status.ctimeNs);
    const ageMs = this.clock.nowMs() - Number(status.ctimeNs / 1_000_000n);
    if (status.dev === this.localDev) return ageMs > neededMs;
    if (ageMs > skewLimitMs) return true;
    // Whatever the server's clock shows, it has gone on since this version was first seen there.
    return this.seenForMs(generation) > neededMs;
  }

  private seenForMs(generation: string): number {
    const nowMs = this.clock.monotonicMs();
    const sinceMs = this.seen.get(generation);
    if (sinceMs !== undefined) return nowMs - sinceMs;
    this.seen.set(generation, nowMs);
    if (this.seen.size > seenCount) {
      const [oldest] = this.seen.keys();
      if (oldest !== undefined) this.seen.delete(oldest);
    }
    return 0;
  }
}

/** The coarsest step that the time is a multiple of; 0 where it is none of them, so that its file system counts finer. */
function stepMs(timeNs: bigint): number {
  const step = steps.find((size) => timeNs % size === 0n);
  return step === undefined ? 0 : Number(step / 1_000_000n);
}
