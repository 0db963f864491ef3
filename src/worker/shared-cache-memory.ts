/** What threads share of one cache: plain data, so that it can be handed to a thread as it is. */
export interface SharedCacheMemory {
  /** Records, in segments that are written from front to back. */
  readonly arena: SharedArrayBuffer;
  /** The hash table: `slotInts` 32-bit numbers a slot. */
  readonly slots: SharedArrayBuffer;
  /** A byte a slot: uses since the record was placed, up to three. Threads may lose each other's counts. */
  readonly uses: SharedArrayBuffer;
  /** A row for each thread, a number for each segment: how many readers of the thread hold the segment as it is. */
  readonly pins: SharedArrayBuffer;
  readonly segmentBytes: number;
  readonly segmentCount: number;
  /** A power of two, or 0 where nothing can be kept. */
  readonly slotCount: number;
  readonly threadCount: number;
  /** Starts the hash, so that nobody outside knows which names collide. */
  readonly seed: number;
}

export interface SharedCacheSettings {
  /** Of the arena. */
  readonly capacityBytes: number;
  /** Larger values are not kept; nor are those that are larger than a segment. */
  readonly maxValueBytes: number;
  /** There are two slots for each record of this size. */
  readonly usualValueBytes: number;
  /** Threads that read, the writer among them. */
  readonly threadCount: number;
  readonly seed: number;
}

/** The numbers of a slot. */
export const slotInts = 8;
/** Even while the slot is at rest; grows by two with each change of it. */
export const versionField = 0;
export const tagField = 1;
export const segmentField = 2;
/** Where in its segment the record begins, bytes. */
export const offsetField = 3;
/** 0: the slot is empty. */
export const keyLengthField = 4;
export const valueLengthField = 5;
/** Where the last read of the value ended, -1 at its end. Not a part of what the version guards. */
export const lastEndField = 6;
/** When the value was filled, Unix time in seconds. */
export const filledField = 7;

/** A name can lie in one of so many neighbouring slots. */
export const waysPerBucket = 8;
/** A record: slot, key length, value length and one number unused, then the key, then the value. Records begin at multiples of 8. */
export const recordHeaderBytes = 16;
export const maxKeyBytes = 4096;

const usualSegments = 16;
const leastSegments = 4;
const maxSegmentBytes = 16 * 1024 * 1024;

/** Memory is taken from the system when it is first written to, not here. */
export function createSharedCacheMemory(settings: SharedCacheSettings): SharedCacheMemory {
  const { capacityBytes, threadCount, seed } = settings;
  const segmentBytes = segmentBytesOf(settings);
  const segmentCount = segmentBytes === 0 ? 0 : Math.floor(capacityBytes / segmentBytes);
  const wantedSlots = (2 * capacityBytes) / settings.usualValueBytes;
  const slotCount = segmentCount === 0 ? 0 : 2 ** Math.ceil(Math.log2(Math.max(wantedSlots, 16)));
  return {
    arena: new SharedArrayBuffer(segmentBytes * segmentCount),
    slots: new SharedArrayBuffer(slotCount * slotInts * 4),
    uses: new SharedArrayBuffer(slotCount),
    pins: new SharedArrayBuffer(rowInts(segmentCount) * threadCount * 4),
    segmentBytes,
    segmentCount,
    slotCount,
    threadCount,
    seed,
  };
}

/**
 * A row has a number for each segment and one for how many segments the thread has lent from. Rows begin on cache lines of their own, so
 * that threads do not slow each other down.
 */
export function rowInts(segmentCount: number): number {
  return Math.ceil((segmentCount + 1) / 16) * 16;
}

export function recordBytes(keyLength: number, valueLength: number): number {
  return Math.ceil((recordHeaderBytes + keyLength + valueLength) / 8) * 8;
}

/** Such that a whole number of the largest records fills a segment, as far as there can be several segments then. */
function segmentBytesOf({ capacityBytes, maxValueBytes }: SharedCacheSettings): number {
  const unit = recordBytes(maxKeyBytes, Math.min(maxValueBytes, capacityBytes));
  const usual = Math.min(capacityBytes / usualSegments, maxSegmentBytes);
  const whole = Math.max(unit, Math.floor(usual / unit) * unit);
  const most = Math.floor(capacityBytes / leastSegments / 8) * 8;
  return Math.min(whole, most);
}
