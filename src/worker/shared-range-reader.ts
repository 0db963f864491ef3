import { type ByteRange, rangeLength } from '../common/byte-range.ts';
import type { Metrics } from '../common/metrics.ts';
import { readPagesNow } from './page-reader.ts';
import type { PageStore } from './page-store.ts';
import { type PageRead, type RangeReader, type ReadTarget, WorkerError } from './reader.ts';
import { ServedBytes } from './served-bytes.ts';

/** Reads what is at hand in a thread that fills nothing: a range whose pages are not all there is `not-cached`. */
export class SharedRangeReader implements RangeReader {
  private readonly pages: Pick<PageStore, 'readNow'>;
  private readonly served: ServedBytes;

  constructor(metrics: Metrics, pages: Pick<PageStore, 'readNow'>) {
    this.pages = pages;
    this.served = new ServedBytes(metrics);
  }

  async open(target: ReadTarget, range: ByteRange): Promise<PageRead> {
    const now = this.openNow(target, range);
    if (!now) throw new WorkerError('not-cached', 'not all of its pages are at hand in this thread');
    return now;
  }

  openNow(target: ReadTarget, range: ByteRange): PageRead | undefined {
    if (!target.meta.generationSettled || rangeLength(range) > target.pageSizeBytes) return undefined;
    const now = readPagesNow(this.pages, target, range);
    if (!now) return undefined;
    this.served.count('hit', now.body.length);
    return { cache: 'hit', ...now };
  }
}
