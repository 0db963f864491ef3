import type { Clock } from '../common/clock.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import { CoordError } from '../coord/store.ts';
import { S3Error } from '../s3api/errors.ts';
import { UfsError } from '../ufs/errors.ts';
import { addCounts, type Counts, countsOf, failureOf, type ObjectOutcome } from './counts.ts';
import { maxShardObjects } from './cut-shards.ts';
import type { JobObjects, Work } from './job-objects.ts';
import type { JobRecord, Shard } from './job-record.ts';
import { isLastRound } from './job-state.ts';
import type { JobStore, Stored } from './job-store.ts';
import { MeantObjects } from './meant-objects.ts';
import { reasonOf } from './reason.ts';

/** Objects of one shard that are worked on at once. */
const objectsAtOnce = 8;
/** How often an object is tried, and how long is waited before the second time, ms; twice as long before each further one. */
const triesAnObject = 8;
const firstWaitMs = 100;
/** Long enough, all in all, for what a node owned that is gone to pass to another. */
const longestWaitMs = 6_400;
/** How often it is written down how far the work is, ms. */
const writeEveryMs = 1_000;

interface UnderWay {
  readonly key: string;
  readonly counts: Promise<Counts | undefined>;
  /** What was fetched of it so far. */
  readonly progress: { bytes: number };
}

/** One shard's work by one worker. */
export class ShardRun {
  readonly #clock: Clock;
  readonly #store: JobStore;
  readonly #objects: JobObjects;
  readonly #meant: MeantObjects;
  readonly #job: JobRecord;
  readonly #work: Work;
  /** In their order; the oldest is counted first, so that what counts is all up to one key. */
  readonly #underWay: UnderWay[] = [];
  readonly #lost = new AbortController();
  #shard: Stored<Shard>;
  #found: Shard;

  constructor(
    clock: Clock,
    store: JobStore,
    objects: JobObjects,
    job: JobRecord,
    shard: Stored<Shard>,
    pace: Work['pace'],
    signal: AbortSignal,
  ) {
    this.#clock = clock;
    this.#store = store;
    this.#objects = objects;
    this.#meant = new MeantObjects(objects, store.manifests);
    this.#job = job;
    this.#shard = shard;
    this.#found = shard.value;
    const either = AbortSignal.any([signal, this.#lost.signal]);
    this.#work = { isPlan: job.isPlan, parts: job.parts, pace, signal: either };
  }

  /** Ends when the shard is done, or was lost to another worker, or the signal is aborted: then how far it came is written down. */
  async run(): Promise<void> {
    const through = new AbortController();
    const writing = this.#writeNowAndThen(through.signal);
    try {
      await this.#workThrough();
    } finally {
      through.abort();
      await writing;
    }
    if (this.#lost.signal.aborted) return;
    const isDone = !this.#work.signal.aborted;
    this.#found = { ...this.#found, isDone, openBytes: undefined };
    await this.#write();
  }

  async #workThrough(): Promise<void> {
    const { through, objects } = this.#found;
    const limit = objects === 0 ? maxShardObjects : Math.min(maxShardObjects, objects + 1);
    const atOnce = this.#job.kind === 'scrub' ? 1 : objectsAtOnce;
    const { signal } = this.#work;
    const underWay = this.#underWay;
    let after = this.#found.doneThrough ?? this.#found.after;
    try {
      for (let goesOn = true; goesOn && !signal.aborted; ) {
        const list = await this.#meant.list(this.#job, after, limit, signal);
        goesOn = list.goesOn;
        for (const { key } of list.objects) {
          if (compareUtf8(key, through) > 0) {
            goesOn = false;
            break;
          }
          if (signal.aborted) return;
          after = key;
          const progress = { bytes: 0 };
          underWay.push({ key, counts: this.#one(key, progress), progress });
          if (underWay.length === atOnce) await this.#take();
        }
        after = list.through ?? after;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      while (underWay.length > 0) if (!(await this.#take())) break;
      await Promise.all(underWay.map(({ counts }) => counts));
    }
  }

  /** Counts the oldest; false if it was broken off. */
  async #take(): Promise<boolean> {
    const { key, counts } = this.#underWay[0] as UnderWay;
    const found = await counts;
    if (!found) return false;
    this.#underWay.shift();
    this.#found = { ...this.#found, doneThrough: key, counts: addCounts(this.#found.counts, found) };
    return true;
  }

  /** Does not reject; undefined if it was broken off. */
  async #one(key: string, progress: UnderWay['progress']): Promise<Counts | undefined> {
    const { kind, bucket, hasManifest } = this.#job;
    const { signal } = this.#work;
    const pace = (bytes: number) => {
      progress.bytes += bytes;
      return this.#work.pace(bytes);
    };
    for (let attempt = 1; ; attempt++) {
      progress.bytes = 0;
      try {
        const outcome = await this.#objects[kind](bucket, key, { ...this.#work, pace });
        if (!outcome && hasManifest) return failureOf(key, 'there is no such object');
        return isLastRound(this.#job) ? lastCountsOf(key, outcome) : countsOf(key, outcome);
      } catch (error) {
        if (signal.aborted) return undefined;
        if (attempt === triesAnObject || isForGood(error)) return failureOf(key, reasonOf(error));
        const wait = this.#clock.sleep(Math.min(longestWaitMs, firstWaitMs * 2 ** (attempt - 1)), signal);
        if (await wait.then(isNotCut, isCut)) return undefined;
      }
    }
  }

  /** Until the signal. What cannot be written now is written the next time. */
  async #writeNowAndThen(signal: AbortSignal): Promise<void> {
    while (
      await this.#clock
        .sleep(writeEveryMs, signal)
        .then(isNotCut, isCut)
        .then((cut) => !cut)
    ) {
      const openBytes = this.#underWay.reduce((sum, { progress }) => sum + progress.bytes, 0);
      if (openBytes !== (this.#found.openBytes ?? 0)) this.#found = { ...this.#found, openBytes };
      await this.#write().catch((error: unknown) => {
        if (!(error instanceof CoordError)) throw error;
      });
    }
  }

  /** Nothing is written any more once another has changed the shard: what was found since does not count. */
  async #write(): Promise<void> {
    const { id } = this.#job;
    if (this.#found === this.#shard.value) return;
    const found = this.#found;
    const written =
      (await this.#store.replaceShard(id, this.#shard, found)) ?? (await this.#writtenBefore(found));
    if (written) this.#shard = written;
    else this.#lost.abort();
  }

  /** A write of which nothing was heard may have taken effect: then the store has just what was to be written. */
  async #writtenBefore(found: Shard): Promise<Stored<Shard> | undefined> {
    const present = await this.#store.readShard(this.#job.id, found.number);
    return present && JSON.stringify(present.value) === JSON.stringify(found) ? present : undefined;
  }
}

/** What did not stay however often it was loaded is not said to be loaded. */
function lastCountsOf(key: string, outcome: ObjectOutcome | undefined): Counts {
  if (outcome?.type !== 'load' || outcome.loadedBytes === 0) return countsOf(key, outcome);
  const { loadedBytes, sizeBytes } = outcome;
  return failureOf(
    key,
    `${loadedBytes} of its ${sizeBytes} bytes had gone once more: is there room for all that is loaded?`,
  );
}

/** Whether another try would find the same. */
function isForGood(error: unknown): boolean {
  if (error instanceof S3Error) return error.status < 500;
  return error instanceof UfsError && !passing.has(error.kind);
}

const passing: ReadonlySet<UfsError['kind']> = new Set([
  'unavailable',
  'timeout',
  'throttled',
  'io',
  'moved',
  'conflict',
  'cancelled',
]);

const isNotCut = () => false;
const isCut = () => true;
