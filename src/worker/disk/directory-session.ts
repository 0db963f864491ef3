import type { Log } from '../../common/log.ts';
import { type AdmissionPolicy, S3FifoAdmission } from '../admission.ts';
import { carryRoom, longLogBytes } from './carry-room.ts';
import { DirectorySpace } from './directory-space.ts';
import { type Carrying, Eviction } from './eviction.ts';
import { beginLogAnew } from './log-summary.ts';
import type { MissedRemovals } from './missed-removals.ts';
import type { DirectoryParts, PageDirectorySettings } from './page-directory.ts';
import { PageFaultError, toPageFault, withPageFaults } from './page-fault.ts';
import type { PageWrite } from './page-write.ts';
import { recoverRegion } from './region-recovery.ts';
import { RegionWriter } from './region-writer.ts';
import { emptyRegionBytes, type Region, type Regions } from './regions.ts';
import { RemovalLog } from './removal-log.ts';
import type { Removals } from './removals.ts';
import { victimOf } from './victim.ts';
import { WriteQueue } from './write-queue.ts';

/** What a record takes besides itself, from above: its row in the index, with the incarnation's name, and the log's next frames. */
const besideRecordBytes = 4096 + emptyRegionBytes;
/** Removals that nobody waits for, at most, before they are made durable. */
const maxUncommitted = 1000;
/** About the length of a page, for how many dropped ones are remembered. */
const expectedPageBytes = 64 * 1024;
const maxExpectedPages = 4_000_000;

/**
 * The work on a directory's files from when it was loaded until it fails or is closed. One thing is done at a time, the most urgent first:
 * removals are made durable, a region that is being given up is given up further, then pages are written. Reads are not in this order.
 */
export class DirectorySession {
  readonly regions: Regions;
  readonly removals: RemovalLog;
  private readonly parts: DirectoryParts;
  private readonly settings: PageDirectorySettings;
  private readonly onFault: (fault: PageFaultError) => void;
  private readonly writer: RegionWriter;
  private readonly space: DirectorySpace;
  private readonly policy: AdmissionPolicy;
  private readonly queue: WriteQueue;
  private waiting: (() => void)[] = [];
  private eviction: Eviction | undefined;
  /** Regions to be given up with all that is in them: nothing is wanted, or it cannot be read. */
  private readonly useless = new Set<Region>();
  /** Regions whose contents were found out, for an index to be written. */
  private readonly unindexed = new Set<Region>();
  private running: Promise<void> | undefined;
  private stopped = true;
  private ended = false;
  /** Resolves when the contents of all regions are known; never rejects. */
  recovered: Promise<void> = Promise.resolve();
  isRecovering = false;

  /** `onFault`: told when a fault stops the session; everything that waits has been let go then. */
  constructor(
    parts: DirectoryParts,
    settings: PageDirectorySettings,
    regions: Regions,
    removals: Removals,
    onFault: (fault: PageFaultError) => void,
  ) {
    this.parts = parts;
    this.settings = settings;
    this.regions = regions;
    this.onFault = onFault;
    this.removals = new RemovalLog(parts.fs, parts.random, settings.path, removals);
    this.space = new DirectorySpace(parts.clock, parts.fs, settings);
    this.writer = new RegionWriter(parts.fs, parts.random, regions, parts.book, settings, {
      failed: (error) => this.failed(error),
      sealed: (region) => this.sealed(region),
      lost: (region, offsets) => {
        for (const offset of offsets) this.removals.addDead(region.id, offset);
      },
    });
    this.writer.nextRegion = removals.lastRegion + 1;
    this.policy = new S3FifoAdmission({
      capacityBytes: settings.capacityBytes,
      expectedEntries: Math.min(maxExpectedPages, Math.ceil(settings.capacityBytes / expectedPageBytes)),
    });
    const { writer, policy } = this;
    const { book, sweep } = parts;
    const { directory } = settings;
    this.queue = new WriteQueue({ book, writer, policy, directory, sweep, removals: this.removals });
  }

  private get log(): Log {
    return this.parts.log;
  }

  /** Bytes of all files. */
  get usedBytes(): number {
    return this.regions.totalBytes + this.removals.bytes;
  }

  /** Begins, or goes on after a full disk. Rejects with `PageFaultError`. */
  async begin(): Promise<void> {
    await withPageFaults(() => this.shortenLog());
    this.stopped = false;
    for (const region of this.regions.all()) {
      if (region.livePages === 0 && region.state === 'sealed') this.useless.add(region);
    }
    this.wake();
  }

  /** Reads the headers of regions that have no index. `missed` is told of removals meanwhile. */
  recover(unknown: readonly Region[], missed: MissedRemovals): void {
    if (unknown.length === 0) return;
    this.isRecovering = true;
    this.recovered = this.recoverAll(unknown, missed).finally(() => {
      this.isRecovering = false;
    });
  }

  /** Writes a page, or drops it. */
  enqueue(write: PageWrite): Promise<void> {
    if (this.stopped || this.ended || write.bytes + besideRecordBytes > this.settings.capacityBytes)
      write.end();
    else this.queue.push(write);
    this.wake();
    return write.done;
  }

  /** Takes a page out of the table for good. `committed` tells when that is durable. */
  drop(entry: number): void {
    const { region, offset } = this.parts.book.table.placeAt(entry);
    // Said of a region that is being given up too: the next commit then waits for a copy that is being carried out of it.
    this.removals.addDead(region, offset);
    this.sweep(entry);
  }

  /** Drops what was removed while the directory was loaded, of which the row had been taken by then. */
  catchUp(missed: MissedRemovals): void {
    const { table } = this.parts.book;
    for (const incarnation of missed.removedIncarnations) this.removeIncarnation(incarnation);
    for (const [path32, kept] of missed.removedPaths) {
      for (const entry of table.entriesOfPath(path32)) {
        const isHere = table.directoryOf(entry) === this.settings.directory;
        if (isHere && (!kept || !table.isOfVersion(entry, kept))) this.drop(entry);
      }
    }
    // What else was removed nobody remembers.
    if (missed.isOverrun) for (const region of this.regions.all()) this.giveUp(region);
  }

  /** Takes a page out of the table whose removal has been said already. */
  sweep(entry: number): void {
    const { book } = this.parts;
    const { region: id, headerBytes, pageBytes } = book.table.placeAt(entry);
    const region = this.regions.get(id);
    book.remove(entry);
    if (!region) return;
    region.livePages--;
    region.liveBytes -= headerBytes + pageBytes;
    if (region.livePages === 0 && region.state === 'sealed') this.useless.add(region);
  }

  /** Nothing that was written of the incarnation so far comes back. */
  removeIncarnation(incarnation: string): void {
    const { nextRegion, openEnds } = this.writer;
    this.removals.addIncarnation({ incarnation, nextRegion, open: openEnds });
  }

  /** The file of a region is not there. */
  regionLost(id: number): void {
    const region = this.regions.get(id);
    if (region) this.useless.add(region);
    this.wake();
  }

  /** True if something that was removed or given up could come back if the power went now. */
  get hasUncommitted(): boolean {
    return this.removals.pendingCount > 0;
  }

  /** Resolves when what was removed so far is durable, or cannot be made so now. */
  committed(): Promise<void> {
    if (this.stopped) return Promise.resolve();
    const waiter = new Promise<void>((resolve) => this.waiting.push(resolve));
    this.wake();
    return waiter;
  }

  wake(): void {
    if (this.running || this.stopped) return;
    this.running = this.run().finally(() => {
      this.running = undefined;
      // What came in while the last look was taken.
      if (this.next()) this.wake();
    });
  }

  /** Ends when nothing is being done. Nothing is written after a fault. */
  async idle(): Promise<void> {
    do {
      await this.running;
      await this.writer.settled();
    } while (this.running);
  }

  /** Ends the session: what was enqueued is written, and open regions get their index. */
  async close(): Promise<void> {
    this.ended = true;
    await this.recovered;
    await this.idle();
    if (this.removals.pendingCount > 0) await (this.stopped ? this.lastCommit() : this.committed());
    for (const queue of ['small', 'main'] as const) {
      if (this.stopped) this.writer.abandon(queue);
      else this.writer.seal(queue);
    }
    await this.idle();
    await this.removals.closeFile();
  }

  /** What was removed while nothing could be written is written now, if that is possible again. */
  private async lastCommit(): Promise<void> {
    try {
      await withPageFaults(async () => {
        if (await this.removals.isInPlace()) await this.removals.begin();
      });
    } catch (error) {
      if (!(error instanceof PageFaultError)) throw error;
      this.log.warn({ err: error, path: this.settings.path }, 'what was removed may be there again');
    }
  }

  private async run(): Promise<void> {
    for (let work = this.next(); work; work = this.next()) {
      try {
        await withPageFaults(work);
      } catch (error) {
        this.failed(error);
      }
    }
  }

  /** What is to be done now. */
  private next(): (() => Promise<void>) | undefined {
    if (this.stopped) return undefined;
    if (this.waiting.length > 0 || this.removals.pendingCount >= maxUncommitted) return () => this.commit();
    if (this.eviction) return () => this.evictFurther();
    if (this.removals.isLong(longLogBytes(this.settings))) {
      return () => this.shortenLog();
    }
    const [useless] = this.useless;
    if (useless) return () => this.giveUpUseless(useless);
    const [unindexed] = this.unindexed;
    if (unindexed) return () => this.writeIndex(unindexed);
    if (this.queue.first) return () => this.takeWrites();
    if (this.usedBytes > this.settings.capacityBytes && this.regions.canShrink)
      return async () => void (await this.makeRoom(false));
    return undefined;
  }

  private failed(error: unknown): void {
    const fault = toPageFault(error);
    if (!(fault instanceof PageFaultError)) throw fault;
    if (this.stopped) return;
    this.stopped = true;
    this.onFault(fault);
    this.queue.clear();
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private sealed(region: Region): void {
    if (region.livePages > 0) return;
    this.useless.add(region);
    this.wake();
  }

  private async commit(): Promise<void> {
    // Who comes to wait from here on is told by the next one.
    const count = this.waiting.length;
    if (this.removals.pendingCount > 0) await this.removals.commit();
    for (const resolve of this.waiting.splice(0, count)) resolve();
  }

  private async evictFurther(): Promise<void> {
    if (await this.eviction?.step()) this.eviction = undefined;
  }

  private async writeIndex(region: Region): Promise<void> {
    this.unindexed.delete(region);
    if (region.state === 'sealed') await this.writer.writeIndex(region);
  }

  private async giveUpUseless(region: Region): Promise<void> {
    this.useless.delete(region);
    if (region.state === 'open') this.writer.abandon(region.queue);
    if (region.state !== 'sealed') return;
    // Whether one file is gone or all of them makes a difference.
    await this.check();
    this.evict(region, 'nothing');
  }

  private evict(region: Region, carrying: Carrying): void {
    const { parts, regions, writer, policy } = this;
    const { path, directory, storeBytes: capacityBytes } = this.settings;
    this.eviction = new Eviction(
      {
        ...parts,
        regions,
        writer,
        policy,
        path,
        directory,
        log: this.removals,
        capacityBytes,
        fits: (bytes) => this.fits(bytes),
      },
      region,
      carrying,
    );
  }

  /** Has a region given up with all that is in it, whether that is known or not: a removal that comes now need not find it. */
  private giveUp(region: Region): void {
    this.removals.addRetired(region.id);
    this.useless.add(region);
  }

  /** Begins to make room. False if there is nothing to give up, or nothing that would go for a load. */
  private async makeRoom(isForLoad: boolean): Promise<boolean> {
    // What others gave up inside a region costs nobody else a page.
    const hollow = this.parts.book.hasRoom ? this.regions.hollowest : undefined;
    if (hollow) {
      this.evict(hollow, 'all');
      return true;
    }
    const { capacityBytes } = this.settings;
    const victim = await victimOf(this.policy, this.regions, this.writer, capacityBytes, isForLoad);
    if (!victim) return false;
    this.evict(victim, isForLoad ? 'hotter-than-a-load' : 'hot');
    return true;
  }

  private fits(bytes: number): boolean {
    // The log is written anew now and then, beside the old one.
    return this.space.fits(this.usedBytes, bytes + besideRecordBytes + this.removals.bytes);
  }

  private async takeWrites(): Promise<void> {
    const { book } = this.parts;
    const { first } = this.queue;
    if (!first) return;
    if (first.cancelled || book.has(first.hash)) return this.queue.dropFirst();
    if (this.space.isCheckDue) return this.check();
    const carryBytes = carryRoom(first.bytes, this.removals.bytes, this.regions, this.settings);
    const fits = (bytes: number) => this.fits(bytes + carryBytes);
    const hasRoom = book.hasRoom && fits(first.bytes);
    const isLoad = first.key.isLoad ?? false;
    if (!hasRoom && (await this.makeRoom(isLoad))) return;
    if (!book.hasRoom || !(isLoad ? hasRoom : this.fits(first.bytes))) {
      this.queue.dropFirst();
      if (this.space.isCrowdedOut(this.usedBytes)) {
        throw new PageFaultError('no-space', 'the file system has no more to spare');
      }
      return;
    }
    await this.queue.writeBatch(first, fits);
  }

  /** Whether the folder is still there, and how much room its file system has. */
  private async check(): Promise<void> {
    if (!(await this.removals.isInPlace())) {
      throw new PageFaultError('missing', `${this.settings.path} is not the folder any more that was opened`);
    }
    await this.space.check(this.usedBytes);
  }

  private shortenLog(): Promise<void> {
    const { removals, regions, writer } = this;
    return beginLogAnew(this.parts.fs, this.settings.path, removals, regions, writer.nextRegion);
  }

  private async recoverAll(unknown: readonly Region[], missed: MissedRemovals): Promise<void> {
    const { book, hasher, files } = this.parts;
    const { directory } = this.settings;
    const isEnded = () => this.ended;
    for (const region of unknown) {
      const parts = { book, hasher, files, directory, missed, isEnded, log: this.removals };
      let whole = false;
      try {
        whole = await recoverRegion(parts, region);
        region.state = 'sealed';
        // What was not read may be of a page that was removed meanwhile.
        if (!whole && !missed.isEmpty) this.giveUp(region);
      } catch (error) {
        if (!(error instanceof PageFaultError)) throw error;
        this.parts.metrics.pageStoreErrors.inc({ reason: error.reason });
        this.log.warn({ err: error, region: region.id }, 'a region of pages cannot be read and is given up');
        region.state = 'sealed';
        this.giveUp(region);
      }
      if (whole) this.unindexed.add(region);
      this.sealed(region);
      this.wake();
    }
  }
}
