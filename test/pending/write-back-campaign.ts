import type { ObjectMeta } from '../../src/common/object-meta.ts';
import type { PutOptions } from '../../src/ufs/backend.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import type { MemoryBackend } from '../../src/ufs/memory.ts';
import type { FailurePoints } from '../support/failure-points.ts';
import { Disk } from '../support/fault-disk.ts';
import { FaultFileSystem, ifNoDisk } from '../support/fault-file-system.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { SeededRandom } from '../worker/seeded.ts';
import { openWriteBack, type WriteBackUnderTest } from './write-back-under-test.ts';
import {
  keys,
  type OpenUpload,
  type Possible,
  settleMs,
  World,
  type WriteBackCounts,
} from './write-back-world.ts';

const livesARun = 3;
/** Room for three changes or parts. */
const tightBytes = 3_500;

/**
 * One seeded run: a client puts, also in parts, deletes and reads through write mode back and keeps its own log; the storage refuses, does not answer, and carries
 * attempts out later; the disk fails, and at any of its steps the power goes. At the end everything is flushed, and the storage compared with
 * the log. Throws what is wrong. `points`: strike in the life of each process, where they choose.
 */
export async function runWriteBackCampaign(
  seed: number,
  counts: WriteBackCounts,
  points?: FailurePoints,
): Promise<void> {
  const random = new SeededRandom(seed);
  const world = new World(random, counts);
  counts.runs++;
  let disk = new Disk();
  disk.addEntry('/node', disk.newDirectory());
  disk.syncDirectory(disk.root);
  for (let life = 0; life < livesARun; life++) {
    points?.arm();
    const fs = new FaultFileSystem(disk, {}, points);
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

function bytesOf(version: number): Buffer {
  // Every third version has the bytes, and so the ETag, of another one.
  const same = version % 3 === 0 ? 3 : version;
  return someBytes(same % 5 === 0 ? 70_000 : 40 + same, same);
}

function aboutOf(version: number): PutOptions {
  return { headers: {}, userMetadata: { version: String(version) } };
}

/** The two parts that a version comes in. */
function partsOf(version: number): readonly Buffer[] {
  const bytes = bytesOf(version);
  const middle = Math.ceil(bytes.length * 0.7);
  return [bytes.subarray(0, middle), bytes.subarray(middle)];
}

/** A process between its start and its end. */
class Life {
  private readonly fs: FaultFileSystem;
  private readonly world: World;
  /** What its journal has no room for goes to the storage. */
  private readonly isTight: boolean;
  private isGone = false;

  constructor(fs: FaultFileSystem, world: World) {
    this.fs = fs;
    this.world = world;
    this.isTight = world.random.next() < 0.2;
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
    const present: string[] = [];
    for (const key of keys) if ((await this.judge(world.storage, key)) !== undefined) present.push(key);
    const { entries } = await world.storage.list({ prefix: '', limit: 100 });
    // A process that goes while it tries what the storage can do leaves an object of its own behind.
    const listed = entries.map(({ key }) => key).filter((key) => !key.startsWith('.forebay-check-'));
    if (listed.join() !== present.sort().join()) throw new Error(`lists ${listed}, and not ${present}`);
    await this.beside(under.close());
  }

  private async act(): Promise<void> {
    const { world } = this;
    const under = await this.open().catch(ifNoDisk);
    await this.fs.look();
    // It ends where it cannot begin.
    if (!under) return;
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
      {
        fs: this.fs,
        clock,
        path: '/node',
        capacityBytes: this.isTight ? tightBytes : undefined,
        persister,
        backend: { barrierMs: 80, settleMs },
      },
    );
  }

  private async actOnce(under: WriteBackUnderTest, key: string): Promise<void> {
    const { world } = this;
    const what = world.random.next();
    if (what < 0.3) return;
    if (what < 0.4) return this.actOnUpload(under, key);
    if (what < 0.55) {
      await this.judge(under.backend, key);
      return;
    }
    const isCreate = what > 0.93;
    const version = what < 0.85 || isCreate ? ++world.count : undefined;
    await this.change(key, version, isCreate, async (before) => {
      if (version === undefined) await under.backend.delete(key);
      else {
        const body = new TestBody(bytesOf(version));
        if (!isCreate) await under.backend.put(key, body, aboutOf(version));
        else await this.create(under, key, body, aboutOf(version), before);
      }
    });
  }

  /** The next step of a key's upload in parts, which outlives the process. */
  private async actOnUpload(under: WriteBackUnderTest, key: string): Promise<void> {
    const { world, fs } = this;
    const open = world.uploads.get(key);
    if (open?.parts.length === 2) return this.complete(under, key, open);
    try {
      if (!open) {
        const version = ++world.count;
        const { uploadId } = await under.backend.createUpload(key, aboutOf(version));
        await fs.look();
        world.uploads.set(key, { uploadId, version, parts: [] });
        return;
      }
      const partNumber = open.parts.length + 1;
      const body = new TestBody(partsOf(open.version)[partNumber - 1] as Buffer);
      const { etag } = await under.backend.putPart(key, open.uploadId, partNumber, body);
      await fs.look();
      open.parts.push({ partNumber, etag, checksums: {} });
    } catch (error) {
      await fs.look();
      refuseLoss(error);
    }
  }

  private async complete(under: WriteBackUnderTest, key: string, open: OpenUpload): Promise<void> {
    const { uploads } = this.world;
    // Asked again it might be answered for what it did before.
    uploads.delete(key);
    // The storage's own upload is completed there.
    await this.change(key, open.version, true, async () => {
      await under.backend.completeUpload(key, open.uploadId, open.parts).catch((error: unknown) => {
        if (!refuseLoss(error).unresolved) uploads.set(key, open);
        throw error;
      });
      this.world.counts.completed++;
    });
  }

  /** `work` makes the key this version, or rejects with `UfsError`. `isSent`: it may come to the storage after the process is gone. */
  private async change(
    key: string,
    version: number | undefined,
    isSent: boolean,
    work: (before: Possible) => Promise<void>,
  ): Promise<void> {
    const possible = this.world.possible.get(key) as Possible;
    const before = new Set(possible);
    const wasSent = this.world.sent.get(key) as Possible;
    possible.add(version);
    if (isSent || this.isTight) wasSent.add(version);
    try {
      await work(before);
      await this.fs.look();
      this.world.counts.acknowledged++;
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

  /** The version that is there. What is seen stays, until it is changed, or until what nobody knew of is there after all; nothing is seen that the log does not permit. */
  private async judge(
    backend: Pick<MemoryBackend, 'head' | 'read'>,
    key: string,
  ): Promise<number | undefined> {
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
    if (version === undefined) return undefined;
    const chunks: Buffer[] = [];
    const range = { start: 0, end: meta?.sizeBytes ?? 0 };
    for await (const chunk of backend.read(key, meta as ObjectMeta, range)) chunks.push(chunk);
    await this.fs.look();
    const bytes = Buffer.concat(chunks);
    if (!bytes.equals(bytesOf(version))) throw new Error(`${key} has other bytes than version ${version}`);
    return version;
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

/** Throws what says that an upload, or a part, is gone that was acknowledged. */
function refuseLoss(error: unknown): UfsError {
  if (!(error instanceof UfsError)) throw error;
  if (['no-such-upload', 'invalid-part'].includes(error.kind)) throw new Error(error.message);
  return error;
}
