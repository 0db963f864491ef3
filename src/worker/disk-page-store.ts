import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Mutants } from '../common/mutants.ts';
import { nextTurn } from '../common/next-turn.ts';
import { type Random, systemRandom } from '../common/random.ts';
import type { FileSystem } from '../ufs/file-system.ts';
import { NodeFileSystem } from '../ufs/node-file-system.ts';
import { removeFormerLayout } from './disk/former-layout.ts';
import { Incarnations } from './disk/incarnations.ts';
import { PageBook } from './disk/page-book.ts';
import { PageDirectory } from './disk/page-directory.ts';
import type { PageFault, PageFaultError } from './disk/page-fault.ts';
import { PageHasher } from './disk/page-hash.ts';
import { maxHeaderBytes, type PagePlace } from './disk/page-table.ts';
import { PageTableWriter } from './disk/page-table-writer.ts';
import { type KeepOptions, PageWrite } from './disk/page-write.ts';
import { RecordReader } from './disk/record-reader.ts';
import { RegionFiles } from './disk/region-files.ts';
import { Scrubber } from './disk/scrubber.ts';
import { DiskPageReader } from './disk-page-reader.ts';
import type { Loans } from './loans.ts';
import type { PageKey, PageStore } from './page-store.ts';

export interface DiskDirectory {
  readonly path: string;
  /** Bytes of all files in it. */
  readonly capacityBytes: number;
}

export interface DiskPageStoreSettings {
  /** Folders that pages lie in: one for each disk. */
  readonly directories: readonly DiskDirectory[];
  /** Pages, and so memory for knowing them; by default one for each 2 KiB of capacity. */
  readonly maxPages?: number;
  readonly maxOpenFiles?: number;
  /** Pages being written or waiting for it; beyond, pages are not kept. */
  readonly maxPendingWrites?: number;
  /** How long nothing is written to a folder after its disk was full or failed; then it is tried again, and so on. */
  readonly bypassMs?: number;
  /** Length of a region's file; by default a 32nd of the capacity, at most 256 MiB. */
  readonly regionBytes?: number;
  /** What is to stay free on a file system; of a small one at most a twentieth. */
  readonly minFreeBytes?: number;
  /** Bytes of pages that are read each second to find damage; 0: none. */
  readonly scrubBytesPerSecond?: number;
  /**
   * The incarnations whose pages are wanted, as of now; without it all are. Asked whenever more of what lies on the disks has come to be
   * known, since some may have been removed while no process was there to be told.
   */
  readonly wanted?: () => ReadonlySet<string>;
  readonly mutants?: Mutants;
}

/** A folder that nothing is kept in at the moment. */
export interface PassedByFolder {
  readonly path: string;
  readonly reason: PageFault;
  /** What the system said. */
  readonly message: string;
}

const MiB = 1024 * 1024;
const maxRegionBytes = 256 * MiB;
const regionsADirectory = 32;
const bytesAPage = 2048;
const leastMaxPages = 4096;
const mostMaxPages = 2 ** 26;
/** Entries of the table that are looked at in one go when a mount's pages are swept out of it. */
const sweptAtOnce = 65_536;

type CompleteSettings = Required<Omit<DiskPageStoreSettings, 'wanted'>> &
  Pick<DiskPageStoreSettings, 'wanted'>;

/**
 * Pages in regions, files that are only ever appended to, of one or more directories; which pages there are is known in a table in memory.
 * A record that a crash tore is found out by its checksums and is absent.
 */
export class DiskPageStore implements PageStore {
  private readonly metrics: Metrics;
  private readonly log: Log;
  private readonly settings: CompleteSettings;
  private readonly fs: FileSystem;
  private readonly hasher = new PageHasher();
  private readonly book: PageBook;
  private readonly files: RegionFiles;
  private readonly pages: DiskPageReader;
  private readonly directories: readonly PageDirectory[];
  private readonly scrubber: Scrubber;
  private readonly pending = new Set<PageWrite>();
  private sweeping: Promise<void> | undefined;
  private sweepIsDue = false;
  private cleaning: Promise<unknown> = Promise.resolve();
  private closed = false;

  /**
   * Serves at once what indexes tell, and finds out the rest meanwhile. A folder that cannot be used is no failure: no page of it
   * is there then, and it is tried again every `bypassMs`.
   */
  static async open(
    clock: Clock,
    metrics: Metrics,
    log: Log,
    settings: DiskPageStoreSettings,
    fs: FileSystem = new NodeFileSystem(),
    random: Random = systemRandom,
  ): Promise<DiskPageStore> {
    const store = new DiskPageStore(clock, random, metrics, log, fs, {
      ...defaultsFor(settings),
      ...settings,
    });
    for (const directory of store.directories) await directory.open();
    store.begin();
    return store;
  }

  private constructor(
    clock: Clock,
    random: Random,
    metrics: Metrics,
    log: Log,
    fs: FileSystem,
    settings: CompleteSettings,
  ) {
    this.metrics = metrics;
    this.log = log;
    this.fs = fs;
    this.settings = settings;
    const table = new PageTableWriter(settings.maxPages, Math.floor(random.next() * 2 ** 32) | 0);
    const book = new PageBook(table, new Incarnations(table));
    this.book = book;
    const paths = settings.directories.map(({ path }) => path);
    this.files = new RegionFiles(fs, paths, settings.maxOpenFiles);
    this.pages = new DiskPageReader(clock, this.files, table, {
      mutants: settings.mutants,
      isReadable: (directory) => this.directories[directory]?.isReadable === true,
      onFault: (place, fault) => this.readFailed(place, fault),
    });
    const { files, hasher } = this;
    const reader = new RecordReader(clock, files, settings.mutants);
    const sweep = (entry: number) => this.directoryOf(entry)?.sweep(entry);
    const loaded = () => this.dropUnwanted();
    const parts = { clock, random, metrics, log, fs, book, hasher, files, reader, sweep, loaded };
    this.directories = settings.directories.map(({ path, capacityBytes }, directory) => {
      const { bypassMs, minFreeBytes } = settings;
      const regionBytes = Math.min(settings.regionBytes, Math.floor(capacityBytes / regionsADirectory));
      const unsyncedBytes = 32 * MiB;
      return new PageDirectory(parts, {
        directory,
        path,
        capacityBytes,
        regionBytes,
        minFreeBytes,
        unsyncedBytes,
        bypassMs,
      });
    });
    this.scrubber = new Scrubber(clock, metrics, this.directories, table, reader, {
      bytesPerSecond: settings.scrubBytesPerSecond,
      onBad: (place, fault) => this.readFailed(place, fault),
    });
  }

  /** Bytes of pages that can be read, with their headers; the files may hold more, which is not wanted any more. */
  get usage() {
    return {
      ...this.book.usage,
      capacityBytes: this.settings.directories.reduce((sum, { capacityBytes }) => sum + capacityBytes, 0),
    };
  }

  /** Bytes of all files. */
  get usedBytes(): number {
    return this.directories.reduce((sum, directory) => sum + directory.usedBytes, 0);
  }

  /** Region files that are open for reading at the moment. */
  get openFileCount(): number {
    return this.files.count;
  }

  /** False while some directory is passed by. */
  get isUp(): boolean {
    return this.directories.every((directory) => directory.isUp);
  }

  /** The folders that are passed by. */
  get passedBy(): readonly PassedByFolder[] {
    return this.directories.flatMap(({ path, reasonDown }) =>
      reasonDown ? [{ path, reason: reasonDown.reason, message: reasonDown.message }] : [],
    );
  }

  /** What another thread needs to read pages by itself: a `DiskPageReader` over a `PageTable` in this memory and `RegionFiles` of its own. */
  get tableMemory(): SharedArrayBuffer {
    return this.book.table.memory;
  }

  /** Resolves when nothing is going on that was not asked for: regions without an index have been read, and room been made. */
  async settled(): Promise<void> {
    await this.cleaning;
    await this.sweeping;
    for (const directory of this.directories) await directory.idle();
  }

  async read(key: PageKey, start: number, end: number, loans?: Loans): Promise<Buffer | undefined> {
    return this.closed ? undefined : this.pages.read(key, start, end, loans);
  }

  readNow(): undefined {
    return undefined;
  }

  has(key: PageKey): boolean {
    return this.pageBytesOf(key) !== undefined;
  }

  hasSome(incarnation: string, path: string): boolean {
    const { table } = this.book;
    const entries = table.entriesOfPath(this.hasher.path32(incarnation, path));
    return entries.some((entry) => !table.isRemoved(table.incarnationOf(entry)));
  }

  /** The length of a page that is there. */
  pageBytesOf(key: PageKey): number | undefined {
    return this.closed ? undefined : this.pages.find(key)?.pageBytes;
  }

  async write(key: PageKey, ...pieces: readonly Buffer[]): Promise<void> {
    await this.keep(key, pieces);
  }

  /** As `write`, with what is to be known of the page. */
  async keep(key: PageKey, pieces: readonly Buffer[], options: KeepOptions = {}): Promise<void> {
    if (this.closed || this.pending.size >= this.settings.maxPendingWrites) return;
    const hash = this.hasher.page(key);
    const directory = this.directoryFor((hash[3] as number) >>> 0);
    if (!directory || this.book.has(hash)) return;
    const write = new PageWrite(key, hash, this.hasher.path32(key.incarnation, key.path), pieces, options);
    if (write.bytes - write.record.header.pageBytes > maxHeaderBytes) return;
    this.pending.add(write);
    try {
      await directory.write(write);
    } finally {
      this.pending.delete(write);
      this.measure();
    }
  }

  /** When it resolves, no removed page comes back, not even after a power loss, unless a disk could not be written to. */
  async remove(incarnation: string, path: string, keepGeneration?: string): Promise<void> {
    const path32 = this.hasher.path32(incarnation, path);
    const kept =
      keepGeneration === undefined ? undefined : this.hasher.version(incarnation, path, keepGeneration);
    const { table } = this.book;
    const cancelled = this.cancel(
      ({ key }) => key.incarnation === incarnation && key.path === path && key.generation !== keepGeneration,
    );
    for (const directory of this.directories) directory.pathRemoved(path32, kept);
    for (const entry of table.entriesOfPath(path32)) {
      if (!kept || !table.isOfVersion(entry, kept)) this.directoryOf(entry)?.drop(entry);
    }
    await Promise.all(cancelled);
    await this.removalsDurable();
  }

  /** As `remove`. The pages are absent at once; what is kept in memory of them goes in the background. */
  async removeIncarnation(incarnation: string): Promise<void> {
    const cancelled = this.cancel(({ key }) => key.incarnation === incarnation);
    const hadPages = this.book.incarnations.remove(incarnation) || cancelled.length > 0;
    for (const directory of this.directories) directory.incarnationRemoved(incarnation, hadPages);
    this.sweep();
    await Promise.all(cancelled);
    await this.removalsDurable();
  }

  /** Ends after the writes under way; the next start finds an index of every region then. */
  async close(): Promise<void> {
    this.closed = true;
    await this.scrubber.close();
    await this.cleaning;
    await this.sweeping;
    for (const directory of this.directories) await directory.close();
    this.files.closeAll();
  }

  /** Has pages dropped that are being written; resolves when they have been. */
  private cancel(isUnwanted: (write: PageWrite) => boolean): Promise<void>[] {
    const cancelled = [...this.pending].filter(isUnwanted);
    for (const write of cancelled) write.cancelled = true;
    return cancelled.map((write) => write.done);
  }

  private begin(): void {
    const { fs, log } = this;
    this.cleaning = Promise.all(
      this.settings.directories.map(({ path }) => removeFormerLayout(fs, log, path, () => this.closed)),
    );
    this.scrubber.begin();
    this.measure();
  }

  private readFailed(place: PagePlace, fault: PageFaultError): void {
    const directory = this.directories[place.directory] as PageDirectory;
    if (fault.reason !== 'expired') {
      this.metrics.pageStoreErrors.inc({ reason: fault.reason });
      const { path } = directory;
      this.log.warn({ err: fault, path, region: place.region }, 'a page cannot be read and is given up');
    }
    if (fault.reason === 'missing') directory.regionLost(place.region);
    else if (fault.lasting) {
      directory.drop(place.entry);
      directory.wake();
    }
    this.measure();
  }

  /** The directory that a page goes to, by its hash and the capacities; the next one that is up, if that is not. */
  private directoryFor(fingerprint: number): PageDirectory | undefined {
    const up = this.directories.filter((directory) => directory.isUp);
    const total = up.reduce((sum, { capacityBytes }) => sum + capacityBytes, 0);
    let at = (fingerprint / 2 ** 32) * total;
    for (const directory of up) {
      if (at < directory.capacityBytes) return directory;
      at -= directory.capacityBytes;
    }
    return up[0];
  }

  private directoryOf(entry: number): PageDirectory | undefined {
    return this.directories[this.book.table.directoryOf(entry)];
  }

  private async removalsDurable(): Promise<void> {
    this.measure();
    const waiting = this.directories.filter((directory) => directory.hasUncommitted);
    await Promise.all(waiting.map((directory) => directory.removalsDurable()));
  }

  private dropUnwanted(): void {
    const wanted = this.settings.wanted?.();
    const unwanted = wanted ? this.book.incarnations.names().filter((name) => !wanted.has(name)) : [];
    if (unwanted.length > 0) {
      this.log.info({ count: unwanted.length }, 'pages of mounts and buckets that are gone are dropped');
    }
    for (const name of unwanted) void this.removeIncarnation(name);
    this.sweep();
  }

  /** Takes the entries of removed incarnations out of the table, a piece at a time. Those of a directory that is being loaded go afterwards. */
  private sweep(): void {
    if (!this.book.incarnations.needsSweep) return;
    this.sweepIsDue = true;
    this.sweeping ??= this.sweepWhileDue();
  }

  private async sweepWhileDue(): Promise<void> {
    while (this.sweepIsDue && !this.closed) {
      await nextTurn();
      this.sweepIsDue = false;
      await this.sweepAll();
    }
    this.sweeping = undefined;
  }

  private async sweepAll(): Promise<void> {
    const { table } = this.book;
    for (let entry = 1; entry <= table.lastEntry && !this.closed; entry++) {
      if (table.regionOf(entry) !== 0 && table.isRemoved(table.incarnationOf(entry))) {
        this.directoryOf(entry)?.sweep(entry);
      }
      if (entry % sweptAtOnce === 0) await nextTurn();
    }
    for (const directory of this.directories) directory.wake();
  }

  private measure(): void {
    this.metrics.cacheBytes.set({ tier: 'disk' }, this.book.usage.bytes);
  }
}

function defaultsFor(settings: DiskPageStoreSettings): Omit<CompleteSettings, 'directories'> {
  const capacityBytes = settings.directories.reduce((sum, directory) => sum + directory.capacityBytes, 0);
  return {
    maxPages: Math.min(mostMaxPages, Math.max(leastMaxPages, Math.ceil(capacityBytes / bytesAPage))),
    maxOpenFiles: 256,
    maxPendingWrites: 64,
    bypassMs: 30_000,
    regionBytes: maxRegionBytes,
    minFreeBytes: 1024 * MiB,
    scrubBytesPerSecond: 0,
    mutants: {},
  };
}
