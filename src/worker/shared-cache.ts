import { SegmentLog } from './segment-log.ts';
import {
  filledField,
  keyLengthField,
  lastEndField,
  offsetField,
  recordBytes,
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
import { SharedCacheView } from './shared-cache-view.ts';
import { SlotGroups } from './slot-groups.ts';

/** Uses in the small queue that earn a place in the main queue: one use after the first fill may be chance. */
const usesToStay = 2;
/** Segments emptied for one record before what was used goes too, so that room is made in bounded time. */
const carriedRounds = 4;
const maxRounds = 6;

/**
 * The one writer of a cache that all threads read: records of a name and bytes, in a log of segments with a hash table over it. What was
 * used since it was placed is carried forward when its segment is emptied, by the rules of S3-FIFO (see `cache-policy.ts`). No memory is
 * taken for a record beside its slot and its place in the arena.
 */
export class SharedCache {
  readonly view: SharedCacheView;
  private readonly memory: SharedCacheMemory;
  private readonly maxValueBytes: number;
  private readonly onEvict: ((name: string) => void) | undefined;
  private readonly log: SegmentLog;
  private readonly groups: SlotGroups;
  private readonly pins: Int32Array;
  /** Tags of records that fell out of the small queue, each in the place that its bucket gives it. */
  private readonly ghosts: Int32Array;
  private readonly header: Int32Array;
  private readonly headerBytes: Buffer;
  private records = 0;
  private bytes = 0;
  private evicted = 0;

  /** `onEvict` is told the name of each record that goes to make room. */
  constructor(memory: SharedCacheMemory, maxValueBytes: number, onEvict?: (name: string) => void) {
    this.memory = memory;
    this.maxValueBytes = maxValueBytes;
    this.onEvict = onEvict;
    this.view = new SharedCacheView(memory, 0);
    this.pins = new Int32Array(memory.pins);
    this.log = new SegmentLog(memory.segmentCount, memory.segmentBytes, (segment) => this.isPinned(segment));
    this.groups = new SlotGroups(memory.slotCount);
    this.ghosts = new Int32Array(memory.slotCount);
    this.header = new Int32Array(recordHeaderBytes / 4);
    this.headerBytes = Buffer.from(this.header.buffer);
  }

  get count(): number {
    return this.records;
  }

  /** Of the values. */
  get valueBytes(): number {
    return this.bytes;
  }

  /** Records that had to go to make room, since the beginning. */
  get evictions(): number {
    return this.evicted;
  }

  has(name: string): boolean {
    return this.filledSecondsOf(name) !== undefined;
  }

  filledSecondsOf(name: string): number | undefined {
    if (!this.view.hold(name)) return undefined;
    this.view.release(this.view.segment);
    return this.view.filledSeconds;
  }

  /** Places a record that is not there yet. False if it is not kept: too large, or readers hold what would have to go for it. */
  put(
    name: string,
    group: number,
    value: readonly Uint8Array[],
    valueLength: number,
    filledSeconds = 0,
  ): boolean {
    if (valueLength > this.maxValueBytes || !this.view.prepare(name)) return false;
    const { keyLength, bucket, tag } = this.view;
    const key = this.view.keyBytes.subarray(0, keyLength);
    const returning = this.ghosts[bucket + (tag & (waysPerBucket - 1))] === tag;
    const place = this.allocate(returning ? 'main' : 'small', recordBytes(keyLength, valueLength));
    if (!place) return false;
    const slot = this.freeSlot(bucket);
    this.writeRecord(place, slot, key, value, valueLength);
    this.setSlot(slot, place, tag, keyLength, valueLength, filledSeconds);
    this.groups.add(slot, group);
    this.records++;
    this.bytes += valueLength;
    return true;
  }

  /** Withdraws a record: no look that begins after this returns finds it. */
  remove(name: string): void {
    if (!this.view.hold(name)) return;
    this.view.release(this.view.segment);
    this.clearSlot(this.view.slot);
  }

  /** About how many groups there are. */
  get groupCount(): number {
    return this.groups.count();
  }

  /** Whether a record of a group has such a name. */
  hasOfGroup(group: number, isWanted: (name: string) => boolean): boolean {
    for (const slot of this.groups.slotsOf(group)) if (isWanted(this.nameAt(slot))) return true;
    return false;
  }

  /** Withdraws the records of a group whose name is unwanted. */
  removeGroup(group: number, isUnwanted: (name: string) => boolean): void {
    for (const slot of this.groups.slotsOf(group)) if (isUnwanted(this.nameAt(slot))) this.clearSlot(slot);
  }

  /**
   * Withdraws the records in slots `[first, end)`, or in all, that are unwanted: by name, length and time of filling. Those whose name begins
   * otherwise than `start` stay, and cost next to nothing.
   */
  removeAll(
    isUnwanted: (name: string, valueLength: number, filledSeconds: number) => boolean,
    first = 0,
    end = this.memory.slotCount,
    start?: Buffer,
  ): void {
    const { slots } = this.view;
    for (let slot = first; slot < Math.min(end, this.memory.slotCount); slot++) {
      if (this.isEmpty(slot) || (start && !this.beginsWith(slot, start))) continue;
      const at = slot * slotInts;
      const length = slots[at + valueLengthField] as number;
      if (isUnwanted(this.nameAt(slot), length, (slots[at + filledField] as number) >>> 0))
        this.clearSlot(slot);
    }
  }

  /** Gives up what a thread that is no more had held. */
  forgetThread(thread: number): void {
    const row = rowInts(this.memory.segmentCount);
    for (let i = 0; i < row; i++) Atomics.store(this.pins, thread * row + i, 0);
  }

  private isPinned(segment: number): boolean {
    const row = rowInts(this.memory.segmentCount);
    for (let thread = 0; thread < this.memory.threadCount; thread++) {
      if (Atomics.load(this.pins, thread * row + segment) > 0) return true;
    }
    return false;
  }

  private allocate(
    queue: 'small' | 'main',
    bytes: number,
  ): { readonly segment: number; readonly offset: number } | undefined {
    for (let round = 0; round < maxRounds; round++) {
      const place = this.log.place(queue, bytes, 1);
      if (place) return place;
      if (bytes > this.memory.segmentBytes || !this.emptyOne(round < carriedRounds)) return undefined;
    }
    return this.log.place(queue, bytes, 1);
  }

  /** Empties one segment, carrying forward what was used if `carries`. False if readers hold all of them. */
  private emptyOne(carries: boolean): boolean {
    const victim = this.log.takeVictim();
    if (!victim) return false;
    const least = victim.queue === 'small' ? usesToStay : 1;
    for (let offset = 0; offset < victim.fillBytes; ) {
      const header = this.readHeader(victim.segment, offset);
      const bytes = recordBytes(header.keyLength, header.valueLength);
      if (this.isAt(header.slot, victim.segment, offset)) {
        const uses = this.view.uses[header.slot] as number;
        const place = carries && uses >= least ? this.log.place('main', bytes, 0) : undefined;
        if (place) this.move(header.slot, victim.segment, offset, bytes, place);
        else this.drop(header.slot, victim.queue);
        if (place) this.view.uses[header.slot] = victim.queue === 'small' ? 0 : uses - 1;
      }
      offset += bytes;
    }
    this.log.emptied(victim.segment);
    return true;
  }

  private move(
    slot: number,
    segment: number,
    offset: number,
    bytes: number,
    place: { readonly segment: number; readonly offset: number },
  ): void {
    const from = this.view.segments[segment] as Buffer;
    from.copy(this.view.segments[place.segment] as Buffer, place.offset, offset, offset + bytes);
    const { slots } = this.view;
    const at = slot * slotInts;
    Atomics.add(slots, at + versionField, 1);
    slots[at + segmentField] = place.segment;
    slots[at + offsetField] = place.offset;
    Atomics.add(slots, at + versionField, 1);
  }

  private drop(slot: number, queue: 'small' | 'main'): void {
    const tag = this.view.slots[slot * slotInts + tagField] as number;
    if (queue === 'small') this.ghosts[(slot & -waysPerBucket) + (tag & (waysPerBucket - 1))] = tag;
    this.evict(slot);
  }

  /** An empty slot of the bucket, emptied if need be: the one that was used least. */
  private freeSlot(bucket: number): number {
    let least = bucket;
    for (let slot = bucket; slot < bucket + waysPerBucket; slot++) {
      if (this.isEmpty(slot)) return slot;
      if ((this.view.uses[slot] as number) < (this.view.uses[least] as number)) least = slot;
    }
    this.evict(least);
    return least;
  }

  private evict(slot: number): void {
    this.onEvict?.(this.nameAt(slot));
    this.clearSlot(slot);
    this.evicted++;
  }

  private writeRecord(
    { segment, offset }: { readonly segment: number; readonly offset: number },
    slot: number,
    key: Buffer,
    value: readonly Uint8Array[],
    valueLength: number,
  ): void {
    this.header[0] = slot;
    this.header[1] = key.length;
    this.header[2] = valueLength;
    const target = this.view.segments[segment] as Buffer;
    target.set(this.headerBytes, offset);
    target.set(key, offset + recordHeaderBytes);
    let at = offset + recordHeaderBytes + key.length;
    for (const piece of value) {
      target.set(piece, at);
      at += piece.length;
    }
  }

  /** The additions are barriers too: a reader that sees the slot at rest sees all of it. */
  private setSlot(
    slot: number,
    place: { readonly segment: number; readonly offset: number },
    tag: number,
    keyLength: number,
    valueLength: number,
    filledSeconds: number,
  ): void {
    const { slots } = this.view;
    const at = slot * slotInts;
    Atomics.add(slots, at + versionField, 1);
    slots[at + tagField] = tag;
    slots[at + segmentField] = place.segment;
    slots[at + offsetField] = place.offset;
    slots[at + keyLengthField] = keyLength;
    slots[at + valueLengthField] = valueLength;
    slots[at + lastEndField] = -1;
    slots[at + filledField] = filledSeconds;
    this.view.uses[slot] = 0;
    Atomics.add(slots, at + versionField, 1);
  }

  private clearSlot(slot: number): void {
    const { slots } = this.view;
    const at = slot * slotInts;
    this.records--;
    this.bytes -= slots[at + valueLengthField] as number;
    this.groups.remove(slot);
    Atomics.add(slots, at + versionField, 1);
    slots[at + tagField] = 0;
    slots[at + keyLengthField] = 0;
    Atomics.add(slots, at + versionField, 1);
  }

  private isEmpty(slot: number): boolean {
    return this.view.slots[slot * slotInts + keyLengthField] === 0;
  }

  private isAt(slot: number, segment: number, offset: number): boolean {
    const { slots } = this.view;
    const at = slot * slotInts;
    if (slots[at + keyLengthField] === 0) return false;
    return slots[at + segmentField] === segment && slots[at + offsetField] === offset;
  }

  private readHeader(segment: number, offset: number) {
    const bytes = this.view.segments[segment] as Buffer;
    bytes.copy(this.headerBytes, 0, offset, offset + recordHeaderBytes);
    const { header } = this;
    return {
      slot: header[0] as number,
      keyLength: header[1] as number,
      valueLength: header[2] as number,
    };
  }

  private beginsWith(slot: number, start: Buffer): boolean {
    const { slots, segments } = this.view;
    const at = slot * slotInts;
    if ((slots[at + keyLengthField] as number) < start.length) return false;
    const from = (slots[at + offsetField] as number) + recordHeaderBytes;
    const bytes = segments[slots[at + segmentField] as number] as Buffer;
    return bytes.compare(start, 0, start.length, from, from + start.length) === 0;
  }

  private nameAt(slot: number): string {
    const { slots, segments } = this.view;
    const at = slot * slotInts;
    const start = (slots[at + offsetField] as number) + recordHeaderBytes;
    const bytes = segments[slots[at + segmentField] as number] as Buffer;
    return bytes.toString('utf8', start, start + (slots[at + keyLengthField] as number));
  }
}
