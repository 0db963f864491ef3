import type { HeldPages } from '../common/held-pages.ts';
import type { DiskPageStore } from './disk-page-store.ts';
import { Ghost } from './ghost.ts';
import type { Loans } from './loans.ts';
import type { MemoryPageStore } from './memory-page-store.ts';
import { pageName } from './page-key.ts';
import type { PageKey, PageStore } from './page-store.ts';
import { SingleFlight } from './single-flight.ts';

export interface TieredPageStoreSettings {
  /**
   * Pages up to this size are read whole from the disk and kept in memory; of larger ones what is asked for is read, and the whole when it
   * is the second time.
   */
  readonly promoteBytes: number;
}

export const defaultTieredPageStoreSettings: TieredPageStoreSettings = { promoteBytes: 64 * 1024 };

/** Memory over disk. The disk has what memory has, as far as it could be written. */
export class TieredPageStore implements PageStore {
  private readonly memory: MemoryPageStore;
  private readonly disk: DiskPageStore;
  private readonly settings: TieredPageStoreSettings;
  private readonly promotions = new SingleFlight<Buffer | undefined>();
  /** Larger pages that were begun to be read from the disk, as far back as they would be in memory by now. */
  private readonly readOnce: Ghost;

  constructor(
    memory: MemoryPageStore,
    disk: DiskPageStore,
    settings: TieredPageStoreSettings = defaultTieredPageStoreSettings,
  ) {
    this.memory = memory;
    this.disk = disk;
    this.settings = settings;
    const windowBytes = memory.usage.capacityBytes;
    // Nothing of what a quota gave up stays in memory.
    disk.onQuotaDrop = (path32) => memory.removePath32(path32);
    this.readOnce = new Ghost({ windowBytes, entries: Math.ceil(windowBytes / settings.promoteBytes) });
  }

  get smallObjects() {
    return this.memory.smallObjects;
  }

  get usage() {
    return this.disk.usage;
  }

  async read(key: PageKey, start: number, end: number, loans?: Loans): Promise<Buffer | undefined> {
    const held = this.memory.readNow(key, start, end);
    if (held) return held;
    const pageBytes = this.disk.pageBytesOf(key);
    if (pageBytes === undefined || end > pageBytes) return undefined;
    if (pageBytes > this.settings.promoteBytes && !this.isWantedAgain(key, start, pageBytes)) {
      return this.disk.read(key, start, end, loans);
    }
    const page = await this.promotions.run(pageName(key), () => this.promote(key, pageBytes));
    return page?.subarray(start, end);
  }

  readNow(key: PageKey, start: number, end: number, loans?: Loans): Buffer | undefined {
    return this.memory.readNow(key, start, end, loans);
  }

  async expect(key: PageKey): Promise<void> {
    const pageBytes = this.memory.has(key) ? undefined : this.disk.pageBytesOf(key);
    if (pageBytes === undefined || !this.isWantedAgain(key, 0, pageBytes)) return;
    await this.promotions.run(pageName(key), () => this.promote(key, pageBytes));
  }

  has(key: PageKey): boolean {
    return this.memory.has(key) || this.disk.has(key);
  }

  async check(key: PageKey): Promise<boolean> {
    return (await this.disk.check(key)) || this.memory.has(key);
  }

  hasSome(incarnation: string, path: string): boolean {
    return this.memory.hasSome(incarnation, path) || this.disk.hasSome(incarnation, path);
  }

  pathCount(): number {
    return this.disk.pathCount();
  }

  tierOf(key: PageKey) {
    return this.memory.has(key) ? 'memory' : this.disk.has(key) ? 'disk' : undefined;
  }

  /** What memory has to give up the disk keeps. */
  lastEviction(incarnation: string, path: string) {
    return this.disk.lastEviction(incarnation, path);
  }

  async write(key: PageKey, ...pieces: readonly Buffer[]): Promise<void> {
    // What has a quota is in memory only while it is on the disk, where quotas hold.
    if (this.disk.hasQuota(key.incarnation, key.path)) {
      await this.disk.write(key, ...pieces);
      if (!this.disk.has(key)) return;
      this.memory.keep(key, ...pieces);
    } else {
      this.memory.keep(key, ...pieces);
      await this.disk.write(key, ...pieces);
    }
  }

  async heldBelow(incarnation: string, prefix: string): Promise<HeldPages> {
    let { pages, bytes } = await this.disk.heldBelow(incarnation, prefix);
    await this.memory.eachBelow(incarnation, prefix, (key, length) => {
      if (this.disk.has(key)) return;
      pages++;
      bytes += length;
    });
    return { pages, bytes };
  }

  async applyPolicies(): Promise<void> {
    await this.disk.applyPolicies();
    await this.memory.applyPolicies();
  }

  async remove(incarnation: string, path: string, keepGeneration?: string): Promise<void> {
    // At once, for a page that comes from the disk in between would be kept in memory.
    await Promise.all([
      this.disk.remove(incarnation, path, keepGeneration),
      this.memory.remove(incarnation, path, keepGeneration),
    ]);
  }

  async removeIncarnation(incarnation: string): Promise<void> {
    await Promise.all([this.disk.removeIncarnation(incarnation), this.memory.removeIncarnation(incarnation)]);
  }

  async close(): Promise<void> {
    await this.memory.close();
    await this.disk.close();
  }

  /** Whether it is worth its memory to take a large page there: readers begin it, and have done so not long ago. */
  private isWantedAgain(key: PageKey, start: number, pageBytes: number): boolean {
    if (start > 0 || !this.memory.takes(pageBytes)) return false;
    const fingerprint = this.memory.fingerprintOf(key);
    if (this.readOnce.take(fingerprint)) return true;
    this.readOnce.remember(fingerprint, pageBytes);
    return false;
  }

  /** The whole page, checked on its way from the disk. */
  private async promote(key: PageKey, pageBytes: number): Promise<Buffer | undefined> {
    const page = await this.disk.read(key, 0, pageBytes);
    const filledSeconds = this.disk.filledSecondsOf(key);
    // A page that was removed meanwhile is answered once more, but not kept.
    if (page && filledSeconds !== undefined) this.memory.keepFilled(filledSeconds, key, page);
    return page;
  }
}
