import type { Log } from '../../../src/common/log.ts';
import { Metrics } from '../../../src/common/metrics.ts';
import { DiskPageStore } from '../../../src/worker/disk-page-store.ts';
import type { PageKey } from '../../../src/worker/page-store.ts';
import { Disk } from '../../support/fault-disk.ts';
import { FaultFileSystem, type PlantedDefects } from '../../support/fault-file-system.ts';
import { ManualClock, turn } from '../manual-clock.ts';
import { SeededRandom } from '../seeded.ts';
import { harm } from './store-harm.ts';
import { PageModel, pageOf } from './store-model.ts';

/** What a campaign came upon; that it was something shows that it looked where it should. */
export interface CampaignCounts {
  runs: number;
  crashes: number;
  /** Pages that were there after a crash, and read right. */
  survived: number;
  /** Removals that were acknowledged before a crash. */
  removals: number;
  harmed: number;
  evictions: number;
}

export function noCounts(): CampaignCounts {
  return { runs: 0, crashes: 0, survived: 0, removals: 0, harmed: 0, evictions: 0 };
}

const directories = [
  { path: '/one', capacityBytes: 36_000 },
  { path: '/two', capacityBytes: 30_000 },
];
const livesARun = 4;
const actionsALife = 60;
const incarnations = ['mount-1', 'mount-2', 'mount-3'];

/**
 * One seeded run: a store over disks in memory is written to, read, emptied and filled up; at any step that changes a disk the power may go,
 * with or without what was not synced; bits flip, files are cut, disks fail. Then it starts again, and every page is compared with
 * the model: right, or absent; and absent if its removal was acknowledged. Throws what is wrong.
 */
export async function runCampaign(
  seed: number,
  counts: CampaignCounts,
  defects: PlantedDefects = {},
): Promise<void> {
  const random = new SeededRandom(seed);
  const model = new PageModel();
  let disk = new Disk();
  for (const { path } of directories) disk.addEntry(path, disk.newDirectory());
  disk.syncDirectory(disk.root);
  counts.runs++;
  for (let life = 0; life < livesARun; life++) {
    const run = new Life(new FaultFileSystem(disk, defects), random, model, counts);
    await run.live();
    const survival = random.below(4);
    disk =
      survival === 0
        ? disk.afterPowerLoss()
        : disk.afterPowerLoss(survival === 1 ? () => 0 : () => random.next());
    counts.crashes++;
    // A page whose write was under way may be there or not; so may one whose removal was.
    model.crashed();
    if (random.next() > 0.3) continue;
    counts.harmed += harm(disk, random, model.harmedLogs);
    model.isHarmed = true;
  }
  await new Life(new FaultFileSystem(disk), random, model, counts).verify();
}

/** A process between its start and its end. */
class Life {
  private readonly fs: FaultFileSystem;
  private readonly random: SeededRandom;
  private readonly model: PageModel;
  private readonly counts: CampaignCounts;
  private readonly clock = new ManualClock();
  private readonly metrics = new Metrics();
  /** Faults of reads, by region. */
  private readonly faults: { region?: number; path?: string }[] = [];

  constructor(fs: FaultFileSystem, random: SeededRandom, model: PageModel, counts: CampaignCounts) {
    this.fs = fs;
    this.random = random;
    this.model = model;
    this.counts = counts;
  }

  /** Does things until the power goes, or all is done. */
  async live(): Promise<void> {
    const { fs, random } = this;
    fs.stopAfter(1 + random.below(random.next() < 0.3 ? 40 : 700));
    if (random.next() < 0.25) fs.failAfter(random.below(200), random.next() < 0.5 ? 'EIO' : 'ENOSPC');
    let failure: unknown;
    const living = this.act().catch((error: unknown) => {
      failure = error;
    });
    await Promise.race([living, fs.stopped]);
    if (failure) throw failure;
    const { values } = await this.metrics.pageEvictions.get();
    this.counts.evictions += values[0]?.value ?? 0;
  }

  /** Reads every page that there ever was. */
  async verify(): Promise<void> {
    const indexed = this.indexesOfSealed();
    const store = await this.open();
    await store.settled();
    for (const key of this.model.keys()) {
      if (await this.readOne(store, key)) this.counts.survived++;
    }
    if (this.model.isHarmed) return store.close();
    this.checkIndexed(indexed);
    await store.close();
  }

  private async act(): Promise<void> {
    await this.verify();
    let store = await this.open();
    for (let i = 0; i < actionsALife; i++) {
      await Promise.all(Array.from({ length: 1 + this.random.below(4) }, () => this.actOnce(store)));
      if (this.random.next() < 0.05) await this.clock.pass(31_000);
      if (this.random.next() < 0.03) {
        await store.close();
        this.model.crashed();
        store = await this.open();
      }
      if (this.random.next() < 0.1) await store.settled();
    }
    await store.close();
  }

  private open(): Promise<DiskPageStore> {
    return DiskPageStore.open(
      this.clock,
      this.metrics,
      this.log(),
      { directories, maxOpenFiles: 4, minFreeBytes: 0 },
      this.fs,
      this.random,
    );
  }

  private async actOnce(store: DiskPageStore): Promise<void> {
    const { random, model, fs } = this;
    const key = this.anyKey();
    const what = random.next();
    if (what < 0.6) {
      const written = model.writing(key);
      await store.write(key, pageOf(key));
      // A process without power says nothing any more, not even what it could say without its disk.
      await fs.look();
      written();
    } else if (what < 0.85) {
      await this.readOne(store, key);
    } else if (what < 0.97) {
      const kept = random.next() < 0.5 ? key.generation : undefined;
      const removed = model.removing(
        (one) => one.incarnation === key.incarnation && one.path === key.path && one.generation !== kept,
      );
      await store.remove(key.incarnation, key.path, kept);
      await fs.look();
      removed(store.isUp);
      this.counts.removals++;
    } else {
      const removed = model.removing((one) => one.incarnation === key.incarnation);
      await store.removeIncarnation(key.incarnation);
      await fs.look();
      removed(store.isUp);
      this.counts.removals++;
    }
    await turn();
    await fs.look();
  }

  /** True if the page is there. Throws if it is wrong, or should not be there. */
  private async readOne(store: DiskPageStore, key: PageKey): Promise<boolean> {
    const page = pageOf(key);
    const mustBeAbsent = this.model.isAbsent(key);
    const start = this.random.below(page.length);
    const end = start + 1 + this.random.below(page.length - start);
    const bytes = await store.read(key, start, end);
    if (!bytes) return false;
    const name = JSON.stringify(key);
    if (!bytes.equals(page.subarray(start, end))) throw new Error(`wrong bytes of ${name}`);
    if (mustBeAbsent && this.model.isAbsent(key)) throw new Error(`${name} was removed, and is there`);
    return true;
  }

  /** Indexes that were written when their region was full: those made from headers alone may name a torn page. */
  private indexesOfSealed(): Set<string> {
    const paths = new Set(this.fs.disk.paths());
    const { recovered } = this.model;
    for (const path of paths) {
      const index = path.replace(/region$/, 'index');
      if (path.endsWith('.region') && !paths.has(index)) recovered.add(index);
    }
    return new Set([...paths].filter((path) => path.endsWith('.index') && !recovered.has(path)));
  }

  /** What an index names was durable before: no power loss may have taken it. */
  private checkIndexed(indexed: ReadonlySet<string>): void {
    for (const { path, region } of this.faults) {
      const index = `${path}/regions/${(region ?? 0).toString(16).padStart(8, '0')}.index`;
      if (indexed.has(index)) throw new Error(`a page that ${index} names is not whole`);
    }
  }

  private anyKey(): PageKey {
    const { random } = this;
    return {
      incarnation: incarnations[random.below(random.next() < 0.7 ? 1 : 3)] as string,
      path: `path-${random.below(30)}`,
      generation: `g${random.below(3)}`,
      pageSizeBytes: 4096,
      pageIndex: random.below(3),
    };
  }

  private log(): Log {
    const warn = (what: unknown) => {
      const fault = what as { err?: { reason?: string }; region?: number; path?: string };
      const isTorn = fault.err?.reason === 'checksum' || fault.err?.reason === 'short';
      if (isTorn && fault.region !== undefined) this.faults.push(fault);
    };
    const nothing = () => undefined;
    return { debug: nothing, info: nothing, warn, error: nothing } as unknown as Log;
  }
}
