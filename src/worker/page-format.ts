import { crc32 } from '@node-rs/crc32';

/** Checksums are kept and compared for each so many bytes of a page. */
export const blockBytes = 64 * 1024;

export function totalBytes(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** A CRC-32 for each block of the bytes, whose pieces may end anywhere. */
export function blockChecksums(pieces: readonly Buffer[]): number[] {
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

/** The whole blocks that a range within a page touches, as a range within the page. */
export function blocksAround(pageBytes: number, start: number, end: number): { start: number; end: number } {
  return {
    start: Math.floor(start / blockBytes) * blockBytes,
    end: Math.min(Math.ceil(end / blockBytes) * blockBytes, pageBytes),
  };
}

/** True if every block of `bytes`, which begin with a block at `start` within the page, has its checksum. */
export function blocksAreWhole(checksums: readonly number[], start: number, bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += blockBytes) {
    if (crc32(bytes.subarray(at, at + blockBytes)) !== checksums[(start + at) / blockBytes]) return false;
  }
  return true;
}
