import { hash } from 'node:crypto';
import { crc32 } from '@node-rs/crc32';
import { pageName } from './page-key.ts';
import type { PageKey } from './page-store.ts';

/**
 * A page file describes itself, so that an index can be made anew from the files. Numbers are little-endian u32:
 *
 *     'FBP1' · header length · block size · page length · key length · key (JSON, UTF-8) · CRC-32 of each block · CRC-32 of all before
 *     page bytes
 *
 * The header ends with its own checksum, so a file that was torn at any byte is told from a whole one.
 */
export interface PageHeader {
  readonly headerBytes: number;
  readonly blockBytes: number;
  readonly pageBytes: number;
  readonly key: PageKey;
  /** One CRC-32 per block. */
  readonly checksums: readonly number[];
}

const magic = Buffer.from('FBP1');
const fixedBytes = 20;
/** Larger than any header: a key of 1,600 bytes, all of them escaped, and a page of 16 Ki blocks. */
const maxHeaderBytes = 128 * 1024;
export const blockBytes = 64 * 1024;

/** What a page file is called: 128 bits of a SHA-256 over the key, in hex. */
export function pageFileName(key: PageKey): string {
  return hash('sha256', pageName(key), 'hex').slice(0, 32);
}

export function totalBytes(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

export function encodeHeader(key: PageKey, pieces: readonly Buffer[]): Buffer {
  const pageBytes = totalBytes(pieces);
  const keyText = Buffer.from(
    JSON.stringify([key.incarnation, key.path, key.generation, key.pageSizeBytes, key.pageIndex]),
  );
  const blockCount = Math.ceil(pageBytes / blockBytes);
  const header = Buffer.allocUnsafe(fixedBytes + keyText.length + 4 * blockCount + 4);
  magic.copy(header);
  header.writeUInt32LE(header.length, 4);
  header.writeUInt32LE(blockBytes, 8);
  header.writeUInt32LE(pageBytes, 12);
  header.writeUInt32LE(keyText.length, 16);
  keyText.copy(header, fixedBytes);
  let at = fixedBytes + keyText.length;
  for (const checksum of blockChecksums(pieces)) at = header.writeUInt32LE(checksum, at);
  header.writeUInt32LE(crc32(header.subarray(0, -4)), header.length - 4);
  return header;
}

/** A CRC-32 for each block of the bytes, whose pieces may end anywhere. */
function blockChecksums(pieces: readonly Buffer[]): number[] {
  const checksums: number[] = [];
  let checksum = 0;
  let left = blockBytes;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + left);
      checksum = crc32(part, checksum);
      at += part.length;
      left -= part.length;
      if (left > 0) continue;
      checksums.push(checksum);
      checksum = 0;
      left = blockBytes;
    }
  }
  if (left < blockBytes) checksums.push(checksum);
  return checksums;
}

/** The header's length as the first bytes of a file say it; undefined if this is no page file. */
export function headerLength(start: Buffer): number | undefined {
  if (start.length < fixedBytes || !start.subarray(0, 4).equals(magic)) return undefined;
  const length = start.readUInt32LE(4);
  return length >= fixedBytes + 4 && length <= maxHeaderBytes ? length : undefined;
}

/** The header at the beginning of `start`; undefined if it is not whole and unharmed. */
export function decodeHeader(start: Buffer): PageHeader | undefined {
  const length = headerLength(start);
  if (length === undefined || start.length < length) return undefined;
  const header = start.subarray(0, length);
  if (crc32(header.subarray(0, -4)) !== header.readUInt32LE(length - 4)) return undefined;
  const [block, pageBytes, keyBytes] = [8, 12, 16].map((at) => header.readUInt32LE(at)) as [
    number,
    number,
    number,
  ];
  const blockCount = Math.ceil(pageBytes / block);
  if (fixedBytes + keyBytes + 4 * blockCount + 4 !== length) return undefined;
  const key = decodeKey(header.toString('utf8', fixedBytes, fixedBytes + keyBytes));
  if (!key) return undefined;
  const checksums = Array.from({ length: blockCount }, (_, i) =>
    header.readUInt32LE(fixedBytes + keyBytes + 4 * i),
  );
  return { headerBytes: length, blockBytes: block, pageBytes, key, checksums };
}

function decodeKey(text: string): PageKey | undefined {
  try {
    const [incarnation, path, generation, pageSizeBytes, pageIndex] = JSON.parse(text);
    return { incarnation, path, generation, pageSizeBytes, pageIndex };
  } catch {
    return undefined; // Its checksum is right, but this is not what `encodeHeader` writes.
  }
}

/** The whole blocks that a range within a page touches, as a range within the page. */
export function blocksAround(header: PageHeader, start: number, end: number): { start: number; end: number } {
  const { blockBytes: size, pageBytes } = header;
  return { start: Math.floor(start / size) * size, end: Math.min(Math.ceil(end / size) * size, pageBytes) };
}

/** True if every block of `bytes`, which begin with a block at `start`, has its checksum. */
export function blocksAreWhole(header: PageHeader, start: number, bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += header.blockBytes) {
    const block = bytes.subarray(at, at + header.blockBytes);
    if (crc32(block) !== header.checksums[(start + at) / header.blockBytes]) return false;
  }
  return true;
}
