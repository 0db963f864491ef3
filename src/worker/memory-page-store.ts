import { type Clock, systemClock } from '../common/clock.ts';
import type { HeldPages } from '../common/held-pages.ts';
import type { Metrics } from '../common/metrics.ts';
import { nextTurn } from '../common/next-turn.ts';
import { noPolicies, notBeforeSeconds, type Policies } from '../common/policy.ts';
import { folderOf } from './disk/folders.ts';
import { PageHasher } from './disk/page-hash.ts';
import type { EvictionLog } from './eviction-log.ts';
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
  /** What holds for which pages, quotas and pins aside. */
  readonly policies?: Policies;
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
  private readonly clock: Clock;
  private readonly metrics: Metrics;
  private readonly settings: MemoryPageStoreSettings;
  private readonly evictions: EvictionLog | undefined;
  private readonly cache: SharedCache;
  private readonly reader: SharedPageReader;
  private readonly hasher = new PageHasher();

  /** `evictions`: where it is remembered what was given up; for a store that has no disk below. */
  constructor(
    metrics: Metrics,
    settings: MemoryPageStoreSettings,
    clock: Clock = systemClock,
    evictions?: EvictionLog,
  ) {
    const { capacityBytes, maxPageBytes, threadCount = 1, hashSeed = 0 } = settings;
    this.clock = clock;
    this.metrics = metrics;
    this.settings = settings;
    this.shared = createSharedCacheMemory({
      capacityBytes,
      maxValueBytes: maxPageBytes,
      usualValueBytes: usualPageBytes,
      threadCount,
      seed: hashSeed,
    });
    this.evictions = evictions;
    const evicted = (name: string) => this.gaveUp(name);
    this.cache = new SharedCache(this.shared, maxPageBytes, evictions && evicted);
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
    return this.reader.has(key);
  }

  async check(key: PageKey): Promise<boolean> {
    return this.has(key);
  }

  hasSome(incarnation: string, path: string): boolean {
    return this.cache.hasOfGroup(this.groupOf(incarnation, path), (name) => {
      const parts = partsOf(name);
      return parts.incarnation === incarnation && parts.path === path;
    });
  }

  pathCount(): number {
    return this.cache.groupCount;
  }

  lastEviction(incarnation: string, path: string) {
    return this.evictions?.last(this.groupOf(incarnation, path));
  }

  async write(key: PageKey, ...pieces: readonly Buffer[]): Promise<void> {
    this.keep(key, ...pieces);
  }

  /** As `write`, without a promise. */
  keep(key: PageKey, ...pieces: readonly Buffer[]): void {
    this.keepFilled(Math.floor(this.clock.nowMs() / 1000), key, ...pieces);
  }

  /** The same of a page that was filled then, Unix time. */
  keepFilled(filledSeconds: number, key: PageKey, ...pieces: readonly Buffer[]): void {
    const name = pageName(key);
    const present = this.cache.filledSecondsOf(name);
    if (present !== undefined && present >= (key.notBeforeSeconds ?? 0)) return;
    if (present !== undefined) this.cache.remove(name);
    const evictedBefore = this.cache.evictions;
    this.cache.put(name, this.groupOf(key.incarnation, key.path), pieces, totalBytes(pieces), filledSeconds);
    const evicted = this.cache.evictions - evictedBefore;
    if (evicted > 0) this.metrics.pageEvictions.inc({ tier: 'memory' }, evicted);
    this.measure();
  }

  async remove(incarnation: string, path: string, keepGeneration?: string): Promise<void> {
    this.cache.removeGroup(this.groupOf(incarnation, path), (name) => {
      const parts = partsOf(name);
      return parts.incarnation === incarnation && parts.path === path && parts.generation !== keepGeneration;
    });
    this.measure();
  }

  /** Forgets every page of the paths that this word stands for (`PageHasher.path32`). */
  removePath32(path32: number): void {
    this.cache.removeGroup(groupOf(path32), (name) => {
      const { incarnation, path } = partsOf(name);
      return this.hasher.path32(incarnation, path) === path32;
    });
    this.measure();
  }

  removeIncarnation(incarnation: string): Promise<void> {
    return this.removeWhere(() => true, incarnation);
  }

  async heldBelow(incarnation: string, prefix: string): Promise<HeldPages> {
    let pages = 0;
    let bytes = 0;
    await this.eachBelow(incarnation, prefix, (_, length) => {
      pages++;
      bytes += length;
    });
    return { pages, bytes };
  }

  /** Calls `look` for each page below a prefix, with its length. */
  eachBelow(
    incarnation: string,
    prefix: string,
    look: (key: PageKey, pageBytes: number) => void,
  ): Promise<void> {
    return this.removeWhere((name, length) => {
      const key = partsOf(name);
      if (key.path.startsWith(prefix)) look(key, length);
      return false;
    }, incarnation);
  }

  applyPolicies(): Promise<void> {
    const { policies = noPolicies } = this.settings;
    const nowMs = this.clock.nowMs();
    return this.removeWhere((name, _, filledSeconds) => {
      const key = partsOf(name);
      const policy = policies.of(key.incarnation, folderOf(key.path));
      if (!policy) return false;
      const isTooOld = filledSeconds < (notBeforeSeconds(policy, nowMs) ?? 0);
      return isTooOld || policy.cache === 'never';
    });
  }

  private groupOf(incarnation: string, path: string): number {
    return groupOf(this.hasher.path32(incarnation, path));
  }

  private async removeWhere(
    isUnwanted: (name: string, pageBytes: number, filledSeconds: number) => boolean,
    incarnation?: string,
  ): Promise<void> {
    const start = incarnation === undefined ? undefined : Buffer.from(`${incarnation}\0`);
    for (let slot = 0; slot < this.shared.slotCount; slot += slotsAtOnce) {
      if (slot > 0) await nextTurn();
      this.cache.removeAll(isUnwanted, slot, slot + slotsAtOnce, start);
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

  private gaveUp(name: string): void {
    const { incarnation, path } = partsOf(name);
    this.evictions?.note(this.groupOf(incarnation, path), 'room');
  }

  private measure(): void {
    this.metrics.cacheBytes.set({ tier: 'memory' }, this.cache.valueBytes);
  }
}

/** A number for all pages of a path, from the word that stands for it in a store on disk. */
function groupOf(path32: number): number {
  return path32 >>> 8;
}

/** The inverse of `pageName`. */
function partsOf(name: string): PageKey {
  const afterIncarnation = name.indexOf('\0');
  const afterSize = name.indexOf('\0', afterIncarnation + 1);
  const afterIndex = name.indexOf('\0', afterSize + 1);
  const afterGeneration = name.indexOf('\0', afterIndex + 1);
  return {
    incarnation: name.slice(0, afterIncarnation),
    pageSizeBytes: Number(name.slice(afterIncarnation + 1, afterSize)),
    pageIndex: Number(name.slice(afterSize + 1, afterIndex)),
    generation: name.slice(afterIndex + 1, afterGeneration),
    path: name.slice(afterGeneration + 1),
  };
}
