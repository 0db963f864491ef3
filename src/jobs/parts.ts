import type { ByteRange } from '../common/byte-range.ts';
import type { Part } from './job-record.ts';

/** The whole pages that hold the parts that are meant of an object, each once, in order; none of an empty object. */
export function rangesOf(
  parts: readonly Part[] | undefined,
  sizeBytes: number,
  pageSizeBytes: number,
): ByteRange[] {
  const wanted = (parts ?? [{ start: 0 }])
    .map(({ start, end }) => ({
      start: Math.floor((start < 0 ? Math.max(0, sizeBytes + start) : start) / pageSizeBytes) * pageSizeBytes,
      end: Math.min(sizeBytes, Math.ceil((end ?? sizeBytes) / pageSizeBytes) * pageSizeBytes),
    }))
    .filter(({ start, end }) => start < end)
    .sort((a, b) => a.start - b.start);
  const ranges: ByteRange[] = [];
  for (const range of wanted) {
    const before = ranges.at(-1);
    if (!before || range.start > before.end) ranges.push(range);
    else if (range.end > before.end) ranges[ranges.length - 1] = { start: before.start, end: range.end };
  }
  return ranges;
}

export function bytesIn(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}
