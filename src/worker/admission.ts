import { Ghost } from './ghost.ts';

export type Queue = 'small' | 'main';

/** Bytes of the regions that each queue has, the open ones and what is lost in them included. */
export interface QueueUsage {
  readonly smallBytes: number;
  readonly mainBytes: number;
  readonly capacityBytes: number;
}

/**
 * Decides what stays in a store that packs entries into regions, one after the other, and gives up whole regions, the oldest of a queue
 * first. The store counts the reads of an entry while it lies in its region, up to three (two bits): neither the read that filled
 * it nor those that go on where the one before ended count, so that one pass over a page in many ranges is no proof that it is hot.
 */
export interface AdmissionPolicy {
  /** Where a new entry goes. `fingerprint`: 32 well mixed bits of its key; `isLoad`: nobody has asked for it yet. */
  admit(fingerprint: number, bytes: number, isLoad?: boolean): Queue;
  /**
   * Which queue gives up its oldest region next. If that one has no region but the open one, the other does; but where `small` is to make room for
   * a load and has none at all, there is no room for it.
   */
  victim(usage: QueueUsage, isForLoad?: boolean): Queue;
  /**
   * What becomes of an entry of a region that is given up, asked once for each that is still wanted: `carry` writes it into `main` with one
   * read less.
   */
  judge(
    queue: Queue,
    fingerprint: number,
    bytes: number,
    reads: number,
    isForLoad?: boolean,
  ): 'carry' | 'drop';
}

export interface AdmissionSettings {
  readonly capacityBytes: number;
  /** Entries that fill the capacity, about. It sizes what is remembered of dropped ones: 17 bytes of memory each. */
  readonly expectedEntries: number;
}

/** The part of the capacity that newcomers have: at least (as in the paper), and at most, when what they lose to others is asked for again. */
const leastSmallShare = 0.1;
const mostSmallShare = 0.5;
/** Reads in the small queue that earn a place in the main one. A single one may belong to the fill: a reader's second look. */
const readsToEnter = 2;
/** Reads in one turn of the main queue that earn another. With one, half as much again is carried for a third of a point of hits. */
const readsToStay = 2;
/** How long dropped names are remembered: until so much more has been dropped from the same queue, in parts of the capacity. */
const smallGhostShare = 0.9;
const mainGhostShare = 0.5;
/**
 * A newcomer that comes back too late widens the small queue by so many times its length; what comes back after main dropped it narrows the
 * queue by more. A steady popularity has about twice as many of the first kind: with a smaller ratio the queue widens for nothing.
 */
const widening = 4;
const narrowing = 10;
/** Bytes that may be carried within main for each byte that is dropped from it, and ahead of that, in parts of the capacity. */
const carriedPerDropped = 4;
const carryAheadShare = 0.1;

/**
 * S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023) for regions. Newcomers pass through a small queue; what is
 * read again there, or comes back soon after it was dropped, reaches the main queue, where it stays as long as it is read. A scan flows
 * through the small queue and leaves the main one alone.
 *
 * Beyond the paper: the small queue widens while newcomers return that a wider one would have kept, which is what happens when
 * popularity moves; and what is carried is bounded by what is dropped, so that making room never rewrites the store.
 * A load takes the place of what nobody reads, and of nothing else: its entries are newcomers each time they come, whether they were dropped before or
 * not, and main makes room for them before other newcomers do. What is read there is carried, within a bound of its own that is wide enough for
 * one turn of main; beyond it there is nothing that nobody reads, and the small queue alone makes room.
 *
 * It uses no clock and no chance: the same calls give the same answers. Its memory is fixed.
 */
export class S3FifoAdmission implements AdmissionPolicy {
  private readonly capacityBytes: number;
  private readonly droppedFromSmall: Ghost;
  private readonly droppedFromMain: Ghost;
  private smallShare = leastSmallShare;
  /** Bytes admitted before the first region was given up. */
  private admittedBytes = 0;
  private filled = false;
  /** Bytes that may still be carried within main; below zero by less than an entry. */
  private carryCredit: number;
  /** The same where the room is for a load. */
  private loadCredit: number;

  constructor({ capacityBytes, expectedEntries }: AdmissionSettings) {
    this.capacityBytes = capacityBytes;
    this.droppedFromSmall = ghostOf(smallGhostShare, capacityBytes, expectedEntries);
    this.droppedFromMain = ghostOf(mainGhostShare, capacityBytes, expectedEntries);
    this.carryCredit = capacityBytes * carryAheadShare;
    this.loadCredit = capacityBytes;
  }

  /** Bytes of memory it has, for good. */
  get memoryBytes(): number {
    return this.droppedFromSmall.memoryBytes + this.droppedFromMain.memoryBytes;
  }

  admit(fingerprint: number, bytes: number, isLoad = false): Queue {
    if (isLoad && this.filled) {
      this.loadCredit = Math.min(this.capacityBytes, this.loadCredit + bytes);
      return 'small';
    }
    if (this.droppedFromMain.take(fingerprint)) this.widen(-narrowing * bytes);
    if (this.droppedFromSmall.take(fingerprint)) {
      this.widen(widening * bytes);
      return 'main';
    }
    if (this.filled) return 'small';
    // While nothing has to go, what the small queue has no room for costs nobody a place in the main one.
    this.admittedBytes += bytes;
    return this.admittedBytes > this.capacityBytes * leastSmallShare ? 'main' : 'small';
  }

  victim({ smallBytes, capacityBytes }: QueueUsage, isForLoad = false): Queue {
    this.filled = true;
    if (isForLoad) return this.loadCredit > 0 ? 'main' : 'small';
    return smallBytes > capacityBytes * this.smallShare ? 'small' : 'main';
  }

  judge(
    queue: Queue,
    fingerprint: number,
    bytes: number,
    reads: number,
    isForLoad = false,
  ): 'carry' | 'drop' {
    if (queue === 'small') {
      if (reads >= readsToEnter) return 'carry';
      this.droppedFromSmall.remember(fingerprint, bytes);
      return 'drop';
    }
    if (reads >= readsToStay && (isForLoad || this.carryCredit >= 0)) {
      if (isForLoad) this.loadCredit -= bytes;
      else this.carryCredit -= bytes;
      return 'carry';
    }
    const most = this.capacityBytes * carryAheadShare;
    this.carryCredit = Math.min(most, this.carryCredit + carriedPerDropped * bytes);
    this.loadCredit = Math.min(this.capacityBytes, this.loadCredit + carriedPerDropped * bytes);
    this.droppedFromMain.remember(fingerprint, bytes);
    return 'drop';
  }

  private widen(bytes: number): void {
    const share = this.smallShare + bytes / this.capacityBytes;
    this.smallShare = Math.min(mostSmallShare, Math.max(leastSmallShare, share));
  }
}

function ghostOf(share: number, capacityBytes: number, expectedEntries: number): Ghost {
  return new Ghost({ windowBytes: capacityBytes * share, entries: expectedEntries * share });
}
