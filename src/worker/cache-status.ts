import type { ByteRange } from '../common/byte-range.ts';
import type { ReadTarget } from './reader.ts';

/** Whether the pages of a range were in the cache: all, none or some. What another node's cache has given counts as there. */
export type PageStatus = 'hit' | 'miss' | 'partial';

/** Of an answer that was gathered before it began: how many of its pages the backend had to give. */
export function statusOfWhole(fromBackend: number, pages: number): PageStatus {
  if (fromBackend === 0) return 'hit';
  return fromBackend < pages ? 'partial' : 'miss';
}

/**
 * Of an answer that goes on while it is sent. `planned` is what was here when it was asked for, `source` where its first page came from in
 * the end: it may have turned out damaged, or the node that kept it before may have given it. `isAll`: there are no pages behind it.
 */
export function statusOfStream(
  planned: PageStatus,
  source: 'hit' | 'peer' | 'fill',
  isAll: boolean,
): PageStatus {
  if (source === 'peer') return isAll ? 'hit' : 'partial';
  return planned === 'hit' && source === 'fill' ? 'partial' : planned;
}

export function isOnePage({ pageSizeBytes }: ReadTarget, { start, end }: ByteRange): boolean {
  return Math.floor(start / pageSizeBytes) === Math.floor((end - 1) / pageSizeBytes);
}
