import type { Metrics } from '../common/metrics.ts';
import { nextTurn } from '../common/next-turn.ts';
import type { Loans } from './loans.ts';
import { totalBytes } from './page-format.ts';
import { pageName } from './page-key.ts';
import type { PageKey, PageStore } from './page-store.ts';
import { SharedCache } from './shared-cache.ts';
import { createSharedCacheMemory, type SharedCacheMemory } from './shared-cache-memory.ts';
import { SharedPageReader } from './shared-page-reader.ts';
import type { SmallObjects } from './small-objects.ts';

export interface MemoryPageStoreSettings {
  /** Bytes of pages and their names. */
  readonly capacityBytes: number;
  /** Larger pages are not kept. */
  readonly maxPageBytes: number;
  /** Threads that read the pages, this one among them; 1 by default. */
  readonly threadCount?: number;
  /** A number that nobody outside knows. */
  readonly hashSeed?: number;
}

const usualPageBytes = 2048;
/** Slots that are looked at in one go when a mount's pages are forgotten; reads go on in between. */
const slotsAtOnce = 8192;

/**
 * Pages in memory that other threads read too (`SharedPageReader`). What enters was checked where it came from (a fill, or a disk
 * tier that compares checksums), so it is not checked again.
 */
export class MemoryPageStore implements PageStore {
  /** For the other threads' readers. */
  readonly shared: SharedCacheMemory;
  private readonly metrics: Metrics;
  private readonly settings: MemoryPageStoreSettings;
  private readonly cache: SharedCache;
  private readonly reader: SharedPageReader;

  constructor(metrics: Metrics, settings: MemoryPageStoreSettings) {
    const { capacityBytes, maxPageBytes, threadCount = 1, hashSeed = 0 } = settings;
    this.metrics = metrics;
    this.settings = settings;
    this.shared = createSharedCacheMemory({
      capacityBytes,
      maxValueBytes: maxPageBytes,
      usualValueBytes: usualPageBytes,
      threadCount,
      seed: hashSeed,
    });
    this.cache = new SharedCache(this.shared, maxPageBytes);
    this.reader = new SharedPageReader(this.shared, this.cache.view);
  }

  get usage() {
    return {
      pages: this.cache.count,
      bytes: this.cache.valueBytes,
      capacityBytes: this.settings.capacityBytes,
    };
  }

  /** What the readers of all threads hold at the moment. */
  get holds() {
    return { pins: this.cache.view.pinCount, lentSegments: this.cache.view.lentCount };
  }

  get smallObjects(): SmallObjects {
    return this.reader.smallObjects;
  }

  async read(key: PageKey, start: number, end: number): Promise<Buffer | undefined> {
    return this.readNow(key, start, end);
  }

  readNow(key: PageKey, start: number, end: number, loans?: Loans): Buffer | undefined {
    return this.reader.readNow(key, start, end, loans);
  }

  /** Whether a page of this size could be kept. */
  takes(pageBytes: number): boolean {
    return pageBytes <= Math.min(this.settings.maxPageBytes, this.shared.segmentBytes);
  }

  /** A number that other pages seldom have. */
  fingerprintOf(key: PageKey): number {
    return this.cache.view.prepare(pageName(key)) ? this.cache.view.tag : 0;
  }

  has(key: PageKey): boolean {
    return this.cache.has(pageName(key));
  }

  hasSome(incarnation: string, path: string): boolean {
    return this.cache.hasOfGroup(groupOf(incarnation, path), (name) => {
      const parts = partsOf(name);
      return parts.incarnation === incarnation && parts.path === path;
    });
  }

  async write(key: PageKey, ...pieces: readonly Buffer[]): Promise<void> {
    this.keep(key, ...pieces);
  }

  /** As `write`, without a promise. */
  keep(key: PageKey, ...pieces: readonly Buffer[]): void {
    const name = pageName(key);
    if (this.cache.has(name)) return;
    const evictedBefore = this.cache.evictions;
    this.cache.put(name, groupOf(key.incarnation, key.path), pieces, totalBytes(pieces));
    const evicted = this.cache.evictions - evictedBefore;
    if (evicted > 0) this.metrics.pageEvictions.inc({ tier: 'memory' }, evicted);
    this.measure();
  }

  async remove(incarnation: string, path: string, keepGeneration?: string): Promise<void> {
    this.cache.removeGroup(groupOf(incarnation, path), (name) => {
      const parts = partsOf(name);
      return parts.incarnation === incarnation && parts.path === path && parts.generation !== keepGeneration;
    });
    this.measure();
  }

  async removeIncarnation(incarnation: string): Promise<void> {
    const isUnwanted = (name: string) => partsOf(name).incarnation === incarnation;
    for (let slot = 0; slot < this.shared.slotCount; slot += slotsAtOnce) {
      if (slot > 0) await nextTurn();
      this.cache.removeAll(isUnwanted, slot, slot + slotsAtOnce);
    }
    this.measure();
  }

  /** Gives up what a thread that ended without a word had borrowed. */
  forgetThread(thread: number): void {
    this.cache.forgetThread(thread);
  }

  async close(): Promise<void> {
    this.cache.removeAll(() => true);
    this.measure();
  }

  private measure(): void {
    this.metrics.cacheBytes.set({ tier: 'memory' }, this.cache.valueBytes);
  }
}

/** A number for all pages of a path. */
function groupOf(incarnation: string, path: string): number {
  let group = 0;
  for (let i = 0; i < incarnation.length; i++) group = Math.imul(group, 31) + incarnation.charCodeAt(i);
  for (let i = 0; i < path.length; i++) group = Math.imul(group, 31) + path.charCodeAt(i);
  return Math.imul(group, 0x9e3779b1 | 0) >>> 8;
}

/** The inverse of `pageName`. */
function partsOf(name: string): { incarnation: string; generation: string; path: string } {
  const afterIncarnation = name.indexOf('\0');
  const afterSize = name.indexOf('\0', afterIncarnation + 1);
  const afterIndex = name.indexOf('\0', afterSize + 1);
  const afterGeneration = name.indexOf('\0', afterIndex + 1);
  return {
    incarnation: name.slice(0, afterIncarnation),
    generation: name.slice(afterIndex + 1, afterGeneration),
    path: name.slice(afterGeneration + 1),
  };
}
