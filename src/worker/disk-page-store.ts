import type { Clock } from '../common/clock.ts';
import type { HeldPages } from '../common/held-pages.ts';
import type { Log } from '../common/log.ts';
import type { Metrics } from '../common/metrics.ts';
import { type Random, systemRandom } from '../common/random.ts';
import type { FileSystem } from '../ufs/file-system.ts';
import { NodeFileSystem } from '../ufs/node-file-system.ts';
import { EntrySweep } from './disk/entry-sweep.ts';
import { Folders, folderOf } from './disk/folders.ts';
import { removeFormerLayout } from './disk/former-layout.ts';
import { PageBook } from './disk/page-book.ts';
import { PageDirectory } from './disk/page-directory.ts';
import type { PageFaultError } from './disk/page-fault.ts';
import { type PageHash, PageHasher } from './disk/page-hash.ts';
import { maxHeaderBytes, type PagePlace } from './disk/page-table.ts';
import { PageTableWriter } from './disk/page-table-writer.ts';
import { PageWrite } from './disk/page-write.ts';
import { QuotaRoom } from './disk/quota-room.ts';
import { RecordCheck } from './disk/record-check.ts';
import { RecordReader } from './disk/record-reader.ts';
import { RegionChecks } from './disk/region-check.ts';
import { RegionFiles } from './disk/region-files.ts';
import { Scrubber } from './disk/scrubber.ts';
import {
  type CompleteSettings,
  type DiskPageStoreSettings,
  defaultsFor,
  type PassedByFolder,
} from './disk/store-settings.ts';
import { DiskPageReader } from './disk-page-reader.ts';
import { EvictionLog } from './eviction-log.ts';
import type { Loans } from './loans.ts';
import type { PageKey, PageStore } from './page-store.ts';

export type { DiskDirectory, DiskPageStoreSettings, PassedByFolder } from './disk/store-settings.ts';

const MiB = 1024 * 1024;
const regionsADirectory = 32;

/**
 * Pages in regions, files that are only ever appended to, of one or more directories; which pages there are is known in a table in memory.
 * A record that a crash tore is found out by its checksums and is absent.
 */
export class DiskPageStore implements PageStore {
  private readonly clock: Clock;
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
  readonly regionChecks: RegionChecks;
  private readonly pending = new Set<PageWrite>();
  private readonly entrySweep: EntrySweep;
  private readonly quotaRoom: QuotaRoom;
  private readonly stopFollowing: () => void;
  /** Told of each page that goes for a quota, by its path (`PageHasher.path32`). */
  onQuotaDrop: (path32: number) => void = () => {};
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
    this.clock = clock;
    this.metrics = metrics;
    this.log = log;
    this.fs = fs;
    this.settings = settings;
    const table = new PageTableWriter(settings.maxPages, Math.floor(random.next() * 2 ** 32) | 0);
    const book = new PageBook(table, new Folders(table, settings.policies), new EvictionLog(clock));
    this.book = book;
    const paths = settings.directories.map(({ path }) => path);
    this.files = new RegionFiles(fs, paths, settings.maxOpenFiles);
    this.pages = new DiskPageReader(this.files, table, {
      mutants: settings.mutants,
      isReadable: (directory) => this.directories[directory]?.isReadable === true,
      onFault: (place, fault) => this.readFailed(place, fault),
    });
    const { files, hasher } = this;
    const reader = new RecordReader(files, settings.mutants);
    const sweep = (entry: number) => this.directoryOf(entry)?.sweep(entry);
    const drop = (entry: number) => this.directoryOf(entry)?.drop(entry, 'policy');
    const swept = () => {
      for (const directory of this.directories) directory.wake();
      this.measure();
    };
    this.entrySweep = new EntrySweep(clock, book, { sweep, drop, swept });
    this.stopFollowing = settings.policies.onChange(() => book.folders.policiesChanged());
    const dropForQuota = (entry: number) => {
      this.onQuotaDrop(table.path32Of(entry));
      this.directoryOf(entry)?.drop(entry, 'quota');
    };
    this.quotaRoom = new QuotaRoom({ book, part: () => settings.policies.quotaPart, drop: dropForQuota });
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
        storeBytes: this.capacityBytes,
        regionBytes,
        minFreeBytes,
        unsyncedBytes,
        bypassMs,
      });
    });
    const check = new RecordCheck(table, reader, (place, fault) => this.readFailed(place, fault));
    this.regionChecks = new RegionChecks(this.directories, table, check);
    this.scrubber = new Scrubber(clock, metrics, this.directories, table, check, settings);
  }

  /** Bytes of pages that can be read, with their headers; the files may hold more, which is not wanted any more. */
  get usage() {
    return {
      ...this.book.usage,
      capacityBytes: this.capacityBytes,
    };
  }

  private get capacityBytes(): number {
    return this.settings.directories.reduce((sum, { capacityBytes }) => sum + capacityBytes, 0);
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
    await this.entrySweep.run();
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

  async check(key: PageKey): Promise<boolean> {
    return !this.closed && this.pages.check(key);
  }

  hasSome(incarnation: string, path: string): boolean {
    const { table } = this.book;
    const entries = table.entriesOfPath(this.hasher.path32(incarnation, path));
    return entries.some((entry) => !table.isRemoved(table.folderOf(entry)));
  }

  pathCount(): number {
    return this.book.table.pathCount();
  }

  lastEviction(incarnation: string, path: string) {
    return this.book.evictions.last(this.hasher.path32(incarnation, path));
  }

  /** The length of a page that is there. */
  pageBytesOf(key: PageKey): number | undefined {
    return this.closed ? undefined : this.pages.find(key)?.pageBytes;
  }

  /** When a page that is there was filled, Unix time. */
  filledSecondsOf(key: PageKey): number | undefined {
    return this.closed ? undefined : this.pages.find(key)?.filledSeconds;
  }

  async write(key: PageKey, ...pieces: readonly Buffer[]): Promise<void> {
    if (this.closed || this.pending.size >= this.settings.maxPendingWrites) return;
    const hash = this.hasher.page(key);
    const directory = this.directoryFor((hash[3] as number) >>> 0);
    this.dropTooOld(hash, key.notBeforeSeconds);
    if (!directory || this.book.has(hash)) return;
    const filledSeconds = Math.floor(this.clock.nowMs() / 1000);
    const path32 = this.hasher.path32(key.incarnation, key.path);
    const write = new PageWrite(key, hash, path32, pieces, filledSeconds);
    if (write.bytes - write.record.header.pageBytes > maxHeaderBytes) return;
    this.pending.add(write);
    try {
      await this.writeWithinQuotas(directory, write);
    } finally {
      this.pending.delete(write);
      this.measure();
    }
  }

  async heldBelow(incarnation: string, prefix: string): Promise<HeldPages> {
    return this.book.folders.heldBelow(incarnation, prefix);
  }

  async applyPolicies(): Promise<void> {
    for (const use of this.book.folders.quotaUses()) await this.quotaRoom.shrink(use);
    await this.entrySweep.run();
    this.measure();
  }

  tune({ scrubBytesPerSecond }: Pick<CompleteSettings, 'scrubBytesPerSecond'>): void {
    this.scrubber.tune(scrubBytesPerSecond);
  }

  /** True if pages of this folder count for a quota. */
  hasQuota(incarnation: string, path: string): boolean {
    return this.settings.policies.of(incarnation, folderOf(path))?.quota !== undefined;
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
      if (!kept || !table.isOfVersion(entry, kept)) this.directoryOf(entry)?.drop(entry, 'removed');
    }
    await Promise.all(cancelled);
    await this.removalsDurable();
  }

  /** As `remove`. The pages are absent at once; what is kept in memory of them goes in the background. */
  async removeIncarnation(incarnation: string): Promise<void> {
    const cancelled = this.cancel(({ key }) => key.incarnation === incarnation);
    const hadPages = this.book.folders.removeIncarnation(incarnation) || cancelled.length > 0;
    for (const directory of this.directories) directory.incarnationRemoved(incarnation, hadPages);
    void this.entrySweep.run();
    await Promise.all(cancelled);
    await this.removalsDurable();
  }

  /** Ends after the writes under way; the next start finds an index of every region then. */
  async close(): Promise<void> {
    this.closed = true;
    this.stopFollowing();
    await this.scrubber.close();
    await this.cleaning;
    await this.entrySweep.close();
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
    this.metrics.pageStoreErrors.inc({ reason: fault.reason });
    const { path } = directory;
    this.log.warn({ err: fault, path, region: place.region }, 'a page cannot be read and is given up');
    if (fault.reason === 'missing') directory.regionLost(place.region);
    else if (fault.lasting) {
      directory.drop(place.entry, 'damaged');
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
    const unwanted = wanted ? this.book.folders.incarnations().filter((name) => !wanted.has(name)) : [];
    if (unwanted.length > 0) {
      this.log.info({ count: unwanted.length }, 'pages of mounts and buckets that are gone are dropped');
    }
    for (const name of unwanted) void this.removeIncarnation(name);
    // Those of a directory that is being loaded go afterwards.
    void this.entrySweep.run();
  }

  /** A page that its policy says is too old makes way for the one that is coming. */
  private dropTooOld(hash: PageHash, notBeforeSeconds: number | undefined): void {
    const { table } = this.book;
    const entry = notBeforeSeconds === undefined ? 0 : table.entryOf(hash);
    if (entry === 0 || table.isRemoved(table.folderOf(entry))) return;
    if (table.filledSecondsOf(entry) < (notBeforeSeconds ?? 0))
      this.directoryOf(entry)?.drop(entry, 'policy');
  }

  private async writeWithinQuotas(directory: PageDirectory, write: PageWrite): Promise<void> {
    const { key, folder } = write;
    const { pageBytes } = write.record.header;
    const uses = this.book.folders.quotasFor(this.settings.policies.of(key.incarnation, folder));
    if (uses.length === 0) return directory.write(write);
    if (!(await this.quotaRoom.take(uses, pageBytes))) return write.end();
    try {
      await directory.write(write);
    } finally {
      this.quotaRoom.giveBack(uses, pageBytes);
    }
  }

  private measure(): void {
    this.metrics.cacheBytes.set({ tier: 'disk' }, this.book.usage.bytes);
  }
}
