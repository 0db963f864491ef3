import {
  filledField,
  keyLengthField,
  lastEndField,
  maxKeyBytes,
  offsetField,
  recordHeaderBytes,
  rowInts,
  type SharedCacheMemory,
  segmentField,
  slotInts,
  tagField,
  valueLengthField,
  versionField,
  waysPerBucket,
} from './shared-cache-memory.ts';

const maxUses = 3;

/** One thread's view of a shared cache. Looking up takes no lock and never waits for the writer. */
export class SharedCacheView {
  readonly segments: readonly Buffer[];
  readonly slots: Int32Array;
  readonly uses: Uint8Array;
  private readonly memory: SharedCacheMemory;
  private readonly pins: Int32Array;
  private readonly row: number;
  private readonly scratch = Buffer.alloc(maxKeyBytes + 8);
  private readonly words: Int32Array;

  // What the last `hold` or `prepare` found: fields, since an object for each look costs more than the look.
  /** First of the slots where the prepared name can lie. */
  bucket = 0;
  tag = 0;
  keyLength = 0;
  slot = -1;
  /** Of the slot, when its record was found. */
  version = 0;
  segment = 0;
  /** Where the value begins in the segment. */
  start = 0;
  length = 0;
  /** When the value was filled, Unix time. */
  filledSeconds = 0;

  /** `thread`: this thread's row of pins, its own. */
  constructor(memory: SharedCacheMemory, thread: number) {
    const { arena, segmentBytes, segmentCount } = memory;
    this.memory = memory;
    this.segments = Array.from({ length: segmentCount }, (_, i) =>
      Buffer.from(arena, i * segmentBytes, segmentBytes),
    );
    this.slots = new Int32Array(memory.slots);
    this.uses = new Uint8Array(memory.uses);
    this.pins = new Int32Array(memory.pins);
    this.row = thread * rowInts(segmentCount);
    this.words = new Int32Array(this.scratch.buffer, this.scratch.byteOffset, this.scratch.length / 4);
  }

  /** The bytes of the name that was last prepared. */
  get keyBytes(): Buffer {
    return this.scratch;
  }

  /** Encodes and hashes a name. False if no record can have it: it is too long, or no Unicode. */
  prepare(name: string): boolean {
    if (this.memory.slotCount === 0 || name.length * 3 > maxKeyBytes || !name.isWellFormed()) return false;
    this.keyLength = this.scratch.write(name);
    const words = (this.keyLength + 3) >> 2;
    // What an earlier name left behind this one's end is no part of it.
    for (let at = this.keyLength; at < words * 4; at++) this.scratch[at] = 0;
    let low = this.memory.seed ^ this.keyLength;
    let high = ~this.memory.seed;
    for (let i = 0; i < words; i++) {
      const word = this.words[i] as number;
      low = Math.imul(low ^ word, 0x01000193);
      low ^= low >>> 15;
      high = Math.imul(high + word, 0x85ebca6b | 0);
      high ^= high >>> 13;
    }
    this.tag = high;
    this.bucket =
      Math.imul(low ^ (high >>> 16), 0x9e3779b1 | 0) & (this.memory.slotCount - 1) & -waysPerBucket;
    return true;
  }

  /**
   * Finds a record and keeps its segment from being written to until `release` is called for it. The fields `slot` to `filledSeconds` tell
   * where its value lies, and of when it is.
   */
  hold(name: string): boolean {
    if (!this.prepare(name)) return false;
    for (let slot = this.bucket; slot < this.bucket + waysPerBucket; slot++) {
      if (this.slots[slot * slotInts + tagField] === this.tag && this.holdSlot(slot)) return true;
    }
    return false;
  }

  /** Lets the writer use the segment again, as far as this hold is concerned. */
  release(segment: number): void {
    Atomics.sub(this.pins, this.row + segment, 1);
  }

  /** Counts a segment that this thread lends from (1), or does not any more (-1). */
  countLent(change: 1 | -1): void {
    Atomics.add(this.pins, this.row + this.memory.segmentCount, change);
  }

  /** Segments that are lent from, those of several threads several times. */
  get lentCount(): number {
    const { segmentCount, threadCount } = this.memory;
    let count = 0;
    for (let thread = 0; thread < threadCount; thread++) {
      count += Atomics.load(this.pins, thread * rowInts(segmentCount) + segmentCount);
    }
    return count;
  }

  /** Holds of all threads that were not released yet. */
  get pinCount(): number {
    const { segmentCount, threadCount } = this.memory;
    const row = rowInts(segmentCount);
    let count = 0;
    for (let thread = 0; thread < threadCount; thread++) {
      for (let i = 0; i < segmentCount; i++) count += Atomics.load(this.pins, thread * row + i);
    }
    return count;
  }

  /** Whether the slot holds what it held at `version`, as of now. */
  isStill(slot: number, version: number): boolean {
    return Atomics.load(this.slots, slot * slotInts + versionField) === version;
  }

  /** Notes that bytes `[start, end)` of the value that was found are read. What goes on where the last read ended is no new use. */
  touch(start: number, end: number): void {
    const at = this.slot * slotInts + lastEndField;
    if (start !== this.slots[at]) this.count(this.slot);
    this.slots[at] = end === this.length ? -1 : end;
  }

  /** Notes a use of the record in the slot. */
  count(slot: number): void {
    const uses = this.uses[slot] as number;
    if (uses < maxUses) this.uses[slot] = uses + 1;
  }

  /**
   * The pin comes before the second look at the version: the writer changes the version first and looks at the pins then, so that one of
   * the two sees the other. An atomic addition is also the barrier that keeps the reads before it in their place.
   */
  private holdSlot(slot: number): boolean {
    const { slots } = this;
    const at = slot * slotInts;
    const version = Atomics.load(slots, at + versionField);
    const segment = slots[at + segmentField] as number;
    const offset = slots[at + offsetField] as number;
    const length = slots[at + valueLengthField] as number;
    const filledSeconds = slots[at + filledField] as number;
    if (version & 1 || slots[at + keyLengthField] !== this.keyLength) return false;
    if (segment < 0 || segment >= this.memory.segmentCount) return false;
    Atomics.add(this.pins, this.row + segment, 1);
    if (!this.isStill(slot, version) || !this.isKey(segment, offset)) {
      this.release(segment);
      return false;
    }
    this.slot = slot;
    this.version = version;
    this.segment = segment;
    this.start = offset + recordHeaderBytes + this.keyLength;
    this.length = length;
    this.filledSeconds = filledSeconds >>> 0;
    return true;
  }

  private isKey(segment: number, offset: number): boolean {
    const start = offset + recordHeaderBytes;
    const bytes = this.segments[segment] as Buffer;
    return bytes.compare(this.scratch, 0, this.keyLength, start, start + this.keyLength) === 0;
  }
}
