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

/** What is taken of a range at once. */
export interface RangeSlice {
  readonly key: PageKey;
  /** Within the page. */
  readonly start: number;
  readonly end: number;
  /** Where the range's part of the page ends. */
  readonly pageEnd: number;
}

/** The slice of a range that begins at byte `at`: up to the next multiple of `sliceBytes` in its page. */
export function sliceOf(target: ReadTarget, range: ByteRange, at: number, sliceBytes: number): RangeSlice {
  const page = Math.floor(at / target.pageSizeBytes);
  const pageStart = page * target.pageSizeBytes;
  const start = at - pageStart;
  const pageEnd = Math.min(target.pageSizeBytes, range.end - pageStart);
  const sliceEnd = (Math.floor(start / sliceBytes) + 1) * sliceBytes;
  return { key: pageKeyOf(target, page), start, end: Math.min(pageEnd, sliceEnd), pageEnd };
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
