import type { Clock } from '../../common/clock.ts';
import type { Metrics } from '../../common/metrics.ts';
import type { Priority } from '../../common/policy.ts';
import { type FileSystem, isErrno } from '../../ufs/file-system.ts';
import type { AdmissionPolicy, Queue } from '../admission.ts';
import { folderOf } from './folders.ts';
import type { PageBook } from './page-book.ts';
import { PageFaultError } from './page-fault.ts';
import { keyOf } from './record-format.ts';
import type { RecordReader } from './record-reader.ts';
import type { RegionFiles } from './region-files.ts';
import { indexPath, regionPath } from './region-names.ts';
import { type NewRecord, type RegionWriter, recordBytes } from './region-writer.ts';
import type { Region, Regions } from './regions.ts';
import type { RemovalLog } from './removal-log.ts';

export interface EvictionParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly fs: FileSystem;
  readonly book: PageBook;
  readonly regions: Regions;
  readonly reader: RecordReader;
  readonly files: RegionFiles;
  readonly writer: RegionWriter;
  readonly log: RemovalLog;
  readonly policy: AdmissionPolicy;
  readonly path: string;
  readonly directory: number;
  /** Of all directories together. */
  readonly capacityBytes: number;
  /** True if the directory has room for so many bytes now. */
  readonly fits: (bytes: number) => boolean;
}

interface Carried {
  readonly entry: number;
  readonly record: NewRecord;
}

/** Entries that are judged in one step. */
const entriesAStep = 4096;
/** Bytes that are read and written forward in one step. */
const bytesAStep = 1024 * 1024;
/** Part of the capacity up to which pinned pages are carried, whatever the policy says. With more it would be hard to make room. */
export const pinnedShare = 1 / 2;
/** Reads that a page of a priority is judged by, beside its own. */
const readsOfPriority: Readonly<Record<Priority, number>> = { low: -2, normal: 0, high: 2 };

/**
 * What stays of a region: nothing; what the policy keeps; what it keeps where the room is for a load; or all that is wanted, since it is given up for
 * the room in between alone.
 */
export type Carrying = 'nothing' | 'hot' | 'hotter-than-a-load' | 'all';

/**
 * Gives up a region, in steps: says so to the log; judges its pages; reads those that stay and writes them to the main queue; drops the
 * rest; removes the files. The log need not be durable for that: should the power go, the region may be there again, with nothing
 * in it that was removed, for whoever removes a page waits for all that the log was told before.
 */
export class Eviction {
  readonly region: Region;
  private readonly parts: EvictionParts;
  private readonly carrying: Carrying;
  private phase: 'judge' | 'carry' | 'remove' | 'done' = 'judge';
  private judged = 0;
  private readonly carried: number[] = [];

  constructor(parts: EvictionParts, region: Region, carrying: Carrying) {
    this.parts = parts;
    this.region = region;
    this.carrying = carrying;
    region.state = 'leaving';
    parts.log.addRetired(region.id);
  }

  /** Does a bounded part of the work; true when all is done. After a fault the same step may be tried again. */
  async step(): Promise<boolean> {
    if (this.phase === 'judge') this.judge();
    else if (this.phase === 'carry') await this.carry();
    else if (this.phase === 'remove') await this.removeFiles();
    return this.phase === 'done';
  }

  private judge(): void {
    const { entries } = this.region;
    const end = Math.min(this.judged + entriesAStep, entries.length);
    let dropped = 0;
    for (; this.judged < end; this.judged++) {
      const entry = entries.at(this.judged);
      if (!this.isHere(entry)) continue;
      if (this.stays(entry)) this.carried.push(entry);
      else dropped += this.drop(entry);
    }
    this.count(dropped);
    if (this.judged === entries.length) this.phase = this.carried.length > 0 ? 'carry' : 'remove';
  }

  private stays(entry: number): boolean {
    const { book, clock, capacityBytes, policy } = this.parts;
    const { table, folders } = book;
    const folder = table.folderOf(entry);
    if (this.carrying === 'nothing' || table.isRemoved(folder)) return false;
    const { headerBytes, pageBytes, filledSeconds } = table.placeAt(entry);
    if (folders.isUnwanted(folder, filledSeconds, clock.nowMs())) return false;
    if (this.carrying === 'all') return true;
    const rule = folders.policyOf(folder);
    const judge = (reads: number) => {
      const isForLoad = this.carrying === 'hotter-than-a-load';
      const bytes = headerBytes + pageBytes;
      return policy.judge(this.region.queue, table.fingerprintOf(entry), bytes, reads, isForLoad) === 'carry';
    };
    if (rule?.isPinned && folders.pinnedBytes < pinnedShare * capacityBytes) {
      // Where nothing but this is left a load has to be told so.
      return this.carrying !== 'hotter-than-a-load' || judge(Number.POSITIVE_INFINITY);
    }
    return judge(table.readsOf(entry) + readsOfPriority[rule?.priority ?? 'normal']);
  }

  /** Carries as many pages as one step takes. */
  private async carry(): Promise<void> {
    const batch: Carried[] = [];
    let target: Region | undefined;
    let bytes = 0;
    for (; this.carried.length > 0 && bytes < bytesAStep; this.carried.pop()) {
      const entry = this.carried.at(-1) as number;
      const record = await this.recordOf(entry);
      if (!record) continue;
      const length = recordBytes(record);
      if (!this.parts.fits(bytes + length + this.region.indexBytes)) {
        // Making room must not need any: the rest is dropped.
        this.carried.length = 0;
        break;
      }
      target ??= await this.parts.writer.regionFor(this.queue, length);
      if (!this.parts.writer.accepts(target, bytes, length)) break;
      batch.push({ entry, record });
      bytes += length;
    }
    if (target) await this.place(target, batch);
    if (this.carried.length === 0) this.phase = 'remove';
  }

  private async place(target: Region, batch: readonly Carried[]): Promise<void> {
    const { book, log, metrics } = this.parts;
    const wanted = batch.filter(({ entry }) => this.isWanted(entry));
    if (wanted.length === 0) return;
    const offsets = await this.parts.writer.append(
      target,
      wanted.map(({ record }) => record),
    );
    for (const [i, { entry, record }] of wanted.entries()) {
      const offset = offsets[i] as number;
      const length = recordBytes(record);
      metrics.pageStoreCarriedBytes.inc(length);
      // Removed while it was written: then the copy is removed too.
      if (!this.isWanted(entry)) log.addDead(target.id, offset);
      else {
        book.table.move(entry, target.id, offset, this.carrying === 'hot' ? 1 : 0);
        target.entries.push(entry);
        target.livePages++;
        target.liveBytes += length;
        this.region.livePages--;
        this.region.liveBytes -= length;
      }
    }
  }

  /** Where what stays goes. */
  private get queue(): Queue {
    return this.carrying === 'all' ? this.region.queue : 'main';
  }

  /** The page's record, read and checked; undefined if it cannot be read, or is not wanted any more. */
  private async recordOf(entry: number): Promise<NewRecord | undefined> {
    if (!this.isWanted(entry)) return undefined;
    try {
      const { header, bytes } = await this.parts.reader.readRecord(this.parts.book.table.placeAt(entry));
      const { keyText } = header;
      const key = keyOf(keyText);
      if (!key) return undefined;
      const { incarnation, path } = key;
      return { keyText, incarnation, folder: folderOf(path), header, pieces: [bytes] };
    } catch (error) {
      if (!(error instanceof PageFaultError)) throw error;
      this.parts.metrics.pageStoreErrors.inc({ reason: error.reason });
      return undefined;
    }
  }

  private async removeFiles(): Promise<void> {
    const { fs, files, regions, path, directory } = this.parts;
    const { region } = this;
    let dropped = 0;
    for (let i = 0; i < region.entries.length; i++) {
      const entry = region.entries.at(i);
      if (this.isHere(entry)) dropped += this.drop(entry);
    }
    this.count(dropped);
    files.forget(directory, region.id);
    await unlinkIfThere(fs, indexPath(path, region.id));
    await unlinkIfThere(fs, regionPath(path, region.id));
    regions.delete(region);
    this.phase = 'done';
  }

  private isHere(entry: number): boolean {
    const { table } = this.parts.book;
    return table.regionOf(entry) === this.region.id && table.directoryOf(entry) === this.parts.directory;
  }

  private isWanted(entry: number): boolean {
    const { table } = this.parts.book;
    return this.isHere(entry) && !table.isRemoved(table.folderOf(entry));
  }

  private drop(entry: number): number {
    this.parts.book.givesUp(entry, 'room');
    const { headerBytes, pageBytes } = this.parts.book.table.placeAt(entry);
    this.parts.book.remove(entry);
    this.region.livePages--;
    this.region.liveBytes -= headerBytes + pageBytes;
    return 1;
  }

  private count(dropped: number): void {
    if (dropped > 0) this.parts.metrics.pageEvictions.inc({ tier: 'disk' }, dropped);
  }
}

export async function unlinkIfThere(fs: FileSystem, path: string): Promise<void> {
  try {
    await fs.unlink(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
