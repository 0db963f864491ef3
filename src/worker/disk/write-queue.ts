import type { AdmissionPolicy, Queue } from '../admission.ts';
import type { PageBook } from './page-book.ts';
import type { PageWrite } from './page-write.ts';
import type { RegionWriter } from './region-writer.ts';
import type { Region } from './regions.ts';
import type { RemovalLog } from './removal-log.ts';

export interface WriteQueueParts {
  readonly book: PageBook;
  readonly writer: RegionWriter;
  readonly removals: RemovalLog;
  readonly policy: AdmissionPolicy;
  /** The directory's number in the table. */
  readonly directory: number;
  /** Takes an entry of a removed incarnation out of the table. */
  readonly sweep: (entry: number) => void;
}

/** Bytes of pages that are written in one go. */
const batchBytes = 1024 * 1024;

/** Pages that wait to be written to a directory, in the order they came in; small ones are written together. */
export class WriteQueue {
  private readonly parts: WriteQueueParts;
  private readonly waiting: PageWrite[] = [];

  constructor(parts: WriteQueueParts) {
    this.parts = parts;
  }

  /** The one to be written next. */
  get first(): PageWrite | undefined {
    return this.waiting[0];
  }

  push(write: PageWrite): void {
    this.waiting.push(write);
  }

  dropFirst(): void {
    this.waiting.shift()?.end();
  }

  clear(): void {
    for (const write of this.waiting.splice(0)) write.end();
  }

  /** Writes the first page, which fits, and those behind it that fit too and go to the same region. */
  async writeBatch(first: PageWrite, fits: (bytes: number) => boolean): Promise<void> {
    const { writer } = this.parts;
    const region = await writer.regionFor(this.queueOf(first), first.bytes);
    const batch: PageWrite[] = [];
    let bytes = 0;
    for (let write = this.first; write; write = this.first) {
      if (write.cancelled) {
        this.dropFirst();
        continue;
      }
      const isSmall = bytes + write.bytes <= batchBytes && fits(bytes + write.bytes);
      if (batch.length > 0 && !isSmall) break;
      if (this.queueOf(write) !== region.queue || !writer.accepts(region, bytes, write.bytes)) break;
      batch.push(write);
      bytes += write.bytes;
      this.waiting.shift();
    }
    try {
      const records = batch.map(({ record }) => record);
      const offsets = batch.length > 0 ? await writer.append(region, records) : [];
      for (const [i, write] of batch.entries()) this.written(region, write, offsets[i] as number);
    } finally {
      for (const write of batch) write.end();
    }
  }

  /** Makes a page known whose record is in its place, if it is wanted still. */
  private written(region: Region, write: PageWrite, offset: number): void {
    const { book, removals, directory, sweep } = this.parts;
    const present = book.table.entryOf(write.hash);
    const isDead = present !== 0 && book.table.isRemoved(book.table.folderOf(present));
    if (isDead) sweep(present);
    if (write.cancelled || (present !== 0 && !isDead) || !book.hasRoom) {
      removals.addDead(region.id, offset);
      return;
    }
    const { pageBytes, filledSeconds } = write.record.header;
    const row = {
      hash: write.hash,
      path32: write.path32,
      offset,
      headerBytes: write.bytes - pageBytes,
      pageBytes,
      filledSeconds,
    };
    const name = { incarnation: write.key.incarnation, folder: write.folder };
    region.entries.push(book.add(name, row, directory, region.id));
    region.livePages++;
    region.liveBytes += write.bytes;
  }

  private queueOf(write: PageWrite): Queue {
    write.queue ??= this.parts.policy.admit((write.hash[3] as number) >>> 0, write.bytes, write.key.isLoad);
    return write.queue;
  }
}
