import type { ByteRange } from '../common/byte-range.ts';
import { pageKeyOf } from './page-key.ts';
import type { PageKey } from './page-store.ts';
import type { ReadTarget } from './reader.ts';

/** A part of a range that lies in one page; `start` and `end` count from the page's beginning. */
export interface Piece {
  readonly pageIndex: number;
  readonly key: PageKey;
  readonly start: number;
  readonly end: number;
}

/** The parts of a range, page by page. */
export function cut(target: ReadTarget, range: ByteRange): Piece[] {
  const size = target.pageSizeBytes;
  const pieces: Piece[] = [];
  for (let page = Math.floor(range.start / size); page * size < range.end; page++) {
    pieces.push({
      pageIndex: page,
      key: pageKeyOf(target, page),
      start: Math.max(0, range.start - page * size),
      end: Math.min(size, range.end - page * size),
    });
  }
  return pieces;
}

export function join(parts: readonly Buffer[]): Buffer {
  const [first] = parts;
  return parts.length === 1 && first ? first : Buffer.concat(parts);
}

/** The piece's bytes out of the page's chunks; without copying where they lie in one chunk. */
export function takePiece(chunks: readonly Buffer[], piece: Piece): Buffer {
  const parts: Buffer[] = [];
  let chunkStart = 0;
  for (const chunk of chunks) {
    const from = Math.max(0, piece.start - chunkStart);
    const to = Math.min(chunk.length, piece.end - chunkStart);
    if (from < to) parts.push(chunk.subarray(from, to));
    chunkStart += chunk.length;
  }
  return join(parts);
}
