import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Metrics } from '../../common/metrics.ts';
import type { Random } from '../../common/random.ts';
import {
  type FileSystem,
  FileSystemError,
  isErrno,
  removeQuietly,
  writeDurably,
} from '../../ufs/file-system.ts';
import type { EvictionReason } from '../eviction-log.ts';
import { loadDirectory, makeFolders } from './directory-load.ts';
import { DirectorySession } from './directory-session.ts';
import { DiskState } from './disk-state.ts';
import { MissedRemovals } from './missed-removals.ts';
import type { PageBook } from './page-book.ts';
import { PageFaultError, withPageFaults } from './page-fault.ts';
import type { PageHasher, VersionHash } from './page-hash.ts';
import type { PageWrite } from './page-write.ts';
import type { RecordReader } from './record-reader.ts';
import type { RegionFiles } from './region-files.ts';
import { lockPath } from './region-names.ts';
import { type Region, Regions } from './regions.ts';
import type { Removals } from './removals.ts';

export interface DirectoryParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly fs: FileSystem;
  readonly book: PageBook;
  readonly hasher: PageHasher;
  readonly files: RegionFiles;
  readonly reader: RecordReader;
  /** Takes an entry of a removed incarnation out of the table, whichever directory it is of. */
  readonly sweep: (entry: number) => void;
  /** Told when more of what lies in a directory has come to be known. */
  readonly loaded: () => void;
}

export interface PageDirectorySettings {
  /** Its number in the table. */
  readonly directory: number;
  readonly path: string;
  /** Bytes of all files in it. */
  readonly capacityBytes: number;
  /** The same of all directories. */
  readonly storeBytes: number;
  readonly regionBytes: number;
  readonly minFreeBytes: number;
  readonly unsyncedBytes: number;
  /** How long nothing is written after the disk was full or failed; then it is tried again, and so on. */
  readonly bypassMs: number;
}

/** One of the folders that pages lie in, on a disk of its own perhaps: full, failing or away without the others. */
export class PageDirectory {
  private readonly parts: DirectoryParts;
  private readonly settings: PageDirectorySettings;
  private readonly state: DiskState;
  /** Undefined while nothing is known of the folder. */
  private session: DirectorySession | undefined;
  private readonly missed = new MissedRemovals();
  private isAway = false;
  private lockFault: unknown;
  private unlock: (() => void) | undefined;
  private closed = false;

  constructor(parts: DirectoryParts, settings: PageDirectorySettings) {
    this.parts = parts;
    this.settings = settings;
    const { path, bypassMs } = settings;
    this.state = new DiskState(parts.clock, parts.metrics, parts.log, { path, retryMs: bypassMs }, (fault) =>
      this.recover(fault),
    );
  }

  get path(): string {
    return this.settings.path;
  }

  get capacityBytes(): number {
    return this.settings.capacityBytes;
  }

  /** Bytes of all files in it. */
  get usedBytes(): number {
    return this.session?.usedBytes ?? 0;
  }

  /** False while pages are not kept in it. */
  get isUp(): boolean {
    return this.state.isUp;
  }

  /** Why pages are not kept in it; undefined while they are. */
  get reasonDown(): PageFaultError | undefined {
    return this.state.reasonDown;
  }

  /** False while its pages cannot be had, because the folder is not there. */
  get isReadable(): boolean {
    return !this.isAway && !this.closed;
  }

  /** Resolves when what is in all regions is known; never rejects. */
  get recovered(): Promise<void> {
    return this.session?.recovered ?? Promise.resolve();
  }

  /** True if a removal has to wait, even one that finds nothing: what it is about may be there again after a power loss. */
  get hasUncommitted(): boolean {
    return this.session !== undefined && (this.session.isRecovering || this.session.hasUncommitted);
  }

  /** Regions that nothing is written to any more. */
  get sealedRegions(): readonly Region[] {
    return this.session?.regions.all().filter(({ state }) => state === 'sealed') ?? [];
  }

  /** Regions whose pages are known, the oldest first. */
  get knownRegions(): readonly Region[] {
    const regions = this.isReadable ? (this.session?.regions.all() ?? []) : [];
    return regions.filter(({ state }) => state !== 'unknown' && state !== 'leaving');
  }

  /** Takes what is there into the table. A folder that cannot be used is no failure: it is tried again. */
  async open(): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      if (!(error instanceof PageFaultError)) throw error;
      this.failed(error);
    }
  }

  /** Writes a page, or does not. */
  async write(write: PageWrite): Promise<void> {
    if (this.closed || !this.state.isUp || !this.session) return write.end();
    await this.session.enqueue(write);
  }

  /** Pages of a path were removed, by `drop`; what is found of it later is to go too. */
  pathRemoved(path32: number, kept: VersionHash | undefined): void {
    if (!this.session || this.session.isRecovering) this.missed.path(path32, kept);
  }

  incarnationRemoved(incarnation: string, hasPages: boolean): void {
    if (!this.session) this.missed.incarnation(incarnation);
    else if (hasPages || this.session.isRecovering) this.session.removeIncarnation(incarnation);
  }

  /** Takes a page of this directory out of the table for good. */
  drop(entry: number, reason: EvictionReason): void {
    this.parts.book.givesUp(entry, reason);
    this.session?.drop(entry);
  }

  /** Takes a page of this directory out of the table, whose incarnation was removed. */
  sweep(entry: number): void {
    this.session?.sweep(entry);
  }

  /** A read came upon a file that is not there. */
  regionLost(region: number): void {
    this.session?.regionLost(region);
  }

  /** Resolves when removals so far survive a power loss, or cannot be made to now. */
  async removalsDurable(): Promise<void> {
    await this.session?.recovered;
    await this.session?.committed();
  }

  /** Lets what is to be done begin. */
  wake(): void {
    this.session?.wake();
  }

  /** Resolves when nothing is being done. */
  async idle(): Promise<void> {
    await this.session?.recovered;
    await this.session?.idle();
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.state.close();
    await this.session?.close();
    this.unlock?.();
    this.unlock = undefined;
  }

  private failed(fault: PageFaultError): void {
    this.parts.metrics.pageStoreErrors.inc({ reason: fault.reason });
    if (fault.reason === 'missing') this.isAway = true;
    this.state.failed(fault);
  }

  /** Rejects with `PageFaultError`. What could be read is in the table all the same. */
  private async start(known?: Removals): Promise<void> {
    const { parts, settings, missed } = this;
    const { path, directory } = settings;
    await withPageFaults(async () => {
      await makeFolders(parts.fs, path);
      await this.takeLock();
      const regions = new Regions();
      const { removals, unknown, startedOver } = await loadDirectory(
        { ...parts, regions, path, directory, missed },
        known,
      ).catch((error: unknown) => {
        // Nobody would look after them.
        this.takeOut(regions);
        throw error;
      });
      if (startedOver) {
        parts.log.warn({ path }, 'pages are dropped, for it cannot be read which of them had been removed');
      }
      this.session = new DirectorySession(parts, settings, regions, removals, (fault) => this.failed(fault));
      this.isAway = false;
      this.session.catchUp(missed);
      this.session.recover(unknown, missed);
      if (unknown.length === 0) missed.clear();
      parts.loaded();
      if (unknown.length > 0) void this.session.recovered.then(() => this.recoveryEnded());
      if (this.lockFault) throw this.lockFault;
      await this.session.begin();
    });
  }

  /** Makes the folder ready again after `fault`, and finds out what has become of the pages. */
  private async recover(fault: PageFaultError): Promise<void> {
    const { session } = this;
    if (session) await session.idle();
    if (this.closed) return;
    // A full disk loses nothing. After anything else it may be another disk that is here now.
    if (session && fault.reason === 'no-space') return session.begin();
    await withPageFaults(() => this.probe());
    await session?.recovered;
    const known = session?.removals.removals;
    if (session) await this.unload(session);
    await this.start(known);
  }

  /** Rejects unless something can be written and read back by name. */
  private async probe(): Promise<void> {
    const { fs } = this.parts;
    const path = join(this.path, 'probe');
    await makeFolders(fs, this.path);
    await removeQuietly(fs, path);
    await writeDurably(fs, path, [Buffer.from('probe')]);
    await fs.unlink(path);
  }

  private recoveryEnded(): void {
    this.missed.clear();
    if (!this.closed) this.parts.loaded();
  }

  /** Takes all pages of the directory out of the table; on the disk they stay. */
  private async unload(session: DirectorySession): Promise<void> {
    await session.close();
    this.session = undefined;
    this.takeOut(session.regions);
    this.parts.files.closeAll(this.settings.directory);
  }

  private takeOut(regions: Regions): void {
    const { book } = this.parts;
    const { directory } = this.settings;
    for (const region of regions.all()) {
      for (let i = 0; i < region.entries.length; i++) {
        const entry = region.entries.at(i);
        const isHere =
          book.table.regionOf(entry) === region.id && book.table.directoryOf(entry) === directory;
        if (isHere) book.remove(entry);
      }
    }
  }

  /** A folder that may only be read cannot be locked, and is read all the same. Rejects if another process has it. */
  private async takeLock(): Promise<void> {
    this.unlock?.();
    this.unlock = undefined;
    this.lockFault = undefined;
    try {
      this.unlock = await this.parts.fs.lock(lockPath(this.path));
    } catch (error) {
      if (isErrno(error, 'EBUSY')) {
        throw new FileSystemError('EBUSY', `${this.path} is used by another process`, { cause: error });
      }
      this.lockFault = error;
    }
  }
}
