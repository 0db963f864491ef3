import type { Random } from '../../../src/common/random.ts';
import type {
  Backend,
  CompleteOptions,
  CompletePart,
  CreateUploadOptions,
  DeleteOptions,
  PutOptions,
} from '../../../src/ufs/backend.ts';
import { UfsError } from '../../../src/ufs/errors.ts';
import { MemoryBackend } from '../../../src/ufs/memory.ts';
import type { Life, Machine } from '../../ring/virtual-node.ts';
import type { VirtualTime } from '../../ring/virtual-time.ts';
import { TestBody } from '../../support/upload-body.ts';
import { settleMs } from './virtual-store-node.ts';

/** What a campaign came upon; that it was something shows that it looked where it should. */
export interface SetsCounts {
  runs: number;
  acknowledged: number;
  unknown: number;
  /** Uploads in parts whose Complete was acknowledged. */
  uploads: number;
  reads: number;
  lists: number;
  kills: number;
  leaves: number;
  takenOver: number;
  pauses: number;
  /** Times that the coordination store went back. */
  restored: number;
  /** Attempts that the storage carried out without an answer, and those that it carried out later. */
  lost: number;
  late: number;
  /** Writes that came to the storage as themselves, and not from the journal. */
  through: number;
}

export function noSetsCounts(): SetsCounts {
  return {
    runs: 0,
    acknowledged: 0,
    unknown: 0,
    uploads: 0,
    reads: 0,
    lists: 0,
    kills: 0,
    leaves: 0,
    takenOver: 0,
    pauses: 0,
    restored: 0,
    lost: 0,
    late: 0,
    through: 0,
  };
}

/** What outlives processes: time, chance, and the storage with what is still on its way to it. */
export class CampaignWorld {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly counts: SetsCounts;
  readonly storage: MemoryBackend;
  isStorageAway = false;
  /** From now on the storage does as it is told. */
  isHealthy = false;
  /** Changes that reach the storage wait until this is resolved, and are never answered. */
  detour: Promise<void> | undefined;
  /** Versions that the storage was asked for at once; of deletions the keys. */
  readonly loose = new Set<number | string>();
  /** By the storage's ids of uploads, the versions that they are to make. */
  readonly uploads = new Map<string, number>();
  /** What happened, for whoever has to find out why it went wrong. */
  readonly trace: string[] = [];

  constructor(time: VirtualTime, random: Random, counts: SetsCounts) {
    this.time = time;
    this.random = random;
    this.counts = counts;
    this.storage = new MemoryBackend(time, random, { versions: false, minPartSizeBytes: 1 });
  }

  below(limit: number): number {
    return Math.floor(this.random.next() * limit);
  }

  note(text: string): void {
    this.trace.push(`${Math.round(this.time.monotonicMs())} ${text}`);
  }

  /** The storage as one process sees it. */
  seenBy(machine: Machine, life: Life): Backend {
    const { storage } = this;
    const changed = <T>(work: () => Promise<T>) => this.call(machine, life, work, true);
    const looked = <T>(work: () => Promise<T>) => this.call(machine, life, work, false);
    const calls: Record<string, (...given: never[]) => Promise<unknown>> = {
      put: async (key: string, body: AsyncIterable<Buffer>, options: PutOptions) => {
        const chunks: Buffer[] = [];
        for await (const chunk of body) chunks.push(chunk);
        const { version } = options.userMetadata;
        this.note(`${machine.workerId} storage ${key} put ${version} ${JSON.stringify(options.condition)}`);
        if (options.condition === undefined) {
          this.counts.through++;
          this.loose.add(Number(version));
        }
        return changed(() => storage.put(key, new TestBody(Buffer.concat(chunks)), options));
      },
      delete: (key: string, options: DeleteOptions = {}) => {
        this.note(`${machine.workerId} storage ${key} delete ${JSON.stringify(options.condition)}`);
        if (options.condition === undefined) this.loose.add(key);
        return changed(() => storage.delete(key, options));
      },
      createUpload: async (key: string, options: CreateUploadOptions) => {
        const { version } = options.userMetadata;
        this.note(`${machine.workerId} storage ${key} begins an upload of ${version}`);
        const made = await looked(() => storage.createUpload(key, options));
        this.uploads.set(made.uploadId, Number(version));
        return made;
      },
      putPart: async (key: string, id: string, number: number, body: AsyncIterable<Buffer>) => {
        const chunks: Buffer[] = [];
        for await (const chunk of body) chunks.push(chunk);
        return looked(() => storage.putPart(key, id, number, new TestBody(Buffer.concat(chunks))));
      },
      completeUpload: (key: string, id: string, parts: CompletePart[], options: CompleteOptions) => {
        const version = this.uploads.get(id);
        this.note(
          `${machine.workerId} storage ${key} complete ${version} ${JSON.stringify(options.condition)}`,
        );
        if (options.condition === undefined) {
          this.counts.through++;
          this.loose.add(Number(version));
        }
        return changed(() => storage.completeUpload(key, id, parts, options));
      },
      abortUpload: (key: string, id: string) => looked(() => storage.abortUpload(key, id)),
      listParts: (...given: Parameters<Backend['listParts']>) => looked(() => storage.listParts(...given)),
      listUploads: (given: Parameters<Backend['listUploads']>[0]) => looked(() => storage.listUploads(given)),
      head: (key: string) => looked(() => storage.head(key)),
      list: (given: Parameters<Backend['list']>[0]) => looked(() => storage.list(given)),
    };
    return new Proxy(storage as Backend, {
      get: (target, name) => {
        const call = calls[String(name)];
        if (call) return call;
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  /** What the storage was asked for reaches it though the process may be paused, or gone, by then. */
  private async call<T>(machine: Machine, life: Life, work: () => Promise<T>, isChange: boolean): Promise<T> {
    if (life.isOver) return new Promise<T>(() => {});
    await this.time.sleep(2 + this.random.next() ** 3 * 200);
    if (this.isStorageAway) {
      await machine.awake(life);
      throw fault(false);
    }
    if (isChange && this.detour) {
      void this.detour.then(work).catch(() => undefined);
      return new Promise<T>(() => {});
    }
    const chance = this.isHealthy || !isChange ? 1 : this.random.next();
    if (chance < 0.05) {
      await machine.awake(life);
      throw fault(false);
    }
    if (chance < 0.12) {
      await work().catch(() => undefined);
      this.counts.lost++;
      await machine.awake(life);
      throw fault(true);
    }
    if (chance < 0.2) {
      this.counts.late++;
      void this.time.sleep(this.below(settleMs - 300)).then(() => work().catch(() => undefined));
      await machine.awake(life);
      throw fault(true);
    }
    const done = work();
    done.catch(() => {});
    await this.time.sleep(2 + this.random.next() ** 3 * 100);
    await machine.awake(life);
    return done;
  }
}

function fault(unresolved: boolean): UfsError {
  return new UfsError('timeout', 'the storage does not answer', { backend: 'memory:', unresolved });
}
