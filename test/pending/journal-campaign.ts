import type { Clock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { Journal } from '../../src/pending/journal.ts';
import type { PendingEntry } from '../../src/pending/pending-entry.ts';
import { FileSystemError } from '../../src/ufs/file-system.ts';
import type { FailurePoints } from '../support/failure-points.ts';
import { Disk, type FileNode } from '../support/fault-disk.ts';
import { FaultFileSystem, ifNoDisk, type PlantedDefects } from '../support/fault-file-system.ts';
import { turn } from '../worker/manual-clock.ts';
import { SeededRandom } from '../worker/seeded.ts';
import { bytesOf, JournalModel, type ModelChange } from './journal-model.ts';

/** What a campaign came upon; that it was something shows that it looked where it should. */
export interface JournalCounts {
  runs: number;
  crashes: number;
  /** Appends that were acknowledged, and entries that were there after a crash. */
  appended: number;
  recovered: number;
  faults: number;
  harmed: number;
  damaged: number;
  /** Losses by several flipped bits that the journal did not tell of. */
  unnoticed: number;
}

export function noJournalCounts(): JournalCounts {
  return { runs: 0, crashes: 0, appended: 0, recovered: 0, faults: 0, harmed: 0, damaged: 0, unnoticed: 0 };
}

const livesARun = 4;
const keys = ['a', 'b', 'c', 'd/e', 'f'];
const settings = { path: '/pending', capacityBytes: 1e9, segmentBytes: 6_000 };
const quickClock: Clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: () => turn() };

/**
 * One seeded run: changes are appended, sent, done, at once and one after the other; at any step that changes the disk the power may go, with
 * or without what was not synced; a step fails; bits flip. Then the journal is opened again and everything compared. Throws what is wrong.
 * `points`: strike in the life of each process but the last, where they choose.
 */
export async function runJournalCampaign(
  seed: number,
  counts: JournalCounts,
  defects: PlantedDefects = {},
  points?: FailurePoints,
): Promise<void> {
  const random = new SeededRandom(seed);
  const model = new JournalModel();
  let disk = new Disk();
  counts.runs++;
  let harm: Harm = 'none';
  for (let life = 0; life <= livesARun; life++) {
    points?.arm();
    const fs = new FaultFileSystem(disk, defects, life === livesARun ? undefined : points);
    const run = new Life(fs, random, model, counts, harm);
    const isClean = await run.live(life === livesARun);
    if (life === livesARun) return;
    const survival = random.below(4);
    disk =
      survival === 0
        ? disk.afterPowerLoss()
        : disk.afterPowerLoss(survival === 1 ? () => 0 : () => random.next());
    counts.crashes++;
    if (!isClean || random.next() < 0.5) continue;
    // What stands one flipped bit may not stand another one.
    harm = flip(disk, random, counts, harm === 'none' && random.next() < 0.6 ? 1 : 6);
    for (const change of model.changes) change.mayBeDamaged = true;
  }
}

/** One flipped bit may take the bytes of one change; more of them may take anything, but not unnoticed. */
type Harm = 'none' | 'one' | 'many';

function flip(disk: Disk, random: SeededRandom, counts: JournalCounts, bits: number): Harm {
  const files = disk
    .paths()
    .filter((path) => /\/(journal|bodies)\/[^/]+$/.test(path))
    .map((path) => disk.find(path, false) as FileNode)
    .filter((file) => file.data.length > 0);
  for (let i = 0; i < bits && files.length > 0; i++) {
    const file = files[random.below(files.length)] as FileNode;
    file.data = Buffer.from(file.data);
    const at = random.below(file.data.length);
    file.data[at] = (file.data[at] as number) ^ (1 << random.below(8));
    disk.syncFile(file);
    counts.harmed++;
  }
  return bits > 1 ? 'many' : 'one';
}

/** A process between its start and its end. */
class Life {
  private readonly fs: FaultFileSystem;
  private readonly random: SeededRandom;
  private readonly model: JournalModel;
  private readonly counts: JournalCounts;
  private readonly harm: Harm;
  private readonly copiesTakeTime: boolean;
  /** Entries that nothing is done about at the moment, by key, in order. */
  private readonly chains = new Map<string, { entry: PendingEntry; change: ModelChange }[]>();

  constructor(
    fs: FaultFileSystem,
    random: SeededRandom,
    model: JournalModel,
    counts: JournalCounts,
    harm: Harm,
  ) {
    this.fs = fs;
    this.random = random;
    this.model = model;
    this.counts = counts;
    this.harm = harm;
    this.copiesTakeTime = random.next() < 0.5;
  }

  /** True if it closed its journal, so that the last records are known to be durable. */
  async live(isLast: boolean): Promise<boolean> {
    const { fs, random } = this;
    if (!isLast && random.next() < 0.7) fs.stopAfter(random.below(random.next() < 0.4 ? 12 : 400));
    let failure: unknown;
    const living = this.act(isLast).catch((error: unknown) => {
      failure = error;
      return false;
    });
    const isClean = await Promise.race([living, fs.stopped.then(() => false)]);
    if (failure) throw failure;
    return isClean;
  }

  /** False if it could not begin, or not say in the end what is durable. */
  private async act(isLast: boolean): Promise<boolean> {
    const journal = await Journal.open(this.fs, quickClock, this.random, silentLog(), settings).catch(
      ifNoDisk,
    );
    await this.fs.look();
    if (!journal) return false;
    await this.verify(journal);
    for (let i = 0; i < (isLast ? 5 : 40); i++) {
      if (this.random.next() < 0.04) {
        this.fs.failAfter(this.random.below(12), this.random.next() < 0.5 ? 'EIO' : 'ENOSPC');
        this.counts.faults++;
      }
      const names = new Set(Array.from({ length: 1 + this.random.below(4) }, () => this.anyKey()));
      await Promise.all([...names].map((key) => this.actOnce(journal, key)));
      if (this.random.next() < 0.2) await turn(3);
      await this.fs.look();
    }
    const failures = this.fs.failureCount;
    await journal.close();
    await this.fs.look();
    return this.fs.failureCount === failures;
  }

  /** Compares what was recovered, and reads every byte of it. */
  private async verify(journal: Journal): Promise<void> {
    const { recovered, lost } = journal;
    const tellsLoss = lost.length > 0;
    if (tellsLoss && this.harm !== 'many') throw new Error(`says that ${JSON.stringify(lost)} is lost`);
    const wrong = this.model.judge(recovered, tellsLoss);
    if (wrong && this.harm !== 'many') throw new Error(wrong);
    // Where both copies of what was written last are harmed, it looks like a write that the power cut off.
    if (wrong) this.counts.unnoticed++;
    this.model.settle(recovered);
    for (const entry of recovered) {
      const change = this.changeOf(entry);
      const isRight = await this.reads(journal, entry, change);
      if (!isRight && !change.mayBeDamaged) throw new Error(`the bytes of ${entry.name} are damaged`);
      if (!isRight) this.counts.damaged++;
      const chain = this.chains.get(entry.key) ?? [];
      this.chains.set(entry.key, [...chain, { entry, change }]);
      this.counts.recovered++;
    }
    if (tellsLoss) await journal.acceptLoss().catch(ifNoDisk);
    await this.fs.look();
  }

  /** False if it says that they are damaged. */
  private async reads(journal: Journal, entry: PendingEntry, change: ModelChange): Promise<boolean> {
    if (change.kind === 'delete' || change.sizeBytes === 0) return true;
    const start = this.random.below(change.sizeBytes);
    const end = start + 1 + this.random.below(change.sizeBytes - start);
    const release = journal.hold(entry);
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of journal.read(entry, { start, end }, () => {})) chunks.push(chunk);
      if (!Buffer.concat(chunks).equals(bytesOf(change).subarray(start, end))) {
        throw new Error(`wrong bytes of ${entry.name}`);
      }
      return true;
    } catch (error) {
      if (error instanceof FileSystemError && error.code === 'EIO') return false;
      throw error;
    } finally {
      release();
    }
  }

  private async actOnce(journal: Journal, key: string): Promise<void> {
    const chain = this.chains.get(key) ?? [];
    const first = chain[0];
    const what = this.random.next();
    if (!first || what < 0.5) return this.append(journal, key);
    const { entry, change } = first;
    if (what < 0.7) {
      change.sent = change.sent === 'yes' ? 'yes' : 'asked';
      await this.tried(
        () => journal.sent(entry, { ifMatch: 'x' }),
        () => {
          change.sent = 'yes';
        },
      );
    } else if (what < 0.9) {
      change.done = 'asked';
      await this.tried(
        () => journal.done(entry),
        () => {
          change.done = 'yes';
          chain.shift();
        },
      );
    } else if (!(await this.reads(journal, entry, change)) && !change.mayBeDamaged) {
      throw new Error(`the bytes of ${entry.name} are damaged`);
    }
  }

  private async append(journal: Journal, key: string): Promise<void> {
    const { random, model, chains } = this;
    const kind = random.next() < 0.3 ? 'delete' : 'put';
    const isLarge = random.next() < 0.08;
    const sizeBytes = kind === 'delete' ? 0 : isLarge ? 64_000 + random.below(10_000) : random.below(1_500);
    const change = model.begin(key, kind, sizeBytes);
    await this.tried(
      async () => {
        const entry = await this.appended(journal, change, isLarge && kind === 'put');
        await this.fs.look();
        // Copies on other nodes take their time; until they have it, what came before stands.
        if (this.copiesTakeTime) await turn(random.below(30));
        model.acknowledged(change);
        this.counts.appended++;
        change.name = entry.name;
        const chain = chains.get(key) ?? [];
        const last = chain.at(-1);
        if (last && last.entry.sent === undefined && !last.entry.isOver) {
          last.change.isGone = true;
          journal.superseded(last.entry, entry);
          chain.pop();
        }
        chains.set(key, [...chain, { entry, change }]);
      },
      () => {},
      () => {
        change.acked = 'failed';
      },
    );
  }

  private async appended(journal: Journal, change: ModelChange, isFile: boolean): Promise<PendingEntry> {
    const { key, kind, id, sizeBytes } = change;
    const about = { type: kind, chain: 'memory:', key, atMs: id } as const;
    if (kind === 'delete') return journal.append(about);
    const meta = { sizeBytes, etag: 'e', lastModifiedMs: 0, headers: {}, userMetadata: { id: String(id) } };
    if (!isFile) return journal.append({ ...about, meta }, bytesOf(change));
    const { name: file } = await journal.bodies.write(pieces(bytesOf(change)), () => {});
    return journal.append({ ...about, meta, file });
  }

  /** A call that the disk may fail. */
  private async tried(call: () => Promise<void>, then: () => void, otherwise = () => {}): Promise<void> {
    try {
      await call();
      await this.fs.look();
      then();
    } catch (error) {
      await this.fs.look();
      if (!(error instanceof FileSystemError)) throw error;
      otherwise();
    }
  }

  private changeOf(entry: PendingEntry): ModelChange {
    const id = Number(entry.change.meta?.userMetadata.id ?? entry.change.atMs);
    return this.model.changes[id - 1] as ModelChange;
  }

  private anyKey(): string {
    return keys[this.random.below(keys.length)] as string;
  }
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
}
