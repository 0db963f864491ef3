import type { OpenFile } from '../../ufs/file-system.ts';
import {
  decodeRecordHeader,
  type RecordHeader,
  recordHeaderLength,
  usualHeaderBytes,
} from './record-format.ts';
import { regionHeaderBytes } from './region-format.ts';

/** A record whose header was found whole in a region's file. */
export interface FoundRecord {
  readonly offset: number;
  readonly header: RecordHeader;
}

const windowBytes = 256 * 1024;

/**
 * The records of a region's file, from its headers, in order. Ends at the first that is not whole: what follows a torn write was never
 * named by anything, and behind a damaged header nobody knows where the next one is. Bytes of pages are not looked at.
 */
export async function* scanRegion(
  file: OpenFile,
  marker: Buffer,
  fileBytes: number,
): AsyncGenerator<FoundRecord> {
  const window = new ScanWindow(file, fileBytes);
  for (let offset = regionHeaderBytes; offset < fileBytes; ) {
    const length = recordHeaderLength(await window.at(offset, usualHeaderBytes), marker, offset);
    if (length === undefined) return;
    const header = decodeRecordHeader(await window.at(offset, length), marker, offset);
    if (!header || offset + header.headerBytes + header.pageBytes > fileBytes) return;
    yield { offset, header };
    offset += header.headerBytes + header.pageBytes;
  }
}

/** Reads ahead, so that small records cost no read each. */
class ScanWindow {
  private readonly file: OpenFile;
  private readonly fileBytes: number;
  private start = 0;
  private bytes = Buffer.alloc(0);

  constructor(file: OpenFile, fileBytes: number) {
    this.file = file;
    this.fileBytes = fileBytes;
  }

  /** Up to `length` bytes from `offset` on: fewer only at the file's end. */
  async at(offset: number, length: number): Promise<Buffer> {
    const end = Math.min(offset + length, this.fileBytes);
    if (offset < this.start || end > this.start + this.bytes.length) {
      // A new one each time: what was found in the last one is still in use.
      const window = Buffer.allocUnsafe(Math.min(Math.max(windowBytes, length), this.fileBytes - offset));
      this.bytes = window.subarray(0, await this.file.read(window, offset));
      this.start = offset;
    }
    return this.bytes.subarray(offset - this.start, end - this.start);
  }
}
