import type { Clock } from '../common/clock.ts';
import { isBucketName } from '../s3api/names.ts';
import { addCounts, type Counts } from './counts.ts';
import { JobError } from './job-error.ts';
import type { JobRecord, JobSpec } from './job-record.ts';
import { changed, type JobChange } from './job-state.ts';
import type { JobStore } from './job-store.ts';

/** A job as it is told of: with what its shards have found that are not summed up yet. */
export interface JobView extends JobRecord {
  readonly counts: Counts;
  /** Bytes that were fetched of objects that are not in the counts yet. */
  readonly openBytes: number;
  /** Nodes that work at it. */
  readonly workers: readonly string[];
  /** The node that plans, if one was elected. */
  readonly coordinator?: string;
}

/** What operators do with jobs. Rejects with `JobError` and `CoordError`. */
export class Jobs {
  readonly #clock: Clock;
  readonly #store: JobStore;

  constructor(clock: Clock, store: JobStore) {
    this.#clock = clock;
    this.#store = store;
  }

  /** Kinds: invalid, limit. */
  create(spec: JobSpec): Promise<JobRecord> {
    if (spec.kind !== 'scrub' && !isBucketName(spec.bucket))
      throw new JobError('invalid', `${JSON.stringify(spec.bucket)} is not the name of a bucket`);
    return this.#store.create(spec);
  }

  /** Gives keys, in UTF-8 byte order, to a job that collects them; it begins when it is resumed. Kinds: not-found, conflict, invalid, limit. */
  async addKeys(id: string, keys: readonly string[]): Promise<JobRecord> {
    const before = await this.#store.read(id);
    if (!before) throw new JobError('not-found', `there is no job ${id}`);
    const { manifest, state } = before.value;
    if (!manifest || state !== 'collecting')
      throw new JobError('conflict', `the job ${id} takes no keys: it is ${state}`);
    const job = { ...before.value, manifest: await this.#store.manifests.add(manifest, keys) };
    if (await this.#store.replace(before, job)) return job;
    throw new JobError('conflict', `the job ${id} was changed by somebody else`);
  }

  /** As summed up so far, the oldest first. */
  list(): readonly JobRecord[] {
    return this.#store.list();
  }

  /** Kinds: not-found. */
  async show(id: string): Promise<JobView> {
    // Shards first: what is summed up in between is in the record then, and left out here.
    const shards = await this.#store.shards(id);
    const workers = new Set((await this.#store.claimed(id)).values());
    const stored = await this.#store.read(id);
    if (!stored) throw new JobError('not-found', `there is no job ${id}`);
    const job = stored.value;
    let { counts } = job;
    let openBytes = 0;
    for (const { value } of shards) {
      const isOpen = value.number >= job.summedShards && value.number < job.listed.shards;
      if (isOpen) counts = addCounts(counts, value.counts);
      if (isOpen) openBytes += value.openBytes ?? 0;
    }
    return { ...job, counts, openBytes, workers: [...workers], coordinator: await this.#store.coordinator() };
  }

  /** Kinds: not-found, conflict. */
  async change(id: string, change: JobChange): Promise<JobRecord> {
    const job = await this.#store.update(id, (present) => changed(present, change, this.#clock.nowMs()));
    if (job) return job;
    const state = this.#store.get(id)?.state ?? 'over';
    throw new JobError('conflict', `the job ${id} cannot be changed any more: it is ${state}`);
  }
}
