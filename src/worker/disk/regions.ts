import type { OpenFile } from '../../ufs/file-system.ts';
import type { Queue } from '../admission.ts';
import { indexOverheadBytes, indexRowBytes, regionHeaderBytes } from './region-format.ts';

/**
 * `open`: records are appended; `sealing`: its index is being written; `sealed`: nothing is written any more; `unknown`: what is in it is
 * being found out; `leaving`: it is being given up.
 */
export type RegionState = 'open' | 'sealing' | 'sealed' | 'unknown' | 'leaving';

/** A region as the thread that writes knows it. */
export interface Region {
  readonly id: number;
  readonly queue: Queue;
  readonly marker: Buffer;
  /** The table's entries of its records, in their order; some may be gone or belong elsewhere by now. */
  readonly entries: EntryList;
  state: RegionState;
  /** The file it is written through. */
  file: OpenFile | undefined;
  /** Where the next record begins. */
  fileBytes: number;
  /** Bytes of its index, as it is or as it will be. */
  indexBytes: number;
  /** Pages in it that are wanted, and the bytes of their records. */
  livePages: number;
  liveBytes: number;
}

/** Numbers in the order they came in, four bytes each. */
export class EntryList {
  private numbers = new Uint32Array(16);
  private count = 0;

  get length(): number {
    return this.count;
  }

  at(index: number): number {
    return this.numbers[index] as number;
  }

  push(entry: number): void {
    if (this.count === this.numbers.length) this.resize(2 * this.count);
    this.numbers[this.count++] = entry;
  }

  /** Gives back what was taken in advance. */
  trim(): void {
    if (this.count < this.numbers.length) this.resize(Math.max(this.count, 1));
  }

  private resize(length: number): void {
    const numbers = new Uint32Array(length);
    numbers.set(this.numbers.subarray(0, this.count));
    this.numbers = numbers;
  }
}

export function newRegion(
  id: number,
  queue: Queue,
  marker: Buffer,
  parts: Pick<Region, 'state' | 'file' | 'fileBytes'>,
): Region {
  const indexBytes = indexOverheadBytes(0);
  return { id, queue, marker, entries: new EntryList(), indexBytes, livePages: 0, liveBytes: 0, ...parts };
}

/** Room in a directory that a new region takes before its first record. */
export const emptyRegionBytes = regionHeaderBytes + indexOverheadBytes(0);
/** A region of which less is wanted is given up before any other, and what is wanted carried: half of it at least is gained. */
const hollowPart = 1 / 2;
/** Bytes that a record takes in the index, with the name of its folder counted for each: an estimate from above. */
export const rowBytes = indexRowBytes;

/** The regions of a directory, the oldest first, and the bytes they take. */
export class Regions {
  private readonly byId = new Map<number, Region>();
  private readonly taken = { small: 0, main: 0 };
  private largestIndexBytes = 0;

  get usage(): { readonly smallBytes: number; readonly mainBytes: number } {
    return { smallBytes: this.taken.small, mainBytes: this.taken.main };
  }

  get totalBytes(): number {
    return this.taken.small + this.taken.main;
  }

  /** What all records of one region take beside themselves where they are carried to, at most: two regions, and the indexes of both. */
  get besideCarriedBytes(): number {
    return 2 * (emptyRegionBytes + this.largestIndexBytes);
  }

  get count(): number {
    return this.byId.size;
  }

  get(id: number): Region | undefined {
    return this.byId.get(id);
  }

  all(): Region[] {
    return [...this.byId.values()];
  }

  /** The smallest number of a region. */
  get oldestId(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const id of this.byId.keys()) oldest = Math.min(oldest, id);
    return oldest;
  }

  add(region: Region): void {
    this.byId.set(region.id, region);
    this.taken[region.queue] += region.fileBytes + region.indexBytes;
    this.largestIndexBytes = Math.max(this.largestIndexBytes, region.indexBytes);
  }

  grow(region: Region, fileBytes: number, indexBytes: number): void {
    region.fileBytes += fileBytes;
    region.indexBytes += indexBytes;
    this.largestIndexBytes = Math.max(this.largestIndexBytes, region.indexBytes);
    if (this.byId.has(region.id)) this.taken[region.queue] += fileBytes + indexBytes;
  }

  delete(region: Region): void {
    if (this.byId.delete(region.id)) this.taken[region.queue] -= region.fileBytes + region.indexBytes;
  }

  /** The oldest region of the queue that nothing is written to any more. */
  oldest(queue: Queue): Region | undefined {
    let oldest: Region | undefined;
    for (const region of this.byId.values()) {
      if (region.state !== 'sealed' || region.queue !== queue) continue;
      if (!oldest || region.id < oldest.id) oldest = region;
    }
    return oldest;
  }

  /** Whether there is one that can be given up. */
  get canShrink(): boolean {
    return this.all().some(({ state }) => state === 'sealed' || state === 'open');
  }

  /** The oldest region that nothing is written to any more, of the queue if it has one, otherwise of the other. */
  victim(queue: Queue): Region | undefined {
    return this.oldest(queue) ?? this.oldest(queue === 'small' ? 'main' : 'small');
  }

  /** One that nothing is written to any more and of which the least is wanted, if that is less than half. */
  get hollowest(): Region | undefined {
    let hollowest: Region | undefined;
    let least = hollowPart;
    for (const region of this.byId.values()) {
      const wanted = region.liveBytes / region.fileBytes;
      if (region.state !== 'sealed' || wanted >= least) continue;
      least = wanted;
      hollowest = region;
    }
    return hollowest;
  }

  clear(): void {
    this.byId.clear();
    this.taken.small = 0;
    this.taken.main = 0;
  }
}
