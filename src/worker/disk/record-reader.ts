import type { Mutants } from '../../common/mutants.ts';
import type { Loans } from '../loans.ts';
import { blocksAreWhole, blocksAround } from '../page-format.ts';
import { PageFaultError } from './page-fault.ts';
import type { PagePlace } from './page-table.ts';
import { ReadBuffers } from './read-buffers.ts';
import { decodeRecordHeader, type RecordHeader } from './record-format.ts';
import type { OpenRegion, RegionFiles } from './region-files.ts';

/** Records up to this size are read whole, in one go. */
const smallRecordBytes = 128 * 1024;
/** Headers of larger records that are remembered: such a page is read in several ranges. */
const rememberedHeaders = 256;

interface Remembered {
  readonly place: PagePlace;
  readonly header: RecordHeader;
}

/** A whole record that was checked. */
export interface WholeRecord {
  readonly header: RecordHeader;
  readonly bytes: Buffer;
}

/**
 * Reads pages where the table says they are, and believes nothing: header, key and every block touched are checked. Rejects with
 * `PageFaultError`. Knows no writer, so that every thread may have one of its own beside the one table.
 */
export class RecordReader {
  private readonly files: RegionFiles;
  private readonly mutants: Mutants;
  private readonly headers = new Map<number, Remembered>();
  private readonly buffers = new ReadBuffers();

  constructor(files: RegionFiles, mutants: Mutants = {}) {
    this.files = files;
    this.mutants = mutants;
  }

  /**
   * Bytes `[start, end)` of the page with this key; undefined if another page lies there, whose hash is the same. With `loans` they may be
   * lent.
   */
  read(
    place: PagePlace,
    keyText: Buffer,
    start: number,
    end: number,
    loans?: Loans,
  ): Promise<Buffer | undefined> {
    return this.files.use(place.directory, place.region, async (open) => {
      if (place.headerBytes + place.pageBytes <= smallRecordBytes) {
        const { header, bytes } = await readWhole(open, place);
        if (!isOf(header, keyText)) return undefined;
        const blocks = blocksAround(header.pageBytes, start, end);
        this.check(header, blocks.start, bytes.subarray(blocks.start, blocks.end), end);
        return bytes.subarray(start, end);
      }
      const header = await this.largeHeader(open, place);
      if (!isOf(header, keyText)) return undefined;
      return this.readBlocks(open, place, header, start, end, loans);
    });
  }

  private async readBlocks(
    open: OpenRegion,
    place: PagePlace,
    header: RecordHeader,
    start: number,
    end: number,
    loans: Loans | undefined,
  ): Promise<Buffer> {
    const blocks = blocksAround(header.pageBytes, start, end);
    const bytes = this.buffers.take(blocks.end - blocks.start, loans);
    try {
      const count = await open.file.read(bytes, place.offset + header.headerBytes + blocks.start);
      this.check(header, blocks.start, bytes.subarray(0, count), end);
    } catch (error) {
      this.buffers.giveBack(bytes);
      throw error;
    }
    // Only now, since what is given back while it is read would be read into for two.
    this.buffers.lend(bytes, loans);
    return bytes.subarray(start - blocks.start, end - blocks.start);
  }

  /** The record with all of its blocks checked, whatever key it has. */
  readRecord(place: PagePlace): Promise<WholeRecord> {
    return this.files.use(place.directory, place.region, async (open) => {
      const record = await readWhole(open, place);
      this.check(record.header, 0, record.bytes, record.header.pageBytes);
      return record;
    });
  }

  private check(header: RecordHeader, blocksStart: number, bytes: Buffer, end: number): void {
    if (bytes.length < end - blocksStart || end > header.pageBytes) {
      throw new PageFaultError('short', 'a region is shorter than the header of a record says');
    }
    if (!this.mutants.skipPageChecksum && !blocksAreWhole(header.checksums, blocksStart, bytes)) {
      throw new PageFaultError('checksum', 'a block of a page does not have its checksum');
    }
  }

  private async largeHeader(open: OpenRegion, place: PagePlace): Promise<RecordHeader> {
    const known = this.headers.get(place.entry);
    if (known && isSamePlace(known.place, place)) return known.header;
    const start = Buffer.allocUnsafe(place.headerBytes);
    const count = await open.file.read(start, place.offset);
    const header = headerOf(open, place, start.subarray(0, count));
    this.headers.delete(place.entry);
    this.headers.set(place.entry, { place, header });
    if (this.headers.size > rememberedHeaders) {
      const [oldest] = this.headers.keys();
      if (oldest !== undefined) this.headers.delete(oldest);
    }
    return header;
  }
}

function isOf(header: RecordHeader, keyText: Buffer): boolean {
  return header.keyText.equals(keyText);
}

async function readWhole(open: OpenRegion, place: PagePlace): Promise<WholeRecord> {
  const all = Buffer.allocUnsafeSlow(place.headerBytes + place.pageBytes);
  const count = await open.file.read(all, place.offset);
  const header = headerOf(open, place, all.subarray(0, count));
  return { header, bytes: all.subarray(header.headerBytes, count) };
}

function headerOf(open: OpenRegion, place: PagePlace, start: Buffer): RecordHeader {
  const header = decodeRecordHeader(start, open.header.marker, place.offset);
  if (!header || header.headerBytes !== place.headerBytes || header.pageBytes !== place.pageBytes) {
    throw new PageFaultError('checksum', 'the header of a record is damaged, or of another page');
  }
  return header;
}

function isSamePlace(a: PagePlace, b: PagePlace): boolean {
  return a.directory === b.directory && a.region === b.region && a.offset === b.offset;
}
