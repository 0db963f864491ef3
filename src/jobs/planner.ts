import type { Clock } from '../common/clock.ts';
import { addCounts, failureOf, noCounts } from './counts.ts';
import { behind, cutShard, maxShardObjects, shardOf } from './cut-shards.ts';
import { forecastOf } from './forecast.ts';
import type { JobObjects, ObjectList } from './job-objects.ts';
import type { JobRecord, Shard } from './job-record.ts';
import {
  ended,
  failed,
  isOfNodes,
  listedThrough,
  listedToTheEnd,
  nextOf,
  withShard,
  withSummed,
} from './job-state.ts';
import type { JobStore, Stored } from './job-store.ts';
import { MeantObjects } from './meant-objects.ts';
import { reasonOf } from './reason.ts';

/** Shards of one job that are in the store at once. */
const maxShards = 64;
/** A storage whose list fails so many times in a row ends the job. */
const maxListFailures = 5;

/**
 * Takes jobs on: sums up shards that are done, cuts new ones, and ends what is through. It keeps nothing that another could not go on
 * without, so that any number of nodes may do so at once.
 */
export class Planner {
  readonly #clock: Clock;
  readonly #store: JobStore;
  readonly #objects: JobObjects;
  readonly #meant: MeantObjects;
  readonly #listFailures = new Map<string, number>();

  constructor(clock: Clock, store: JobStore, objects: JobObjects) {
    this.#clock = clock;
    this.#store = store;
    this.#objects = objects;
    this.#meant = new MeantObjects(objects, store.manifests);
  }

  /** To be called while there is no job. */
  forget(): void {
    this.#listFailures.clear();
  }

  /** One step. True if there may be another at once. Rejects with `CoordError`. */
  async step(id: string, signal: AbortSignal): Promise<boolean> {
    const before = await this.#store.read(id);
    if (!before || before.value.state === 'paused' || before.value.state === 'collecting') return false;
    const shards = await this.#store.shards(id);
    const summed = await this.#sumUp(before, shards);
    if (summed) return true;
    const job = before.value;
    const open = shards.filter(({ value }) => value.number >= job.summedShards);
    if (await this.#giveUpLost(job, open)) return true;
    if (job.state !== 'running' || open.length >= maxShards) return false;
    if (job.listed.isComplete) return this.#finish(before, signal);
    return isOfNodes(job) ? this.#cutForNodes(before) : this.#cut(before, signal);
  }

  /** True if something was summed up or removed. The sums move before the shard is removed: it is never counted twice, and never not at all. */
  async #sumUp(before: Stored<JobRecord>, shards: readonly Stored<Shard>[]): Promise<boolean> {
    let job = before.value;
    const past: Stored<Shard>[] = shards.filter(({ value }) => value.number < job.summedShards);
    for (const shard of shards) {
      const next = withSummed(job, shard.value);
      if (!next) continue;
      job = next;
      past.push(shard);
    }
    if (job !== before.value && !(await this.#store.replace(before, job))) return true;
    for (const shard of past) await this.#store.removeShard(job.id, shard);
    return past.length > 0 || job !== before.value;
  }

  async #finish(before: Stored<JobRecord>, signal: AbortSignal): Promise<boolean> {
    const nowMs = this.#clock.nowMs();
    let job = ended(before.value, nowMs);
    if (job === before.value) return false;
    if (job.isPlan && job.state === 'succeeded') {
      job = { ...job, forecast: forecastOf(job, this.#store.list(), await this.#objects.room(signal)) };
    }
    const next = nextOf(job, nowMs);
    if (next) {
      // Before the job is said to be over, so that whoever waits for it finds what comes after it.
      await this.#store.add(next);
      job = { ...job, next: next.id };
    }
    await this.#store.replace(before, job);
    return false;
  }

  /** A shard for each node that is alive. */
  async #cutForNodes(before: Stored<JobRecord>): Promise<boolean> {
    let job = before.value;
    const left = new Set(this.#objects.workers());
    for (const worker of left) {
      // Another may have been here before, when others were alive.
      let shard: Shard;
      do {
        shard = await this.#place(job.id, shardOf(worker, job.listed.shards));
        job = withShard(job, shard);
        left.delete(shard.worker ?? '');
      } while (left.has(worker));
    }
    await this.#store.replace(before, listedToTheEnd(job));
    return true;
  }

  /** What only a node could do that is gone nobody does. True if there was such a thing. */
  async #giveUpLost(job: JobRecord, open: readonly Stored<Shard>[]): Promise<boolean> {
    if (!isOfNodes(job) || job.state !== 'running') return false;
    const alive = new Set(this.#objects.workers());
    const lost = open.filter(
      ({ value: { worker, isDone } }) => !isDone && worker !== undefined && !alive.has(worker),
    );
    for (const shard of lost) {
      const { value } = shard;
      // What it knew of objects went with it; what lies on its disks is there still.
      const missing =
        job.kind === 'scrub'
          ? failureOf(`node ${value.worker}`, 'it went away before it was through')
          : noCounts;
      await this.#store.replaceShard(job.id, shard, {
        ...value,
        isDone: true,
        counts: addCounts(value.counts, missing),
      });
    }
    return lost.length > 0;
  }

  async #cut(before: Stored<JobRecord>, signal: AbortSignal): Promise<boolean> {
    let job = before.value;
    const { id } = job;
    let list: ObjectList;
    try {
      list = await this.#meant.list(job, job.listed.cursor, maxShardObjects, signal);
      this.#listFailures.delete(id);
    } catch (error) {
      if (!signal.aborted) await this.#listFailed(before, error);
      return false;
    }
    let { objects } = list;
    while (objects.length > 0) {
      const shard = await this.#place(id, cutShard(objects, job.listed.shards, job.listed.cursor));
      objects = behind(objects, shard.through);
      job = withShard(job, shard);
    }
    if (list.through !== undefined) job = listedThrough(job, list.through);
    if (!list.goesOn) job = listedToTheEnd(job);
    await this.#store.replace(before, job);
    return true;
  }

  /** The shard that has the number then: one that another has cut before counts as it is. */
  async #place(id: string, shard: Shard): Promise<Shard> {
    if (await this.#store.addShard(id, shard)) return shard;
    const present = await this.#store.readShard(id, shard.number);
    return present?.value ?? shard;
  }

  async #listFailed(before: Stored<JobRecord>, error: unknown): Promise<void> {
    const { id } = before.value;
    const failures = (this.#listFailures.get(id) ?? 0) + 1;
    this.#listFailures.set(id, failures);
    if (failures < maxListFailures) return;
    this.#listFailures.delete(id);
    const reason = `the storage cannot be listed: ${reasonOf(error)}`;
    await this.#store.replace(before, failed(before.value, reason, this.#clock.nowMs()));
  }
}
