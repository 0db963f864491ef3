import { crc32 } from '@node-rs/crc32';
import { blockBytes } from '../page-format.ts';
import type { PageKey } from '../page-store.ts';
import { maxHeaderBytes } from './page-table.ts';

/**
 * A record is a page in a region's file, and describes itself, so that an index can be made anew from the file. Numbers are
 * little-endian u32:
 *
 *     marker of the region (8 bytes) · header length · page length · offset in the file · key length · 0 · when it was filled (s, Unix time)
 *     key (JSON, UTF-8) · zeros up to a multiple of 8, less 4 · CRC-32 of each block · CRC-32 of all before
 *     page bytes
 *
 * The marker is chance, made for each region: bytes that a client has stored, or that another file left on the disk, are no record.
 */
export interface RecordHeader {
  readonly headerBytes: number;
  readonly pageBytes: number;
  readonly keyText: Buffer;
  /** When the page was filled, Unix time. */
  readonly filledSeconds: number;
  /** One CRC-32 per block. */
  readonly checksums: readonly number[];
}

const fixedBytes = 32;
export const markerBytes = 8;
/** What is read where a header's length is not known: most are shorter. */
export const usualHeaderBytes = 1024;

export function keyTextOf(key: PageKey): Buffer {
  return Buffer.from(
    JSON.stringify([key.incarnation, key.path, key.generation, key.pageSizeBytes, key.pageIndex]),
  );
}

export function headerBytesOf(keyTextBytes: number, pageBytes: number): number {
  return Math.ceil((fixedBytes + keyTextBytes + 4 * Math.ceil(pageBytes / blockBytes) + 4) / 8) * 8;
}

/** The header of a record at `offset` of the region with this marker. */
export function encodeRecordHeader(
  marker: Buffer,
  offset: number,
  record: Omit<RecordHeader, 'headerBytes'>,
): Buffer {
  const { keyText, pageBytes, checksums } = record;
  const header = Buffer.alloc(headerBytesOf(keyText.length, pageBytes));
  marker.copy(header);
  header.writeUInt32LE(header.length, 8);
  header.writeUInt32LE(pageBytes, 12);
  header.writeUInt32LE(offset, 16);
  header.writeUInt32LE(keyText.length, 20);
  header.writeUInt32LE(record.filledSeconds, 28);
  keyText.copy(header, fixedBytes);
  let at = header.length - 4 - 4 * checksums.length;
  for (const checksum of checksums) at = header.writeUInt32LE(checksum, at);
  header.writeUInt32LE(crc32(header.subarray(0, -4)), at);
  return header;
}

/** The header's length as its first bytes say it; undefined if this is no record of that region at that offset. */
export function recordHeaderLength(start: Buffer, marker: Buffer, offset: number): number | undefined {
  if (start.length < fixedBytes || !start.subarray(0, markerBytes).equals(marker)) return undefined;
  const length = start.readUInt32LE(8);
  const right =
    length > fixedBytes && length <= maxHeaderBytes && length % 8 === 0 && start.readUInt32LE(16) === offset;
  return right ? length : undefined;
}

/** The header at the beginning of `start`; undefined if it is not whole and unharmed. */
export function decodeRecordHeader(start: Buffer, marker: Buffer, offset: number): RecordHeader | undefined {
  const length = recordHeaderLength(start, marker, offset);
  if (length === undefined || start.length < length) return undefined;
  if (crc32(start.subarray(0, length - 4)) !== start.readUInt32LE(length - 4)) return undefined;
  const pageBytes = start.readUInt32LE(12);
  const keyBytes = start.readUInt32LE(20);
  if (headerBytesOf(keyBytes, pageBytes) !== length) return undefined;
  const blockCount = Math.ceil(pageBytes / blockBytes);
  const checksums: number[] = [];
  for (let at = length - 4 - 4 * blockCount; at < length - 4; at += 4) checksums.push(start.readUInt32LE(at));
  return {
    headerBytes: length,
    pageBytes,
    keyText: start.subarray(fixedBytes, fixedBytes + keyBytes),
    filledSeconds: start.readUInt32LE(28),
    checksums,
  };
}

/** The key of a header whose checksum is right; undefined if it is not what `keyTextOf` writes. */
export function keyOf(keyText: Buffer): PageKey | undefined {
  try {
    const [incarnation, path, generation, pageSizeBytes, pageIndex] = JSON.parse(keyText.toString());
    const right =
      [incarnation, path, generation].every((part) => typeof part === 'string') &&
      [pageSizeBytes, pageIndex].every(Number.isSafeInteger);
    return right ? { incarnation, path, generation, pageSizeBytes, pageIndex } : undefined;
  } catch {
    return undefined;
  }
}
