import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/common/log.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { DiskPageStore, type DiskPageStoreSettings } from '../../src/worker/disk-page-store.ts';
import { pageFileName } from '../../src/worker/page-format.ts';
import type { PageKey } from '../../src/worker/page-store.ts';
import { FaultyFileSystem } from './faulty-file-system.ts';
import { ManualClock, turn } from './manual-clock.ts';

/** A disk page store in a folder of its own, which can be opened again, or as a copy, at any moment. */
export class DiskBench {
  readonly clock = new ManualClock();
  readonly fs = new FaultyFileSystem();
  readonly path: string;
  private readonly root: string;
  private readonly opened: DiskPageStore[] = [];
  metrics = new Metrics();

  static async make(): Promise<DiskBench> {
    return new DiskBench(await mkdtemp(join(tmpdir(), 'forebay-pages-')));
  }

  private constructor(root: string) {
    this.root = root;
    this.path = join(root, 'store');
  }

  async open(settings: Partial<DiskPageStoreSettings> = {}): Promise<DiskPageStore> {
    this.metrics = new Metrics();
    const store = await DiskPageStore.open(
      this.clock,
      this.metrics,
      silentLog(),
      { path: this.path, capacityBytes: 1_000_000, ...settings },
      this.fs,
    );
    this.opened.push(store);
    return store;
  }

  /** What a crash of the process would leave at this moment, as a folder of its own. */
  async copy(name: string): Promise<string> {
    const target = join(this.root, name);
    await cp(this.path, target, { recursive: true });
    return target;
  }

  fileOf(key: PageKey): string {
    const name = pageFileName(key);
    return join(this.path, 'pages', name.slice(0, 2), name);
  }

  /** Paths of all page files, and of what is being written. */
  async files(path = this.path): Promise<string[]> {
    const found: string[] = [];
    for (const folder of ['tmp', 'pages']) {
      const entries = await readdir(join(path, folder), { recursive: true, withFileTypes: true });
      for (const entry of entries) if (entry.isFile()) found.push(join(entry.parentPath, entry.name));
    }
    return found;
  }

  /** Whether the metric says that pages are kept on disk. */
  async isUp(path = this.path): Promise<boolean> {
    const { values } = await this.metrics.pageStoreUp.get();
    return values.find((value) => value.labels.path === path)?.value === 1;
  }

  /** Lets the time pass after which a disk is tried again, and waits for what comes of it. */
  async tryAgain(store: DiskPageStore): Promise<void> {
    const before = this.clock.sleeperCount;
    await this.clock.pass(30_000);
    // Either it is up, or the next try is planned.
    while (!store.isUp && this.clock.sleeperCount < before) await turn();
    await store.reconciled;
  }

  async errors(reason: string): Promise<number> {
    const { values } = await this.metrics.pageStoreErrors.get();
    return values.find((value) => value.labels.reason === reason)?.value ?? 0;
  }

  async close(): Promise<void> {
    this.fs.fault = () => undefined;
    for (const store of this.opened) await store.close();
    await rm(this.root, { recursive: true, force: true });
  }
}
