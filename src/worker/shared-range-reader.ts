import { type ByteRange, rangeLength } from '../common/byte-range.ts';
import type { Metrics } from '../common/metrics.ts';
import { cut } from './page-pieces.ts';
import { readPagesNow } from './page-reader.ts';
import type { PageStore } from './page-store.ts';
import { type PageRead, type RangeReader, type ReadTarget, WorkerError } from './reader.ts';
import { ServedBytes } from './served-bytes.ts';
import type { SharedDiskReader } from './shared-disk-reader.ts';
import { defaultTieredPageStoreSettings } from './tiered-page-store.ts';

/**
 * What is gathered from the disk before it is answered. More would have to go out piece by piece, and this thread could not go on where a
 * page is gone or damaged by then.
 */
const maxGatheredBytes = 256 * 1024;
/** Pages that the store thread brings into memory when they are asked for are left to it. */
const { promoteBytes } = defaultTieredPageStoreSettings;

/** Reads what is at hand in a thread that fills nothing: a range whose pages are not all there is `not-cached`. */
export class SharedRangeReader implements RangeReader {
  private readonly memory: Pick<PageStore, 'readNow' | 'smallObjects'>;
  private readonly disk: Pick<SharedDiskReader, 'pageBytesOf' | 'read'> | undefined;
  private readonly served: ServedBytes;

  constructor(
    metrics: Metrics,
    memory: Pick<PageStore, 'readNow' | 'smallObjects'>,
    disk?: Pick<SharedDiskReader, 'pageBytesOf' | 'read'>,
  ) {
    this.memory = memory;
    this.disk = disk;
    this.served = new ServedBytes(metrics);
  }

  async open(target: ReadTarget, range: ByteRange): Promise<PageRead> {
    const found = this.openNow(target, range) ?? (await this.gather(target, range));
    if (!found) throw new WorkerError('not-cached', 'not all of its pages are at hand in this thread');
    return found;
  }

  /** Of no matter: a thread asks no backend. */
  holdsSome(): boolean {
    return true;
  }

  openNow(target: ReadTarget, range: ByteRange): PageRead | undefined {
    if (!target.meta.generationSettled || rangeLength(range) > target.pageSizeBytes) return undefined;
    const now = readPagesNow(this.memory, target, range);
    if (!now) return undefined;
    this.served.count('hit', now.body.length);
    return { cache: 'hit', ...now };
  }

  private async gather(target: ReadTarget, range: ByteRange): Promise<PageRead | undefined> {
    const { disk } = this;
    if (!disk || !target.meta.generationSettled || rangeLength(range) > maxGatheredBytes) return undefined;
    const pieces = cut(target, range);
    if (pieces.some(({ key }) => (disk.pageBytesOf(key) ?? 0) <= promoteBytes)) return undefined;
    const parts = await Promise.all(
      pieces.map(({ key, start, end }) => this.memory.readNow(key, start, end) ?? disk.read(key, start, end)),
    );
    const whole = parts.filter((part) => part !== undefined);
    if (whole.length < parts.length) return undefined;
    const body = whole.length === 1 ? (whole[0] as Buffer) : Buffer.concat(whole);
    this.served.count('hit', body.length);
    return { cache: 'hit', body };
  }
}
