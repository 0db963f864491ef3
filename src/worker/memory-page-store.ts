import type { Metrics } from '../common/metrics.ts';
import { CachePolicy } from './cache-policy.ts';
import { totalBytes } from './page-format.ts';
import { pageName } from './page-key.ts';
import type { PageKey, PageStore } from './page-store.ts';
import { PathNames } from './path-names.ts';

export interface MemoryPageStoreSettings {
  /** Bytes of pages and their overhead. */
  readonly capacityBytes: number;
  /** Larger pages are not kept. */
  readonly maxPageBytes: number;
}

interface HeldPage {
  readonly name: string;
  readonly key: PageKey;
  readonly bytes: Buffer;
  /** Where the last read ended: a read that goes on from there is no new use of the page. */
  lastEnd: number;
}

/** What a page costs beside its bytes: map slots, queue node, names. Measured on Node 26 at about this much. */
const overheadBytes = 512;

/**
 * Pages in memory. What enters was checked where it came from (a fill, or a disk tier that compares checksums), so it is not
 * checked again.
 */
export class MemoryPageStore implements PageStore {
  private readonly metrics: Metrics;
  private readonly settings: MemoryPageStoreSettings;
  private readonly policy: CachePolicy<HeldPage>;
  private readonly paths = new PathNames();
  private pageBytes = 0;

  constructor(metrics: Metrics, settings: MemoryPageStoreSettings) {
    this.metrics = metrics;
    this.settings = settings;
    this.policy = new CachePolicy({
      capacityBytes: settings.capacityBytes,
      maxEntries: Number.POSITIVE_INFINITY,
    });
  }

  get usage() {
    return {
      pages: this.policy.count,
      bytes: this.pageBytes,
      capacityBytes: this.settings.capacityBytes,
    };
  }

  async read(key: PageKey, start: number, end: number): Promise<Buffer | undefined> {
    return this.readNow(key, start, end);
  }

  readNow(key: PageKey, start: number, end: number): Buffer | undefined {
    const name = pageName(key);
    const page = this.policy.get(name);
    if (!page || end > page.bytes.length) return undefined;
    if (start !== page.lastEnd) this.policy.touch(name);
    page.lastEnd = end === page.bytes.length ? -1 : end;
    return start === 0 && end === page.bytes.length ? page.bytes : page.bytes.subarray(start, end);
  }

  has(key: PageKey): boolean {
    return this.policy.get(pageName(key)) !== undefined;
  }

  async write(key: PageKey, ...pieces: readonly Buffer[]): Promise<void> {
    this.keep(key, ...pieces);
  }

  /** As `write`, without a promise. */
  keep(key: PageKey, ...pieces: readonly Buffer[]): void {
    const length = totalBytes(pieces);
    const costBytes = length + overheadBytes + key.path.length;
    if (length > this.settings.maxPageBytes || !this.policy.fits(costBytes)) return;
    const name = pageName(key);
    if (this.policy.get(name)) return;
    const [first = Buffer.alloc(0), ...more] = pieces;
    const bytes = withoutSlab(more.length === 0 ? first : Buffer.concat(pieces, length));
    const page: HeldPage = { name, key, bytes, lastEnd: -1 };
    const evicted = this.policy.admit(name, costBytes, page);
    this.paths.add(key.incarnation, key.path, name);
    this.pageBytes += bytes.length;
    for (const dropped of evicted) this.dropped(dropped);
    if (evicted.length > 0) this.metrics.pageEvictions.inc({ tier: 'memory' }, evicted.length);
    this.metrics.cacheBytes.set({ tier: 'memory' }, this.pageBytes);
  }

  async remove(incarnation: string, path: string, keepGeneration?: string): Promise<void> {
    for (const name of this.paths.of(incarnation, path)) {
      if (this.policy.get(name)?.key.generation !== keepGeneration) this.forget(name);
    }
  }

  async removeIncarnation(incarnation: string): Promise<void> {
    for (const page of [...this.policy.values()]) {
      if (page.key.incarnation === incarnation) this.forget(page.name);
    }
  }

  async close(): Promise<void> {
    for (const page of [...this.policy.values()]) this.forget(page.name);
  }

  private forget(name: string): void {
    const page = this.policy.remove(name);
    if (page) this.dropped(page);
    this.metrics.cacheBytes.set({ tier: 'memory' }, this.pageBytes);
  }

  private dropped(page: HeldPage): void {
    this.paths.remove(page.key.incarnation, page.key.path, page.name);
    this.pageBytes -= page.bytes.length;
  }
}

/** A small Buffer that is a window on a large one would keep all of it alive. */
function withoutSlab(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength <= bytes.length + overheadBytes) return bytes;
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}
