import type { ByteRange } from '../common/byte-range.ts';
import type { ByteText } from '../common/byte-text.ts';
import { Loans } from './loans.ts';
import { pageKeyOf } from './page-key.ts';
import { cut, join, type Piece } from './page-pieces.ts';
import type { PageStore } from './page-store.ts';
import type { ReadTarget } from './reader.ts';
import { smallObjectBytes } from './small-objects.ts';

/** The range, if all of its pages can be had at once; of one page it may be lent, of several it is put together. */
export function readPagesNow(
  store: Pick<PageStore, 'readNow' | 'smallObjects'>,
  target: ReadTarget,
  range: ByteRange,
): { readonly body: Buffer | ByteText; readonly giveBack?: () => void } | undefined {
  if (range.start === 0 && range.end === target.meta.sizeBytes && range.end <= smallObjectBytes) {
    const body = store.smallObjects?.find(target);
    if (body) return { body };
  }
  const { pageSizeBytes } = target;
  const page = Math.floor(range.start / pageSizeBytes);
  const pageStart = page * pageSizeBytes;
  if (range.end - pageStart > pageSizeBytes) return readSeveralNow(store, cut(target, range));
  const loans = new Loans();
  const key = pageKeyOf(target, page);
  const body = store.readNow(key, range.start - pageStart, range.end - pageStart, loans);
  if (!body) return undefined;
  return loans.isEmpty ? { body } : { body, giveBack: () => loans.giveBack() };
}

function readSeveralNow(
  store: Pick<PageStore, 'readNow'>,
  pieces: readonly Piece[],
): { readonly body: Buffer } | undefined {
  const parts: Buffer[] = [];
  for (const { key, start, end } of pieces) {
    const bytes = store.readNow(key, start, end);
    if (!bytes) return undefined;
    parts.push(bytes);
  }
  return { body: join(parts) };
}
