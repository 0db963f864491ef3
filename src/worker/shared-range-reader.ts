import { type ByteRange, rangeLength } from '../common/byte-range.ts';
import type { Metrics } from '../common/metrics.ts';
import { type LongReadParts, openLongRead, type VersionKeeper } from './long-read.ts';
import { cut, join } from './page-pieces.ts';
import { defaultPageReaderSettings } from './page-reader.ts';
import type { PageStore } from './page-store.ts';
import { readPagesNow } from './pages-now.ts';
import { type PageRead, type RangeReader, type ReadTarget, WorkerError } from './reader.ts';
import { ServedBytes } from './served-bytes.ts';
import type { SharedDiskReader } from './shared-disk-reader.ts';
import { defaultTieredPageStoreSettings } from './tiered-page-store.ts';

/** What is gathered from the disk before it is answered. More goes out piece by piece. */
const maxGatheredBytes = 256 * 1024;
/** Small pages on disk are left to the store thread, which brings them into memory when they are asked for. */
const { promoteBytes } = defaultTieredPageStoreSettings;

/** Reads what is at hand in a thread that fills nothing: a range whose pages are not all there is `not-cached`. */
export class SharedRangeReader implements RangeReader {
  private readonly memory: Pick<PageStore, 'has' | 'readNow' | 'smallObjects'>;
  private readonly disk: Pick<SharedDiskReader, 'pageBytesOf' | 'read'> | undefined;
  private readonly served: ServedBytes;
  private readonly long: LongReadParts | undefined;

  /** Without a `keeper` nothing is read that goes out piece by piece. */
  constructor(
    metrics: Metrics,
    memory: Pick<PageStore, 'has' | 'readNow' | 'smallObjects'>,
    disk?: Pick<SharedDiskReader, 'pageBytesOf' | 'read'>,
    keeper?: VersionKeeper,
  ) {
    this.memory = memory;
    this.disk = disk;
    const served = new ServedBytes(metrics);
    this.served = served;
    const { sliceBytes } = defaultPageReaderSettings;
    this.long = keeper && { memory, disk, keeper, served, sliceBytes };
  }

  async open(target: ReadTarget, range: ByteRange, signal?: AbortSignal): Promise<PageRead> {
    const found = this.openNow(target, range) ?? (await this.gather(target, range, signal));
    if (!found) throw new WorkerError('not-cached', 'not all of its pages are at hand in this thread');
    return found;
  }

  /** Of no matter: a thread asks no backend. */
  holdsSome(): boolean {
    return true;
  }

  openNow(target: ReadTarget, range: ByteRange): PageRead | undefined {
    if (!mayUse(target) || rangeLength(range) > target.pageSizeBytes) return undefined;
    const now = readPagesNow(this.memory, target, range);
    if (!now) return undefined;
    this.served.count('hit', now.body.length);
    return { cache: 'hit', ...now };
  }

  private async gather(
    target: ReadTarget,
    range: ByteRange,
    signal: AbortSignal | undefined,
  ): Promise<PageRead | undefined> {
    const { disk } = this;
    if (!mayUse(target)) return undefined;
    if (rangeLength(range) > maxGatheredBytes) {
      return this.long && openLongRead(this.long, target, range, signal);
    }
    if (!disk) return undefined;
    const pieces = cut(target, range);
    if (pieces.some(({ key }) => (disk.pageBytesOf(key) ?? 0) <= promoteBytes)) return undefined;
    const parts = await Promise.all(
      pieces.map(({ key, start, end }) => this.memory.readNow(key, start, end) ?? disk.read(key, start, end)),
    );
    const whole = parts.filter((part) => part !== undefined);
    if (whole.length < parts.length) return undefined;
    const body = join(whole);
    this.served.count('hit', body.length);
    return { cache: 'hit', body };
  }
}

/** Whether pages of the version may be used. */
function mayUse({ meta, policy, path }: ReadTarget): boolean {
  return meta.generationSettled && (policy === undefined || policy.keeps(path, meta.sizeBytes) !== 'never');
}
