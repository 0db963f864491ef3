/** A half-open range of bytes, `[start, end)`. HTTP's inclusive form exists only in `s3api/range.ts`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export function rangeLength(range: ByteRange): number {
  return range.end - range.start;
}
