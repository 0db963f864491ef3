import type { Clock } from '../common/clock.ts';

const monotonicAt = 0;
const wallAt = 1;

/**
 * Until when what the store thread has published may be used, in shared memory: the end of the node's view lease, which other threads
 * compare with their clocks at the moment of use. Whole milliseconds on both hands of the clock; 0 where there is none.
 */
export class SharedLease {
  readonly memory: SharedArrayBuffer;
  private readonly ends: BigInt64Array;

  /** `memory`: another thread's. */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.memory = memory;
    this.ends = new BigInt64Array(memory);
  }

  /** Called by the store thread alone. */
  set({ monotonicMs, wallMs }: { readonly monotonicMs: number; readonly wallMs: number }): void {
    Atomics.store(this.ends, monotonicAt, whole(monotonicMs));
    Atomics.store(this.ends, wallAt, whole(wallMs));
  }

  /** By whichever clock is further. */
  isValid(clock: Clock): boolean {
    return (
      clock.monotonicMs() < Number(Atomics.load(this.ends, monotonicAt)) &&
      clock.nowMs() < Number(Atomics.load(this.ends, wallAt))
    );
  }
}

function whole(ms: number): bigint {
  return ms > 0 ? BigInt(Math.floor(Math.min(ms, Number.MAX_SAFE_INTEGER))) : 0n;
}
