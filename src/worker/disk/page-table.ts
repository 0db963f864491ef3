import { mix, type PageHash } from './page-hash.ts';

/** Where a page's record lies. */
export interface PagePlace {
  /** The entry's number in the table: stable while the page is there. */
  readonly entry: number;
  /** Which of the store's directories. */
  readonly directory: number;
  readonly region: number;
  /** Of the record in the region's file. */
  readonly offset: number;
  readonly headerBytes: number;
  readonly pageBytes: number;
  /** When the page was filled, Unix time. */
  readonly filledSeconds: number;
}

/** Words of an entry. Links are entry numbers, of which 0 is none. */
export const field = {
  /** Odd while the entry is being changed. */
  version: 0,
  /** The next entry of the bucket. */
  next: 1,
  hash: 2,
  /** 0 of an entry that is free. */
  region: 6,
  offset: 7,
  pageBytes: 8,
  /** Header length in units of 8 bytes (13 bits), none (1), reads (2), directory (6). */
  meta: 9,
  folder: 10,
  path: 11,
  nextOfPath: 12,
  previousOfPath: 13,
  filled: 14,
} as const;
export const entryWords = 15;

export const metaBits = { header: 0x1fff, readsShift: 14, directoryShift: 16 } as const;
export const maxReads = 3;
export const maxHeaderBytes = metaBits.header * 8;
export const maxDirectories = 64;
/** Folders that have pages, at most: one bit each says whether its incarnation was removed. */
export const maxFolders = 512 * 1024;

/** Words of the table's own head. */
export const head = {
  magic: 0,
  maxEntries: 1,
  maxBuckets: 2,
  seed: 3,
  /** Buckets in use. */
  buckets: 4,
  /** Odd while a chain is being changed such that a reader might miss an entry in it. */
  structure: 5,
} as const;
const headWords = 64;
export const leastBuckets = 64;
/** Entries for each bucket, on the average, above which another bucket is taken into use. */
export const entriesABucket = 2;
const magic = 0x46425032;

/** Where the parts of a table begin, in words. */
export interface TableLayout {
  readonly maxEntries: number;
  readonly maxBuckets: number;
  readonly removed: number;
  readonly buckets: number;
  readonly paths: number;
  readonly entries: number;
  readonly totalWords: number;
}

export function tableLayout(maxEntries: number): TableLayout {
  const maxBuckets = Math.max(leastBuckets, Math.ceil(maxEntries / entriesABucket));
  const removed = headWords;
  const buckets = removed + maxFolders / 32;
  const paths = buckets + maxBuckets;
  const entries = paths + maxBuckets;
  const totalWords = entries + (maxEntries + 1) * entryWords;
  return { maxEntries, maxBuckets, removed, buckets, paths, entries, totalWords };
}

/** An empty table. The system gives its memory as it is used. */
export function makeTable(maxEntries: number, seed: number): SharedArrayBuffer {
  const { maxBuckets, totalWords } = tableLayout(maxEntries);
  const memory = new SharedArrayBuffer(totalWords * 4);
  const words = new Int32Array(memory);
  words[head.maxEntries] = maxEntries;
  words[head.maxBuckets] = maxBuckets;
  words[head.seed] = seed;
  words[head.buckets] = leastBuckets;
  words[head.magic] = magic;
  return memory;
}

const attempts = 8;
/** How long a look-up waits for a writer that the system has put aside in the middle of a change. */
const waitMs = 1;
const maxSteps = 4096;

/**
 * Which pages there are and where, in memory that threads share: a hash table by linear hashing, which grows by one bucket at a time.
 * One thread changes it (`PageTableWriter`); every thread may look up, without locks: an entry carries a version that is odd while it
 * is written, and a look-up that finds nothing while chains were changed looks again.
 */
export class PageTable {
  readonly memory: SharedArrayBuffer;
  protected readonly words: Int32Array;
  protected readonly layout: TableLayout;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.words = new Int32Array(memory);
    if (this.words[head.magic] !== magic) throw new Error('this is no page table');
    this.layout = tableLayout(this.words[head.maxEntries] as number);
  }

  /** Where the page is, or undefined. What is there is to be checked against the key: entries are found by hash. */
  find(hash: PageHash): PagePlace | undefined {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const before = Atomics.load(this.words, head.structure);
      const entry = this.search(hash);
      if (entry !== 0) {
        const place = this.placeOf(entry, hash);
        if (place !== 'changed') return place;
      } else if ((before & 1) === 1) {
        Atomics.wait(this.words, head.structure, before, waitMs);
      } else if (Atomics.load(this.words, head.structure) === before) {
        return undefined;
      }
    }
    // The table does not stand still: a miss is always a right answer.
    return undefined;
  }

  /** Counts a read of the page, up to three. Any thread may. */
  touch(entry: number): void {
    const at = this.at(entry) + field.meta;
    const meta = Atomics.load(this.words, at);
    if (((meta >>> metaBits.readsShift) & maxReads) === maxReads) return;
    // If another thread was faster, its read stands for both.
    Atomics.compareExchange(this.words, at, meta, meta + (1 << metaBits.readsShift));
  }

  /** True if the incarnation of the folder with this number was removed. */
  isRemoved(folder: number): boolean {
    const word = Atomics.load(this.words, this.layout.removed + (folder >>> 5));
    return ((word >>> (folder & 31)) & 1) === 1;
  }

  /** The entry with this hash, or 0. */
  protected search(hash: PageHash): number {
    const { words } = this;
    let entry = Atomics.load(words, this.layout.buckets + this.bucketOf(hash[2]));
    for (let step = 0; entry !== 0 && step < maxSteps; step++) {
      const at = this.at(entry);
      if (this.hasHash(at, hash)) return entry;
      entry = Atomics.load(words, at + field.next);
    }
    return 0;
  }

  protected hasHash(at: number, hash: PageHash): boolean {
    const { words } = this;
    return (
      words[at + field.hash + 2] === hash[2] &&
      words[at + field.hash + 3] === hash[3] &&
      words[at + field.hash] === hash[0] &&
      words[at + field.hash + 1] === hash[1]
    );
  }

  /** The bucket of a hash word, as many as there are in use now. The seed keeps it from being chosen from outside. */
  protected bucketOf(word: number): number {
    return bucketIn(Atomics.load(this.words, head.buckets), mix(word ^ (this.words[head.seed] as number)));
  }

  protected at(entry: number): number {
    return this.layout.entries + entry * entryWords;
  }

  private placeOf(entry: number, hash: PageHash): PagePlace | undefined | 'changed' {
    const { words } = this;
    const at = this.at(entry);
    const version = Atomics.load(words, at + field.version);
    if (version & 1) return 'changed';
    // Atomic, since plain loads might be put off until after the second look at the version.
    const region = Atomics.load(words, at + field.region);
    const offset = Atomics.load(words, at + field.offset);
    const pageBytes = Atomics.load(words, at + field.pageBytes);
    const meta = Atomics.load(words, at + field.meta);
    const filledSeconds = Atomics.load(words, at + field.filled) >>> 0;
    const same = this.hasHash(at, hash);
    // Before that look too: once its entries are gone, a folder's number is not a removed one any more.
    const removed = this.isRemoved(Atomics.load(words, at + field.folder));
    if (!same || Atomics.load(words, at + field.version) !== version) return 'changed';
    if (removed) return undefined;
    return {
      entry,
      directory: meta >>> metaBits.directoryShift,
      region: region >>> 0,
      offset: offset >>> 0,
      headerBytes: (meta & metaBits.header) * 8,
      pageBytes,
      filledSeconds,
    };
  }
}

/** Linear hashing: with `buckets` between L and 2 L in use, those below `buckets - L` are split already. */
export function bucketIn(buckets: number, hash: number): number {
  const level = 1 << (31 - Math.clz32(buckets));
  const bucket = hash & (2 * level - 1);
  return bucket < buckets ? bucket : bucket & (level - 1);
}
