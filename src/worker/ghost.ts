/** Fingerprints in one bucket; one that is too many takes the place of the bucket's oldest. */
const ways = 8;
/** The steps in which ages within a window are told apart; a slot that was left alone could seem young again after 4,096 windows. */
const windowTicks = 2 ** 20;

export interface GhostSettings {
  /** Names are remembered until others of so many bytes have followed. */
  readonly windowBytes: number;
  /** Names that find room, about: 12 bytes of memory each. Where more come within a window, the oldest give way. */
  readonly entries: number;
}

/**
 * Remembers the names of what was dropped, and nothing else of it: 32-bit fingerprints with an age, in buckets as a processor's
 * cache has them. Its memory is fixed. It may forget a name early, or take one for another (one time in 2,000, with two million
 * names): either costs one misplaced entry.
 */
export class Ghost {
  private readonly fingerprints: Uint32Array;
  /** The tick at which each slot was taken. */
  private readonly takenAt: Uint32Array;
  private readonly bucketCount: number;
  private readonly tickBytes: number;
  private readonly windowAge: number;
  private tick: number;
  /** Bytes since the tick began. */
  private restBytes = 0;

  constructor({ windowBytes, entries }: GhostSettings) {
    // Half as many slots again as entries, so that uneven buckets seldom overflow.
    this.bucketCount = Math.max(1, Math.ceil((entries * 1.5) / ways));
    this.fingerprints = new Uint32Array(this.bucketCount * ways);
    this.takenAt = new Uint32Array(this.bucketCount * ways);
    this.tickBytes = Math.max(1, windowBytes / windowTicks);
    this.windowAge = Math.ceil(windowBytes / this.tickBytes);
    // So that slots which nobody took are too old from the beginning.
    this.tick = this.windowAge + 1;
  }

  /** Bytes of memory it has, for good. */
  get memoryBytes(): number {
    return this.fingerprints.byteLength + this.takenAt.byteLength;
  }

  /** Remembers the name of an entry of so many bytes. */
  remember(fingerprint: number, bytes: number): void {
    const name = fingerprint >>> 0;
    this.restBytes += bytes;
    const passed = Math.floor(this.restBytes / this.tickBytes);
    this.restBytes -= passed * this.tickBytes;
    this.tick = (this.tick + passed) >>> 0;
    const slot = this.slotFor(name);
    this.fingerprints[slot] = name;
    this.takenAt[slot] = this.tick;
  }

  /** Whether the name is remembered; it is not any more afterwards. */
  take(fingerprint: number): boolean {
    const name = fingerprint >>> 0;
    const first = this.firstSlot(name);
    for (let slot = first; slot < first + ways; slot++) {
      if (this.fingerprints[slot] !== name || this.ageOf(slot) > this.windowAge) continue;
      this.takenAt[slot] = this.tick - this.windowAge - 1;
      return true;
    }
    return false;
  }

  /** Where a name is put: over itself, or over the oldest of its bucket. */
  private slotFor(name: number): number {
    const first = this.firstSlot(name);
    let oldest = first;
    for (let slot = first; slot < first + ways; slot++) {
      if (this.fingerprints[slot] === name) return slot;
      if (this.ageOf(slot) > this.ageOf(oldest)) oldest = slot;
    }
    return oldest;
  }

  private ageOf(slot: number): number {
    return (this.tick - (this.takenAt[slot] ?? 0)) >>> 0;
  }

  private firstSlot(name: number): number {
    return Math.floor((name / 2 ** 32) * this.bucketCount) * ways;
  }
}
