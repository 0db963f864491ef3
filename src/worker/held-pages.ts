import type { ByteRange } from '../common/byte-range.ts';
import { pageKeyOf } from './page-key.ts';
import { sliceOf } from './page-pieces.ts';
import type { PageStore } from './page-store.ts';
import { type ReadTarget, WorkerError } from './reader.ts';
import type { ServedBytes } from './served-bytes.ts';

/**
 * A range in slices, as they are taken, if the store has all of its pages; the first one is at hand then. Rejects with `WorkerError` kind
 * `not-cached` in the middle where a page has gone meanwhile, or was found damaged.
 */
export async function openHeld(
  store: Pick<PageStore, 'has' | 'read'>,
  target: ReadTarget,
  range: ByteRange,
  sliceBytes: number,
  served: ServedBytes,
): Promise<AsyncIterable<Buffer> | undefined> {
  const { pageSizeBytes } = target;
  for (let page = Math.floor(range.start / pageSizeBytes); page * pageSizeBytes < range.end; page++)
    if (!store.has(pageKeyOf(target, page))) return undefined;
  const sliceAt = (at: number) => {
    const { key, start, end } = sliceOf(target, range, at, sliceBytes);
    return store.read(key, start, end);
  };
  const first = await sliceAt(range.start);
  if (!first) return undefined;
  async function* slices(slice: Buffer): AsyncGenerator<Buffer> {
    let at = range.start;
    for (let bytes: Buffer | undefined = slice; bytes; bytes = await sliceAt(at)) {
      at += bytes.length;
      served.count('hit', bytes.length);
      yield bytes;
      if (at >= range.end) return;
    }
    throw new WorkerError('not-cached', 'one of its pages has gone');
  }
  return slices(first);
}
