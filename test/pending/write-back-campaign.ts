import type { Clock } from '../../src/common/clock.ts';
import type { ObjectMeta } from '../../src/common/object-meta.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { PutOptions } from '../../src/ufs/backend.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { Disk } from '../support/fault-disk.ts';
import { FaultFileSystem } from '../support/fault-file-system.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { turn } from '../worker/manual-clock.ts';
import { SeededRandom } from '../worker/seeded.ts';
import { openWriteBack, type WriteBackUnderTest } from './write-back-under-test.ts';

/** What a campaign came upon; that it was something shows that it looked where it should. */
export interface WriteBackCounts {
  runs: number;
  crashes: number;
  acknowledged: number;
  /** Changes that the storage decided itself and carried out. */
  decided: number;
  /** Attempts that the storage carried out without an answer, and those that it carried out later. */
  lost: number;
  late: number;
  reads: number;
}

export function noWriteBackCounts(): WriteBackCounts {
  return { runs: 0, crashes: 0, acknowledged: 0, decided: 0, lost: 0, late: 0, reads: 0 };
}

const keys = ['a', 'b/c', 'd'];
const livesARun = 3;
const settleMs = 40;

/** What a client knows of a key, outside Forebay: the versions that it may be, by number; undefined: no object. */
type Possible = Set<number | undefined>;

/**
 * One seeded run: a client puts, deletes and reads through write mode back and keeps its own log; the storage refuses, does not answer, and carries
 * attempts out later; the disk fails, and at any of its steps the power goes. At the end everything is flushed, and the storage compared with
 * the log. Throws what is wrong.
 */
export async function runWriteBackCampaign(seed: number, counts: WriteBackCounts): Promise<void> {
  const random = new SeededRandom(seed);
  const world = new World(random, counts);
  counts.runs++;
  let disk = new Disk();
  disk.addEntry('/node', disk.newDirectory());
  disk.syncDirectory(disk.root);
  for (let life = 0; life < livesARun; life++) {
    const fs = new FaultFileSystem(disk);
    await new Life(fs, world).live();
    const survival = random.below(3);
    disk =
      survival === 0
        ? disk.afterPowerLoss()
        : disk.afterPowerLoss(survival === 1 ? () => 0 : () => random.next());
    counts.crashes++;
  }
  await new Life(new FaultFileSystem(disk), world).finish();
}

/** What outlives a process: time, the storage with what is still on its way to it, and the client with its log. */
class World {
  readonly random: SeededRandom;
  readonly counts: WriteBackCounts;
  readonly storage: MemoryBackend;
  readonly possible = new Map<string, Possible>(keys.map((key) => [key, new Set([undefined])]));
  /** Versions of each key of which the client was told that nobody knows whether they will be there. */
  readonly unknown = new Map<string, Possible>(keys.map((key) => [key, new Set()]));
  /** Versions that may be on their way to the storage, whatever became of the process that sent them. */
  readonly sent = new Map<string, Possible>(keys.map((key) => [key, new Set()]));
  isHealthy = false;
  count = 0;
  nowMs = 0;
  readonly clock: Clock;
  /** Attempts that the storage is going to carry out. */
  private late: { readonly atMs: number; readonly land: () => Promise<unknown> }[] = [];

  constructor(random: SeededRandom, counts: WriteBackCounts) {
    this.random = random;
    this.counts = counts;
    this.clock = {
      nowMs: () => this.nowMs,
      monotonicMs: () => this.nowMs,
      // Time passes as the event loop turns.
      sleep: async (ms, signal) => {
        const untilMs = this.nowMs + ms;
        while (this.nowMs < untilMs) {
          signal?.throwIfAborted();
          await this.tick();
        }
      },
    };
    this.storage = new MemoryBackend(this.clock, systemRandom, { versions: false });
  }

  async tick(): Promise<void> {
    await turn();
    this.nowMs++;
    const due = this.late.filter(({ atMs }) => atMs <= this.nowMs);
    this.late = this.late.filter(({ atMs }) => atMs > this.nowMs);
    for (const { land } of due) await land().catch(() => undefined);
  }

  get isQuiet(): boolean {
    return this.late.length === 0;
  }

  /** The storage as a node sees it, until `isGone`. */
  seen(isGone: () => boolean): MemoryBackend {
    const faulty = async <T>(work: () => Promise<T>, takes: () => Promise<() => Promise<T>>): Promise<T> => {
      if (isGone()) return new Promise<T>(() => {});
      const chance = this.isHealthy ? 1 : this.random.next();
      if (chance < 0.15) throw fault(false);
      if (chance < 0.3) {
        await (await takes())();
        this.counts.lost++;
        throw fault(true);
      }
      if (chance < 0.45) {
        const land = await takes();
        this.late.push({ atMs: this.nowMs + 1 + this.random.below(settleMs - 5), land });
        this.counts.late++;
        throw fault(true);
      }
      return work();
    };
    const { storage } = this;
    return new Proxy(storage, {
      get: (target, name) => {
        if (name === 'put') {
          return (key: string, body: AsyncIterable<Buffer>, options: PutOptions) => {
            const taken = async () => {
              const chunks: Buffer[] = [];
              for await (const chunk of body) chunks.push(chunk);
              return () => storage.put(key, new TestBody(Buffer.concat(chunks)), options);
            };
            return faulty(async () => (await taken())(), taken);
          };
        }
        if (name === 'delete') {
          return (key: string, options: object) =>
            faulty(
              () => storage.delete(key, options),
              async () => () => storage.delete(key, options),
            );
        }
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}

function fault(unresolved: boolean): UfsError {
  return new UfsError('timeout', 'the storage does not answer', { backend: 'memory:', unresolved });
}

function bytesOf(version: number): Buffer {
  // Every third version has the bytes, and so the ETag, of another one.
  const same = version % 3 === 0 ? 3 : version;
  return someBytes(same % 5 === 0 ? 70_000 : 40 + same, same);
}

/** A process between its start and its end. */
class Life {
  private readonly fs: FaultFileSystem;
  private readonly world: World;
  private isGone = false;

  constructor(fs: FaultFileSystem, world: World) {
    this.fs = fs;
    this.world = world;
  }

  async live(): Promise<void> {
    const { fs, world } = this;
    fs.stopAfter(world.random.below(world.random.next() < 0.3 ? 25 : 250));
    let failure: unknown;
    const living = this.act().catch((error: unknown) => {
      failure = error;
    });
    await Promise.race([living, fs.stopped]);
    this.isGone = true;
    if (failure) throw failure;
  }

  /** Brings everything to its end, and compares the storage with the log. */
  async finish(): Promise<void> {
    const { world } = this;
    world.isHealthy = true;
    const under = await this.open();
    await this.readAll(under);
    const never = new AbortController().signal;
    await this.beside(under.persister.flushAll('', never));
    while (!world.isQuiet) await world.tick();
    for (const key of keys) await this.judge(world.storage, key);
    const present = keys.filter((key) => !world.possible.get(key)?.has(undefined));
    const { entries } = await world.storage.list({ prefix: '', limit: 100 });
    const listed = entries.map(({ key }) => key);
    if (listed.join() !== present.sort().join()) throw new Error(`lists ${listed}, and not ${present}`);
    await this.beside(under.close());
  }

  private async act(): Promise<void> {
    const { world } = this;
    const under = await this.open();
    await this.fs.look();
    await this.readAll(under);
    for (let i = 0; i < 25; i++) {
      if (world.random.next() < 0.05) this.fs.failAfter(world.random.below(10), 'EIO');
      await Promise.all(keys.map((key) => this.actOnce(under, key)));
      for (let wait = world.random.below(12); wait > 0; wait--) await world.tick();
      await this.fs.look();
    }
  }

  private open(): Promise<WriteBackUnderTest> {
    const { clock } = this.world;
    const persister = { settleMs, retryMs: [1, 8] as const, concurrency: 2 };
    return openWriteBack(
      this.world.seen(() => this.isGone),
      { fs: this.fs, clock, path: '/node', persister, backend: { barrierMs: 80, settleMs } },
    );
  }

  private async actOnce(under: WriteBackUnderTest, key: string): Promise<void> {
    const { random, counts } = this.world;
    const what = random.next();
    if (what < 0.35) return;
    if (what < 0.55) return this.judge(under.backend, key);
    const isCreate = what > 0.93;
    const version = what < 0.85 || isCreate ? ++this.world.count : undefined;
    const possible = this.world.possible.get(key) as Possible;
    const before = new Set(possible);
    const wasSent = this.world.sent.get(key) as Possible;
    possible.add(version);
    if (isCreate) wasSent.add(version);
    try {
      if (version === undefined) await under.backend.delete(key);
      else {
        const about = { headers: {}, userMetadata: { version: String(version) } };
        const body = new TestBody(bytesOf(version));
        if (!isCreate) await under.backend.put(key, body, about);
        else await this.create(under, key, body, about, before);
      }
      await this.fs.look();
      counts.acknowledged++;
      this.world.unknown.get(key)?.clear();
      wasSent.clear();
      possible.clear();
      possible.add(version);
    } catch (error) {
      await this.fs.look();
      if (!(error instanceof UfsError)) throw error;
      // What surely had no effect may not have one.
      if (error.unresolved) this.world.unknown.get(key)?.add(version);
      else wasSent.delete(version);
      if (!error.unresolved && !before.has(version)) possible.delete(version);
    }
  }

  /** Waits for the storage, behind what is pending. */
  private async create(
    under: WriteBackUnderTest,
    key: string,
    body: TestBody,
    about: PutOptions,
    before: Possible,
  ): Promise<void> {
    const condition = { ifNoneMatch: '*' } as const;
    await this.beside(under.backend.put(key, body, { ...about, condition }));
    await this.fs.look();
    if (!before.has(undefined)) throw new Error(`${key} was made where there is ${[...before].join()}`);
    this.world.counts.decided++;
  }

  /** When the journal was opened again it is decided what is there. */
  private async readAll(under: WriteBackUnderTest): Promise<void> {
    for (const unknown of this.world.unknown.values()) unknown.clear();
    for (const key of keys) await this.judge(under.backend, key);
  }

  /** What is seen stays, until it is changed, or until what nobody knew of is there after all; nothing is seen that the log does not permit. */
  private async judge(backend: Pick<MemoryBackend, 'head' | 'read'>, key: string): Promise<void> {
    const meta = await backend.head(key).catch((error: unknown) => {
      if (error instanceof UfsError && error.kind === 'not-found') return undefined;
      throw error;
    });
    await this.fs.look();
    const version = meta && Number(meta.userMetadata.version);
    const possible = this.world.possible.get(key) as Possible;
    if (!possible.has(version)) throw new Error(`${key} is ${version}, and may be ${[...possible].join()}`);
    possible.clear();
    for (const unknown of [this.world.unknown, this.world.sent])
      for (const one of unknown.get(key) ?? []) possible.add(one);
    possible.add(version);
    this.world.counts.reads++;
    if (version === undefined) return;
    const chunks: Buffer[] = [];
    const range = { start: 0, end: meta?.sizeBytes ?? 0 };
    for await (const chunk of backend.read(key, meta as ObjectMeta, range)) chunks.push(chunk);
    await this.fs.look();
    const bytes = Buffer.concat(chunks);
    if (!bytes.equals(bytesOf(version))) throw new Error(`${key} has other bytes than version ${version}`);
  }

  /** Time passes meanwhile. */
  private async beside<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const ended = work.finally(() => {
      isOver = true;
    });
    ended.catch(() => undefined);
    for (let count = 0; !isOver && !this.isGone; count++) {
      if (count > 20_000) throw new Error('what is pending does not come to its storage');
      await this.world.tick();
    }
    return ended;
  }
}
