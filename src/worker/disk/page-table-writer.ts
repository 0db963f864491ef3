import { sampledSum } from '../sampled-sum.ts';
import { mix, type PageHash, type VersionHash } from './page-hash.ts';
import {
  bucketIn,
  entriesABucket,
  entryWords,
  field,
  head,
  leastBuckets,
  makeTable,
  maxReads,
  metaBits,
  type PagePlace,
  PageTable,
} from './page-table.ts';

/** What is put into the table of a page. */
export interface TableRow {
  readonly hash: PageHash;
  readonly path32: number;
  readonly offset: number;
  /** A multiple of 8. */
  readonly headerBytes: number;
  readonly pageBytes: number;
  /** Unix time. */
  readonly filledSeconds: number;
}

/** The table's one writer. Entries of one path hang together in a second chain, so that a path is forgotten without a search. */
export class PageTableWriter extends PageTable {
  private entryCount = 0;
  /** Entries that were ever in use: they are taken from the beginning on, so that memory grows with what is kept. */
  private usedEntries = 0;
  private firstFree = 0;

  constructor(maxEntries: number, seed: number) {
    super(makeTable(maxEntries, seed));
  }

  get count(): number {
    return this.entryCount;
  }

  get isFull(): boolean {
    return this.firstFree === 0 && this.usedEntries === this.layout.maxEntries;
  }

  /** The greatest entry number there may be at the moment. */
  get lastEntry(): number {
    return this.usedEntries;
  }

  /** The entry with this hash, also of an incarnation that was removed, and however old; 0 if there is none. */
  entryOf(hash: PageHash): number {
    return this.search(hash);
  }

  /** Makes an empty table as wide as so many entries need, instead of a bucket at a time. */
  reserve(count: number): void {
    if (this.usedEntries > 0) return;
    const buckets = Math.min(
      this.layout.maxBuckets,
      Math.max(leastBuckets, Math.ceil(count / entriesABucket)),
    );
    Atomics.store(this.words, head.buckets, buckets);
  }

  /** Adds a page whose hash is not in the table; the table is not full. Gives its entry. */
  insert(row: TableRow, folder: number, directory: number, region: number): number {
    const { words } = this;
    const entry = this.take();
    const at = this.at(entry);
    Atomics.add(words, at + field.version, 1);
    for (let i = 0; i < 4; i++) words[at + field.hash + i] = row.hash[i] as number;
    words[at + field.region] = region;
    words[at + field.offset] = row.offset;
    words[at + field.pageBytes] = row.pageBytes;
    words[at + field.meta] = (row.headerBytes / 8) | (directory << metaBits.directoryShift);
    words[at + field.filled] = row.filledSeconds;
    words[at + field.folder] = folder;
    words[at + field.path] = row.path32;
    const bucket = this.layout.buckets + this.bucketOf(row.hash[2]);
    words[at + field.next] = words[bucket] as number;
    Atomics.add(words, at + field.version, 1);
    Atomics.store(words, bucket, entry);
    this.linkPath(entry);
    this.entryCount++;
    this.grow();
    return entry;
  }

  /** Takes an entry away; its number may be given again. */
  remove(entry: number): void {
    const { words } = this;
    const at = this.at(entry);
    Atomics.add(words, head.structure, 1);
    Atomics.add(words, at + field.version, 1);
    const next = words[at + field.next] as number;
    let link = this.layout.buckets + this.bucketOf(words[at + field.hash + 2] as number);
    while (words[link] !== entry) link = this.at(words[link] as number) + field.next;
    Atomics.store(words, link, next);
    this.unlinkPath(entry);
    // The link stays as it is: a reader that stands here goes on, and looks again at the end.
    words.fill(0, at + field.hash, at + field.hash + 4);
    words[at + field.region] = 0;
    words[at + field.nextOfPath] = this.firstFree;
    this.firstFree = entry;
    this.entryCount--;
    Atomics.add(words, at + field.version, 1);
    Atomics.add(words, head.structure, 1);
  }

  /** The page's record lies elsewhere now, and counts one read less, or as many as before. */
  move(entry: number, region: number, offset: number, readsLess: 0 | 1 = 1): void {
    const { words } = this;
    const at = this.at(entry);
    Atomics.add(words, at + field.version, 1);
    words[at + field.region] = region;
    words[at + field.offset] = offset;
    if (readsLess === 1) this.forgetRead(entry);
    Atomics.add(words, at + field.version, 1);
  }

  /** The page of an entry that is in use. */
  placeAt(entry: number): PagePlace {
    const at = this.at(entry);
    const meta = this.words[at + field.meta] as number;
    return {
      entry,
      directory: meta >>> metaBits.directoryShift,
      region: this.regionOf(entry),
      offset: (this.words[at + field.offset] as number) >>> 0,
      headerBytes: (meta & metaBits.header) * 8,
      pageBytes: this.words[at + field.pageBytes] as number,
      filledSeconds: this.filledSecondsOf(entry),
    };
  }

  /** 0 if the entry is free. */
  regionOf(entry: number): number {
    return (this.words[this.at(entry) + field.region] as number) >>> 0;
  }

  directoryOf(entry: number): number {
    return (this.words[this.at(entry) + field.meta] as number) >>> metaBits.directoryShift;
  }

  /** The number of the page's folder. */
  folderOf(entry: number): number {
    return this.words[this.at(entry) + field.folder] as number;
  }

  filledSecondsOf(entry: number): number {
    return (this.words[this.at(entry) + field.filled] as number) >>> 0;
  }

  /** Takes one read back: it is judged as if it had been read once less. */
  forgetRead(entry: number): void {
    const { words } = this;
    if (this.readsOf(entry) > 0) Atomics.sub(words, this.at(entry) + field.meta, 1 << metaBits.readsShift);
  }

  path32Of(entry: number): number {
    return this.words[this.at(entry) + field.path] as number;
  }

  readsOf(entry: number): number {
    return ((this.words[this.at(entry) + field.meta] as number) >>> metaBits.readsShift) & maxReads;
  }

  /** 32 well mixed bits of the page's key. */
  fingerprintOf(entry: number): number {
    return (this.words[this.at(entry) + field.hash + 3] as number) >>> 0;
  }

  hashOf(entry: number): PageHash {
    const at = this.at(entry) + field.hash;
    return [...this.words.subarray(at, at + 4)] as unknown as PageHash;
  }

  isOfVersion(entry: number, version: VersionHash): boolean {
    const at = this.at(entry) + field.hash;
    return this.words[at] === version[0] && this.words[at + 1] === version[1];
  }

  /** The entries of a path. One of another path may be among them, by a chance of one in four thousand million. */
  entriesOfPath(path32: number): number[] {
    const found: number[] = [];
    let entry = this.words[this.layout.paths + this.bucketOf(path32)] as number;
    while (entry !== 0) {
      if (this.path32Of(entry) === path32) found.push(entry);
      entry = this.words[this.at(entry) + field.nextOfPath] as number;
    }
    return found;
  }

  /** About how many paths have entries, those of removed incarnations too until they are swept out. */
  pathCount(): number {
    const { words } = this;
    return sampledSum(words[head.buckets] as number, (bucket) => {
      const found = new Set<number>();
      let entry = words[this.layout.paths + bucket] as number;
      while (entry !== 0) {
        found.add(this.path32Of(entry));
        entry = words[this.at(entry) + field.nextOfPath] as number;
      }
      return found.size;
    });
  }

  /** Marks a folder's number as removed: from now on none of its pages is found. */
  setRemoved(folder: number, removed: boolean): void {
    const at = this.layout.removed + (folder >>> 5);
    const bit = 1 << (folder & 31);
    if (removed) Atomics.or(this.words, at, bit);
    else Atomics.and(this.words, at, ~bit);
  }

  /** Nobody else changes what it reads, so that plain loads do, which cost less. */
  protected override search(hash: PageHash): number {
    const { words } = this;
    let entry = words[this.layout.buckets + this.bucketOf(hash[2])] as number;
    while (entry !== 0) {
      const at = this.at(entry);
      if (this.hasHash(at, hash)) return entry;
      entry = words[at + field.next] as number;
    }
    return 0;
  }

  protected override bucketOf(word: number): number {
    return bucketIn(this.words[head.buckets] as number, mix(word ^ (this.words[head.seed] as number)));
  }

  private take(): number {
    const entry = this.firstFree;
    if (entry === 0) return ++this.usedEntries;
    this.firstFree = this.words[this.at(entry) + field.nextOfPath] as number;
    return entry;
  }

  private linkPath(entry: number): void {
    const { words } = this;
    const at = this.at(entry);
    const bucket = this.layout.paths + this.bucketOf(words[at + field.path] as number);
    const next = words[bucket] as number;
    words[at + field.nextOfPath] = next;
    words[at + field.previousOfPath] = 0;
    if (next !== 0) words[this.at(next) + field.previousOfPath] = entry;
    words[bucket] = entry;
  }

  private unlinkPath(entry: number): void {
    const { words } = this;
    const at = this.at(entry);
    const next = words[at + field.nextOfPath] as number;
    const previous = words[at + field.previousOfPath] as number;
    if (next !== 0) words[this.at(next) + field.previousOfPath] = previous;
    if (previous !== 0) words[this.at(previous) + field.nextOfPath] = next;
    else words[this.layout.paths + this.bucketOf(words[at + field.path] as number)] = next;
  }

  /** Takes one more bucket into use, if there are many entries for each, and splits the one whose entries it shares. */
  private grow(): void {
    const { words } = this;
    const buckets = words[head.buckets] as number;
    if (this.entryCount <= buckets * entriesABucket || buckets >= this.layout.maxBuckets) return;
    const source = buckets - (1 << (31 - Math.clz32(buckets)));
    const paths = this.chainOf(this.layout.paths + source, field.nextOfPath);
    const entries = this.chainOf(this.layout.buckets + source, field.next);
    Atomics.add(words, head.structure, 1);
    for (const entry of paths) this.unlinkPath(entry);
    Atomics.store(words, head.buckets, buckets + 1);
    for (const entry of paths.reverse()) this.linkPath(entry);
    this.relink(source, buckets, entries);
    Atomics.add(words, head.structure, 1);
  }

  private relink(source: number, added: number, entries: readonly number[]): void {
    const { words, layout } = this;
    words[layout.buckets + source] = 0;
    words[layout.buckets + added] = 0;
    for (const entry of entries) {
      const at = this.at(entry);
      const bucket = layout.buckets + this.bucketOf(words[at + field.hash + 2] as number);
      words[at + field.next] = words[bucket] as number;
      Atomics.store(words, bucket, entry);
    }
  }

  private chainOf(link: number, next: number): number[] {
    const chain: number[] = [];
    for (let entry = this.words[link] as number; entry !== 0; ) {
      chain.push(entry);
      entry = this.words[this.layout.entries + entry * entryWords + next] as number;
    }
    return chain;
  }
}
