import { nextTurn } from '../../common/next-turn.ts';
import type { Random } from '../../common/random.ts';
import { type FileSystem, removeQuietly, writeDurably } from '../../ufs/file-system.ts';
import type { Queue } from '../admission.ts';
import type { PageBook } from './page-book.ts';
import { encodeRecordHeader, headerBytesOf, markerBytes, type RecordHeader } from './record-format.ts';
import {
  encodeRegionHeader,
  folderText,
  type IndexRow,
  indexRowBytes,
  RegionIndexRows,
} from './region-format.ts';
import { indexPath, regionPath } from './region-names.ts';
import { newRegion, type Region, type Regions } from './regions.ts';

/** A page to be written. Its header's length does not depend on where it lies. */
export interface NewRecord {
  readonly keyText: Buffer;
  readonly incarnation: string;
  readonly folder: string;
  readonly header: Omit<RecordHeader, 'headerBytes' | 'keyText'>;
  readonly pieces: readonly Buffer[];
}

export interface RegionWriterSettings {
  /** The directory's number in the table. */
  readonly directory: number;
  readonly path: string;
  /** A region is closed when the next record would make it longer; one that is longer itself has a region of its own. */
  readonly regionBytes: number;
  /** So many bytes at most are left for a power loss to take, and for a sync at the end to wait for. */
  readonly unsyncedBytes: number;
}

export interface RegionWriterEvents {
  /** Something failed in the background. */
  readonly failed: (error: unknown) => void;
  /** Nothing is written to the region any more. */
  readonly sealed: (region: Region) => void;
  /** Records that nobody knows of may be at these offsets, whole or not. */
  readonly lost: (region: Region, offsets: readonly number[]) => void;
}

/** Regions that may be waiting for the disk at once, before the next one is begun. */
const maxInBackground = 4;
/** Rows of an index that are made in one go. */
const rowsAtOnce = 2048;

export function recordBytes({ keyText, header }: Pick<NewRecord, 'keyText' | 'header'>): number {
  return headerBytesOf(keyText.length, header.pageBytes) + header.pageBytes;
}

/** What is known of a region while it is written. */
interface Writing {
  readonly region: Region;
  readonly folders: Set<string>;
  unsyncedBytes: number;
  syncing: Promise<void> | undefined;
}

/** Appends records to the open region of each queue of a directory. One append at a time. */
export class RegionWriter {
  private readonly fs: FileSystem;
  private readonly random: Random;
  private readonly regions: Regions;
  private readonly book: PageBook;
  private readonly settings: RegionWriterSettings;
  private readonly events: RegionWriterEvents;
  private readonly writing = new Map<Queue, Writing>();
  private readonly background = new Set<Promise<void>>();
  /** The number of the next region. */
  nextRegion = 1;

  constructor(
    fs: FileSystem,
    random: Random,
    regions: Regions,
    book: PageBook,
    settings: RegionWriterSettings,
    events: RegionWriterEvents,
  ) {
    this.fs = fs;
    this.random = random;
    this.regions = regions;
    this.book = book;
    this.settings = settings;
    this.events = events;
  }

  /** The regions that are open, and where their next records will begin. */
  get openEnds(): [region: number, offset: number][] {
    return [...this.writing.values()].map(({ region }) => [region.id, region.fileBytes]);
  }

  /** The region that a record of this length goes to: the open one, or a new one if that is full. */
  async regionFor(queue: Queue, length: number): Promise<Region> {
    const present = this.writing.get(queue)?.region;
    if (present && this.accepts(present, 0, length)) return present;
    if (present) this.seal(queue);
    return this.create(queue);
  }

  /** Whether a record may follow others of `batchBytes`. Of any length may be the first in its region. */
  accepts(region: Region, batchBytes: number, length: number): boolean {
    const isFirst = region.entries.length === 0 && batchBytes === 0;
    return isFirst || region.fileBytes + batchBytes + length <= this.settings.regionBytes;
  }

  /**
   * Writes records one behind the other to an open region, and gives their offsets. They are taken from the first call on, whether it
   * succeeds or not: what a write that failed has left there is not known.
   */
  async append(region: Region, records: readonly NewRecord[]): Promise<number[]> {
    const writing = this.writing.get(region.queue) as Writing;
    const start = region.fileBytes;
    const offsets: number[] = [];
    const pieces: Buffer[] = [];
    let at = start;
    let indexBytes = 0;
    for (const { keyText, header, incarnation, folder, pieces: page } of records) {
      const head = encodeRecordHeader(region.marker, at, { ...header, keyText });
      pieces.push(head, ...page);
      offsets.push(at);
      at += head.length + header.pageBytes;
      indexBytes += indexRowBytes + this.nameBytes(writing, folderText({ incarnation, folder }));
    }
    this.regions.grow(region, at - start, indexBytes);
    try {
      await region.file?.write(pieces, start);
    } catch (error) {
      this.events.lost(region, offsets);
      this.abandon(region.queue);
      throw error;
    }
    this.syncAhead(writing, at - start);
    return offsets;
  }

  /** Closes the queue's open region and writes its index, in the background. */
  seal(queue: Queue): void {
    const writing = this.writing.get(queue);
    if (!writing) return;
    this.writing.delete(queue);
    writing.region.state = 'sealing';
    this.run(this.finish(writing));
  }

  /** Closes the queue's open region as it is, without an index: its headers are read at the next start. */
  abandon(queue: Queue): Region | undefined {
    const writing = this.writing.get(queue);
    if (!writing) return undefined;
    this.writing.delete(queue);
    const { region } = writing;
    region.state = 'sealed';
    region.entries.trim();
    this.run(closeFile(region, writing.syncing));
    return region;
  }

  /** Writes the index of a region whose file is complete and durable. */
  async writeIndex(region: Region): Promise<void> {
    const rows = new RegionIndexRows(region.entries.length);
    for (let i = 0; i < region.entries.length; i++) {
      const row = this.rowOf(region, region.entries.at(i));
      if (row) rows.add(row);
      // Reads go on in between. What is removed meanwhile the log of removals says.
      if (i % rowsAtOnce === rowsAtOnce - 1) await nextTurn();
    }
    const bytes = rows.encode({ region: region.id, marker: region.marker }, region.fileBytes);
    this.regions.grow(region, 0, bytes.length - region.indexBytes);
    const path = indexPath(this.settings.path, region.id);
    await removeQuietly(this.fs, path);
    await writeDurably(this.fs, path, [bytes]);
  }

  /** Ends when nothing goes on in the background. */
  async settled(): Promise<void> {
    while (this.background.size > 0) await Promise.all(this.background);
  }

  private async create(queue: Queue): Promise<Region> {
    while (this.background.size >= maxInBackground) await Promise.race(this.background);
    const id = this.nextRegion++;
    const marker = this.random.bytes(markerBytes);
    const path = regionPath(this.settings.path, id);
    const file = await this.fs.createFile(path);
    const header = encodeRegionHeader({ region: id, marker, queue });
    try {
      await file.write([header], 0);
    } catch (error) {
      await file.close().catch(() => undefined);
      await removeQuietly(this.fs, path);
      throw error;
    }
    const region = newRegion(id, queue, marker, { state: 'open', file, fileBytes: header.length });
    this.regions.add(region);
    this.writing.set(queue, { region, folders: new Set(), unsyncedBytes: 0, syncing: undefined });
    return region;
  }

  /** The index must not name what a power loss may take, so the records are made durable first. */
  private async finish({ region, syncing }: Writing): Promise<void> {
    try {
      await syncing;
      await region.file?.sync();
      await closeFile(region);
      region.entries.trim();
      if (region.entries.length > 0) await this.writeIndex(region);
    } finally {
      // Without an index it is a region all the same.
      region.state = 'sealed';
      this.events.sealed(region);
    }
  }

  private rowOf(region: Region, entry: number): IndexRow | undefined {
    const { table, folders } = this.book;
    if (table.regionOf(entry) !== region.id || table.directoryOf(entry) !== this.settings.directory) {
      return undefined;
    }
    const { offset, headerBytes, pageBytes, filledSeconds } = table.placeAt(entry);
    return {
      hash: table.hashOf(entry),
      path32: table.path32Of(entry),
      ...folders.nameOf(table.folderOf(entry)),
      offset,
      headerBytes,
      pageBytes,
      filledSeconds,
    };
  }

  private nameBytes({ folders }: Writing, text: string): number {
    if (folders.has(text)) return 0;
    folders.add(text);
    return Buffer.byteLength(text) + 1;
  }

  private syncAhead(writing: Writing, writtenBytes: number): void {
    writing.unsyncedBytes += writtenBytes;
    if (writing.syncing || writing.unsyncedBytes < this.settings.unsyncedBytes) return;
    writing.unsyncedBytes = 0;
    writing.syncing = (writing.region.file as { sync(): Promise<void> }).sync().finally(() => {
      writing.syncing = undefined;
    });
    this.run(writing.syncing);
  }

  private run(work: Promise<void>): void {
    const guarded = work.catch(this.events.failed).finally(() => this.background.delete(guarded));
    this.background.add(guarded);
  }
}

async function closeFile(region: Region, syncing?: Promise<void>): Promise<void> {
  await syncing?.catch(() => undefined);
  const { file } = region;
  region.file = undefined;
  await file?.close();
}
