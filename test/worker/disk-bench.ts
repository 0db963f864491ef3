import { cp, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/common/log.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { DiskPageStore, type DiskPageStoreSettings } from '../../src/worker/disk-page-store.ts';
import { FaultyFileSystem } from './faulty-file-system.ts';
import { ManualClock, turn } from './manual-clock.ts';

export interface BenchSettings extends Partial<DiskPageStoreSettings> {
  /** Of the one directory, where `directories` is not given. */
  readonly path?: string;
  readonly capacityBytes?: number;
}

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

  async open(settings: BenchSettings = {}): Promise<DiskPageStore> {
    this.metrics = new Metrics();
    const { path = this.path, capacityBytes = 1_000_000, ...others } = settings;
    const store = await DiskPageStore.open(
      this.clock,
      this.metrics,
      silentLog(),
      { directories: [{ path, capacityBytes }], ...others },
      this.fs,
    );
    this.opened.push(store);
    return store;
  }

  /** What a crash of the process would leave at this moment, as a folder of its own. */
  async copy(name: string, path = this.path): Promise<string> {
    const target = join(this.root, name);
    await cp(path, target, { recursive: true });
    return target;
  }

  /** Paths of the files of regions, `region` or `index`, the oldest first. */
  async regions(kind: 'region' | 'index' = 'region', path = this.path): Promise<string[]> {
    const names = await readdir(join(path, 'regions'));
    return names
      .filter((name) => name.endsWith(`.${kind}`))
      .sort()
      .map((name) => join(path, 'regions', name));
  }

  /** The log of removals. */
  async removalLog(path = this.path): Promise<string> {
    const names = (await readdir(path)).filter((name) => name.startsWith('removals-'));
    return join(path, names.sort().at(-1) as string);
  }

  /** Bytes of all files. */
  async bytesOnDisk(path = this.path): Promise<number> {
    let sum = 0;
    for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      // What is given up at this moment is gone.
      const status = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
      sum += status?.size ?? 0;
    }
    return sum;
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
    await store.settled();
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
