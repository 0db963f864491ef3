import { join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Mutants } from '../common/mutants.ts';
import type { FileSystem } from '../ufs/file-system.ts';
import { NodeFileSystem } from '../ufs/node-file-system.ts';
import { CachePolicy } from './cache-policy.ts';
import { DiskState } from './disk-state.ts';
import { PageFileError, PageFiles } from './page-files.ts';
import { encodeHeader, pageFileName, totalBytes } from './page-format.ts';
import { PageIndex, type PageRow } from './page-index.ts';
import { reconcile } from './page-reconcile.ts';
import type { PageKey, PageStore } from './page-store.ts';
import { PathNames } from './path-names.ts';

export interface DiskPageStoreSettings {
  /** The store's own folder. */
  readonly path: string;
  /** Bytes of page files, headers included. */
  readonly capacityBytes: number;
  /** Page files, and so memory for knowing them; 500,000 by default. */
  readonly maxPages?: number;
  readonly maxOpenFiles?: number;
  /** Pages being written or waiting for it; beyond, pages are not kept. */
  readonly maxPendingWrites?: number;
  /** How long nothing is written after the disk was full or failed; then it is tried again, and so on. */
  readonly bypassMs?: number;
  readonly indexCommitMs?: number;
  readonly mutants?: Mutants;
}

/** A page on disk, or on its way there. */
export interface DiskPage extends PageRow {
  ready: boolean;
  /** Where the last read ended: a read that goes on from there is no new use of the page. */
  lastEnd: number;
}

/**
 * Pages as files of one folder, known in memory and in an index. A page file is written beside and renamed into place without
 * waiting for the disk: one that a power loss tore is found out by its checksums and is absent.
 */
export class DiskPageStore implements PageStore {
  private readonly metrics: Metrics;
  private readonly log: Log;
  private readonly settings: Required<DiskPageStoreSettings>;
  private readonly files: PageFiles;
  private readonly index: PageIndex;
  private readonly policy: CachePolicy<DiskPage>;
  private readonly paths = new PathNames();
  private readonly busy = new Set<Promise<void>>();
  /** Those of `busy` that write files. */
  private readonly placing = new Set<Promise<void>>();
  private readonly state: DiskState;
  private loaded = false;
  private closed = false;
  /** Resolves when index and files have been compared after the start, or since the disk came back; never rejects. */
  reconciled: Promise<void> = Promise.resolve();

  /**
   * Serves at once what the index knows, and compares it with the files meanwhile. A folder that cannot be used is no failure: no page
   * is there then, and it is tried again every `bypassMs`.
   */
  static async open(
    clock: Clock,
    metrics: Metrics,
    log: Log,
    settings: DiskPageStoreSettings,
    fs: FileSystem = new NodeFileSystem(),
  ): Promise<DiskPageStore> {
    const all = { ...defaults, ...settings };
    const files = new PageFiles(fs, {
      path: all.path,
      maxOpenFiles: all.maxOpenFiles,
      skipChecksums: all.mutants.skipPageChecksum ?? false,
    });
    const store = new DiskPageStore(clock, metrics, log, files, all);
    await store.begin();
    return store;
  }

  private constructor(
    clock: Clock,
    metrics: Metrics,
    log: Log,
    files: PageFiles,
    settings: Required<DiskPageStoreSettings>,
  ) {
    this.metrics = metrics;
    this.log = log;
    this.files = files;
    this.settings = settings;
    this.index = new PageIndex(
      clock,
      log,
      {
        path: join(settings.path, 'index.sqlite'),
        commitMs: settings.indexCommitMs,
        maxPending: 500,
        retryMs: settings.bypassMs,
      },
      () => this.metrics.pageStoreErrors.inc({ reason: 'index' }),
    );
    this.policy = new CachePolicy({ capacityBytes: settings.capacityBytes, maxEntries: settings.maxPages });
    this.state = new DiskState(
      clock,
      metrics,
      log,
      { path: settings.path, retryMs: settings.bypassMs },
      (fault) => this.recover(fault),
    );
  }

  get usage() {
    return {
      pages: this.policy.count,
      bytes: this.policy.usedBytes,
      capacityBytes: this.settings.capacityBytes,
    };
  }

  /** Page files that are open at the moment. */
  get openFileCount(): number {
    return this.files.openCount;
  }

  /** False while the disk is passed by. */
  get isUp(): boolean {
    return this.state.isUp;
  }

  async read(key: PageKey, start: number, end: number): Promise<Buffer | undefined> {
    const name = pageFileName(key);
    const page = this.policy.get(name);
    if (!page?.ready || end > page.pageBytes || this.closed) return undefined;
    if (start !== page.lastEnd) this.policy.touch(name);
    page.lastEnd = end === page.pageBytes ? -1 : end;
    try {
      return await this.files.read(name, key, page.fileBytes, start, end);
    } catch (error) {
      // A page that was given up while it was read is no fault of the disk.
      if (this.policy.get(name) === page) this.readFailed(page, error);
      return undefined;
    }
  }

  readNow(): undefined {
    return undefined;
  }

  has(key: PageKey): boolean {
    return this.policy.get(pageFileName(key))?.ready ?? false;
  }

  /** The length of a page that is there. */
  pageBytesOf(key: PageKey): number | undefined {
    const page = this.policy.get(pageFileName(key));
    return page?.ready ? page.pageBytes : undefined;
  }

  async write(key: PageKey, ...pieces: readonly Buffer[]): Promise<void> {
    const name = pageFileName(key);
    if (this.closed || !this.state.isUp || this.policy.get(name)) return;
    if (this.busy.size >= this.settings.maxPendingWrites) return;
    const header = encodeHeader(key, pieces);
    const pageBytes = totalBytes(pieces);
    const fileBytes = header.length + pageBytes;
    if (!this.policy.fits(fileBytes)) return;
    const { incarnation, path, generation } = key;
    const row: PageRow = { name, incarnation, path, generation, pageBytes, fileBytes };
    const placing = this.place(row, [header, ...pieces]);
    this.placing.add(placing);
    await this.tracked(placing.finally(() => this.placing.delete(placing)));
  }

  async remove(incarnation: string, path: string, keepGeneration?: string): Promise<void> {
    const pages = this.paths.of(incarnation, path).map((name) => this.policy.get(name));
    await this.dropAll(pages.filter((page) => page && page.generation !== keepGeneration) as DiskPage[]);
  }

  async removeIncarnation(incarnation: string): Promise<void> {
    const pages = [...this.policy.values()].filter((page) => page.incarnation === incarnation);
    await this.dropAll(pages);
  }

  /** Ends after the writes under way and the comparison; what is known is in the index then. */
  async close(): Promise<void> {
    this.closed = true;
    await this.state.close();
    await this.reconciled;
    await Promise.all(this.busy);
    this.files.close();
    this.index.close();
  }

  private async begin(): Promise<void> {
    try {
      await this.files.prepare();
    } catch (error) {
      if (!(error instanceof PageFileError)) throw error;
      this.metrics.pageStoreErrors.inc({ reason: error.reason });
      this.state.failed(error);
      return;
    }
    this.compare(this.load());
  }

  /** Makes the folder ready again after `fault`, and finds out what has become of the pages. */
  private async recover(fault: PageFileError): Promise<void> {
    await Promise.allSettled(this.placing);
    await this.files.prepare();
    if (this.closed) return;
    if (!this.loaded) return this.compare(this.load());
    // A full disk loses nothing. After anything else it may be another disk that is here now.
    if (fault.reason === 'no-space') return;
    this.files.close();
    this.index.reopen();
    this.compare([...this.policy.values()].filter((page) => page.ready));
  }

  private compare(pages: readonly DiskPage[]): void {
    this.reconciled = this.reconciled.then(() => reconcile(this.parts(), pages));
  }

  private load(): DiskPage[] {
    this.loaded = true;
    const loaded: DiskPage[] = [];
    const evicted: DiskPage[] = [];
    const whole = this.index.load((row) => {
      const page: DiskPage = { ...row, ready: true, lastEnd: -1 };
      if (!this.policy.fits(row.fileBytes)) return;
      evicted.push(...this.policy.restore(row.name, row.fileBytes, page));
      this.paths.add(row.incarnation, row.path, row.name);
      loaded.push(page);
    });
    if (!whole) for (const page of this.policy.values()) this.index.put(rowOf(page));
    void this.tracked(this.discardAll(evicted));
    this.measure();
    return loaded;
  }

  /** What the comparison of index and files works with. */
  private parts() {
    return {
      files: this.files,
      log: this.log,
      isClosed: () => this.closed,
      known: (name: string) => this.policy.get(name),
      adopt: async (row: PageRow) => {
        if (!this.policy.fits(row.fileBytes)) return false;
        const page: DiskPage = { ...row, ready: true, lastEnd: -1 };
        const evicted = this.policy.restore(row.name, row.fileBytes, page);
        this.paths.add(row.incarnation, row.path, row.name);
        this.index.put(rowOf(page));
        await this.discardAll(evicted);
        return true;
      },
      forget: (page: DiskPage) => this.forget(page),
    };
  }

  private async place(row: PageRow, pieces: readonly Buffer[]): Promise<void> {
    const page: DiskPage = { ...row, ready: false, lastEnd: -1 };
    const evicted = this.policy.admit(page.name, page.fileBytes, page);
    this.paths.add(page.incarnation, page.path, page.name);
    const isWanted = () => this.policy.get(page.name) === page;
    try {
      // Room is made before the new page takes it, so that the folder never holds more than its capacity.
      await this.discardAll(evicted);
      await this.files.write(page.name, pieces, isWanted);
      if (!isWanted()) return;
      page.ready = true;
      this.index.put(rowOf(page));
    } catch (error) {
      this.forget(page);
      this.writeFailed(error);
    }
    this.measure();
  }

  private readFailed(page: DiskPage, error: unknown): void {
    if (!(error instanceof PageFileError)) throw error;
    this.metrics.pageStoreErrors.inc({ reason: error.reason });
    this.log.warn({ err: error, page: page.name, path: page.path }, 'a page cannot be read and is given up');
    if (error.lasting) void this.tracked(this.dropAll([page]));
  }

  private writeFailed(error: unknown): void {
    if (!(error instanceof PageFileError)) throw error;
    this.metrics.pageStoreErrors.inc({ reason: error.reason });
    if (error.lasting) this.state.failed(error);
  }

  private async dropAll(pages: readonly DiskPage[]): Promise<void> {
    for (const page of pages) this.forget(page);
    this.measure();
    await this.discardFiles(pages);
  }

  private async discardAll(evicted: readonly DiskPage[]): Promise<void> {
    if (evicted.length === 0) return;
    this.metrics.pageEvictions.inc({ tier: 'disk' }, evicted.length);
    for (const page of evicted) this.forgetNames(page);
    await this.discardFiles(evicted);
  }

  /** Files of pages that are not known any more. One that cannot be removed is met again by the comparison at the next start. */
  private async discardFiles(pages: readonly DiskPage[]): Promise<void> {
    for (const page of pages) {
      try {
        await this.files.remove(page.name, () => this.policy.get(page.name) === undefined);
      } catch (error) {
        if (!(error instanceof PageFileError)) throw error;
        this.metrics.pageStoreErrors.inc({ reason: error.reason });
      }
    }
  }

  private forget(page: DiskPage): void {
    if (this.policy.get(page.name) !== page) return;
    this.policy.remove(page.name);
    this.forgetNames(page);
  }

  private forgetNames(page: DiskPage): void {
    this.paths.remove(page.incarnation, page.path, page.name);
    this.index.remove(page.name);
  }

  private async tracked(work: Promise<void>): Promise<void> {
    this.busy.add(work);
    try {
      await work;
    } finally {
      this.busy.delete(work);
    }
  }

  private measure(): void {
    this.metrics.cacheBytes.set({ tier: 'disk' }, this.policy.usedBytes);
  }
}

const defaults: Omit<Required<DiskPageStoreSettings>, 'path' | 'capacityBytes'> = {
  maxPages: 500_000,
  maxOpenFiles: 256,
  maxPendingWrites: 64,
  bypassMs: 30_000,
  indexCommitMs: 200,
  mutants: {},
};

function rowOf({ name, incarnation, path, generation, pageBytes, fileBytes }: PageRow): PageRow {
  return { name, incarnation, path, generation, pageBytes, fileBytes };
}
