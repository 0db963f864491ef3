import { assert } from '../../src/common/assert.ts';
import type { AdmissionPolicy, Queue } from '../../src/worker/admission.ts';

/** Reads are counted up to here: two bits. */
const maxReads = 3;
/** With fewer regions, those that are open or kept free are most of the cache. */
const leastRegions = 8;

interface Region {
  readonly queue: Queue;
  readonly ids: number[];
  usedBytes: number;
}

export interface RegionCacheSettings {
  readonly capacityBytes: number;
  /** At least 8. */
  readonly regionCount: number;
}

/**
 * A page store without the bytes: entries are appended to the open region of the queue that the policy names, and where no region is free the
 * policy's victim is given up. One region stays free, for what is carried.
 */
export class RegionCache {
  /** Bytes appended because they were not there. */
  filledBytes = 0;
  /** Bytes appended once more because the policy wanted them kept. */
  carriedBytes = 0;
  private readonly policy: AdmissionPolicy;
  private readonly sizes: Uint32Array;
  private readonly capacityBytes: number;
  private readonly regionBytes: number;
  private freeCount: number;
  /** Regions that are full, the oldest first. */
  private readonly full: Record<Queue, Region[]> = { small: [], main: [] };
  private readonly open: Record<Queue, Region | undefined> = { small: undefined, main: undefined };
  /** By entry number: 1 if it lies in a region. */
  private readonly present: Uint8Array;
  private readonly reads: Uint8Array;

  constructor(
    policy: AdmissionPolicy,
    sizes: Uint32Array,
    { capacityBytes, regionCount }: RegionCacheSettings,
  ) {
    assert(regionCount >= leastRegions, `a cache of regions needs ${leastRegions} of them`);
    this.policy = policy;
    this.sizes = sizes;
    this.capacityBytes = capacityBytes;
    this.regionBytes = Math.floor(capacityBytes / regionCount);
    this.freeCount = regionCount;
    this.present = new Uint8Array(sizes.length);
    this.reads = new Uint8Array(sizes.length);
  }

  /** True if the entry was there; it is afterwards, if it fits into a region. */
  read(id: number): boolean {
    if (this.present[id] === 1) {
      this.reads[id] = Math.min(maxReads, this.readsOf(id) + 1);
      return true;
    }
    const bytes = this.sizes[id] ?? 0;
    if (bytes > this.regionBytes) return false;
    const queue = this.policy.admit(fingerprintOf(id), bytes);
    if (!this.hasRoom(queue, bytes)) while (this.freeCount < 2) this.giveUpRegion();
    this.reads[id] = 0;
    this.filledBytes += bytes;
    this.append(queue, id, bytes);
    return false;
  }

  private readsOf(id: number): number {
    return this.reads[id] ?? 0;
  }

  private hasRoom(queue: Queue, bytes: number): boolean {
    const region = this.open[queue];
    return region !== undefined && region.usedBytes + bytes <= this.regionBytes;
  }

  private append(queue: Queue, id: number, bytes: number): void {
    if (!this.hasRoom(queue, bytes)) {
      const full = this.open[queue];
      if (full) this.full[queue].push(full);
      this.freeCount--;
      assert(this.freeCount >= 0, 'there is a region for what is appended');
      this.open[queue] = { queue, ids: [], usedBytes: 0 };
    }
    const region = this.open[queue] as Region;
    region.ids.push(id);
    region.usedBytes += bytes;
    this.present[id] = 1;
  }

  private bytesOf(queue: Queue): number {
    return (this.full[queue].length + (this.open[queue] ? 1 : 0)) * this.regionBytes;
  }

  private takeVictim(): Region {
    const queue = this.policy.victim({
      smallBytes: this.bytesOf('small'),
      mainBytes: this.bytesOf('main'),
      capacityBytes: this.capacityBytes,
    });
    const region = this.full[queue].shift() ?? this.full[queue === 'small' ? 'main' : 'small'].shift();
    assert(region, 'of many regions at most two are open');
    return region;
  }

  private giveUpRegion(): void {
    const { queue, ids } = this.takeVictim();
    for (const id of ids) {
      const bytes = this.sizes[id] ?? 0;
      this.present[id] = 0;
      if (this.policy.judge(queue, fingerprintOf(id), bytes, this.readsOf(id)) === 'drop') continue;
      this.reads[id] = Math.max(0, this.readsOf(id) - 1);
      this.carriedBytes += bytes;
      this.append('main', id, bytes);
    }
    this.freeCount++;
  }
}

/** 32 well mixed bits of a number: the last step of MurmurHash3. */
export function fingerprintOf(id: number): number {
  let mixed = (id + 1) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
