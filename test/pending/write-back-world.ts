import type { Clock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import type {
  CompleteOptions,
  CompletePart,
  DeleteOptions,
  PutOptions,
  WriteCondition,
} from '../../src/ufs/backend.ts';
import { orAbsent, UfsError } from '../../src/ufs/errors.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { TestBody } from '../support/upload-body.ts';
import { turn } from '../worker/manual-clock.ts';
import type { SeededRandom } from '../worker/seeded.ts';

/** What a campaign came upon; that it was something shows that it looked where it should. */
export interface WriteBackCounts {
  runs: number;
  crashes: number;
  acknowledged: number;
  /** Changes that the storage decided itself and carried out. */
  decided: number;
  /** Uploads in parts that were acknowledged. */
  completed: number;
  /** Attempts that the storage carried out without an answer, and those that it carried out later. */
  lost: number;
  late: number;
  reads: number;
}

export function noWriteBackCounts(): WriteBackCounts {
  return { runs: 0, crashes: 0, acknowledged: 0, decided: 0, completed: 0, lost: 0, late: 0, reads: 0 };
}

export const keys = ['a', 'b/c', 'd'];
export const settleMs = 40;

/** What a client knows of a key, outside Forebay: the versions that it may be, by number; undefined: no object. */
export type Possible = Set<number | undefined>;

/** An upload in parts, as its client knows it. */
export interface OpenUpload {
  readonly uploadId: string;
  readonly version: number;
  readonly parts: CompletePart[];
}

/** What outlives a process: time, the storage with what is still on its way to it, and the client with its log. */
export class World {
  readonly random: SeededRandom;
  readonly counts: WriteBackCounts;
  readonly storage: MemoryBackend;
  readonly possible = new Map<string, Possible>(keys.map((key) => [key, new Set([undefined])]));
  /** Versions of each key of which the client was told that nobody knows whether they will be there. */
  readonly unknown = new Map<string, Possible>(keys.map((key) => [key, new Set()]));
  /** Versions that may be on their way to the storage, whatever became of the process that sent them. */
  readonly sent = new Map<string, Possible>(keys.map((key) => [key, new Set()]));
  /** Each key has one at most. */
  readonly uploads = new Map<string, OpenUpload>();
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
    this.storage = new MemoryBackend(this.clock, systemRandom, { versions: false, minPartSizeBytes: 5 });
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

  private async generationOf(key: string): Promise<string | undefined> {
    return (await orAbsent(this.storage.head(key)))?.generation;
  }

  /** The storage as a node sees it, until `isGone`. */
  seen(isGone: () => boolean): MemoryBackend {
    const faulty = async <T>(
      key: string,
      options: { readonly condition?: WriteCondition } | undefined,
      work: () => Promise<T>,
      takes: () => Promise<() => Promise<T>>,
    ): Promise<T> => {
      if (isGone()) return never;
      const chance = this.isHealthy ? 1 : this.random.next();
      if (chance < 0.15) throw fault(false);
      if (chance < 0.3) {
        await (await takes())();
        this.counts.lost++;
        throw fault(true);
      }
      if (chance < 0.45) {
        const taken = await takes();
        const before = await this.generationOf(key);
        // What replaces whatever there is says which that was, as storages are written to.
        const isDue = async () =>
          options?.condition !== undefined || (await this.generationOf(key)) === before;
        const land = async () => ((await isDue()) ? taken() : undefined);
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
            return faulty(key, options, async () => (await taken())(), taken);
          };
        }
        if (name === 'delete') {
          return (key: string, options: DeleteOptions) =>
            faulty(
              key,
              options,
              () => storage.delete(key, options),
              async () => () => storage.delete(key, options),
            );
        }
        if (name === 'completeUpload') {
          return (key: string, id: string, parts: readonly CompletePart[], options: CompleteOptions) => {
            const complete = () => storage.completeUpload(key, id, parts, options);
            return faulty(key, options, complete, async () => complete);
          };
        }
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== 'function') return value;
        if (!['createUpload', 'putPart', 'abortUpload'].includes(String(name))) return value.bind(target);
        return (...all: unknown[]) => (isGone() ? never : value.apply(target, all));
      },
    });
  }
}

const never = new Promise<never>(() => {});

function fault(unresolved: boolean): UfsError {
  return new UfsError('timeout', 'the storage does not answer', { backend: 'memory:', unresolved });
}
