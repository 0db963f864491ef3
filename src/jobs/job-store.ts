import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import type { CoordStore, Lease } from '../coord/store.ts';
import { WatchedPrefix } from '../coord/watched-prefix.ts';
import { JobError } from './job-error.ts';
import { type JobRecord, type JobSpec, newJob, type Shard } from './job-record.ts';
import { isOver } from './job-state.ts';
import { Manifests } from './manifests.ts';

/** Something in the store, and where it stood when it was read. */
export interface Stored<T> {
  readonly value: T;
  readonly revision: number;
}

const records = 'job/records/';
const shards = 'job/shards/';
const claims = 'job/claims/';
const coordinator = 'job/coordinator';
/** Jobs that are not over. */
const maxActive = 100;
/** Jobs that are over and still told of. */
const maxOver = 200;
const tries = 20;

/** Jobs in the coordination store. Records are followed by a watch; all changes are compare-and-set. Rejects with `CoordError`. */
export class JobStore {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #store: CoordStore;
  readonly #listeners = new Set<() => void>();
  readonly manifests: Manifests;
  #records!: WatchedPrefix<JobRecord>;

  private constructor(clock: Clock, random: Random, store: CoordStore) {
    this.#clock = clock;
    this.#random = random;
    this.#store = store;
    this.manifests = new Manifests(store);
  }

  static async open(clock: Clock, random: Random, store: CoordStore): Promise<JobStore> {
    const jobs = new JobStore(clock, random, store);
    const decode = (value: string) => JSON.parse(value) as JobRecord;
    const tell = () => {
      for (const listener of jobs.#listeners) listener();
    };
    jobs.#records = await WatchedPrefix.open(clock, store, records, decode, tell);
    return jobs;
  }

  /** `listener` is called after each change of a record. Returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The oldest first. */
  list(): JobRecord[] {
    return this.#records.values().sort((a, b) => a.createdMs - b.createdMs || (a.id < b.id ? -1 : 1));
  }

  /** As this node has heard of it. */
  get(id: string): JobRecord | undefined {
    return this.#records.get(id);
  }

  /** Kinds: limit. */
  async create(spec: JobSpec): Promise<JobRecord> {
    const present = this.list();
    if (present.filter((job) => !isOver(job)).length >= maxActive)
      throw new JobError('limit', `there are ${maxActive} jobs that are not over: wait for one, or stop one`);
    const job = newJob(this.#random.uuid().slice(0, 8), spec, this.#clock.nowMs());
    if (!(await this.#records.put(job.id, JSON.stringify(job), 'absent'))) return this.create(spec);
    const over = present.filter(isOver);
    for (const old of over.slice(0, Math.max(0, over.length - maxOver))) await this.remove(old.id);
    return job;
  }

  /** One that comes after another; nothing happens if it is there already. */
  async add(job: JobRecord): Promise<void> {
    await this.#records.put(job.id, JSON.stringify(job), 'absent');
  }

  /** With whatever is left of its shards, and the keys that were given to it. */
  async remove(id: string): Promise<void> {
    const manifest = this.get(id)?.manifest;
    if (manifest?.of === id) await this.manifests.remove(manifest);
    for (const shard of await this.shards(id)) await this.removeShard(id, shard);
    const revision = this.#records.revisionOf(id);
    if (revision !== undefined) await this.#records.delete(id, revision);
  }

  /** As the store has it now. */
  async read(id: string): Promise<Stored<JobRecord> | undefined> {
    return this.#read<JobRecord>(records + id);
  }

  /** False if it was changed since. */
  replace(before: Stored<JobRecord>, job: JobRecord): Promise<boolean> {
    return this.#records.put(job.id, JSON.stringify(job), { revision: before.revision });
  }

  /** Changes a record as it stands then. `change` gives undefined where it does not apply, and so does this. Kinds: not-found, conflict. */
  async update(
    id: string,
    change: (job: JobRecord) => JobRecord | undefined,
  ): Promise<JobRecord | undefined> {
    for (let attempt = 0; attempt < tries; attempt++) {
      const before = await this.read(id);
      if (!before) throw new JobError('not-found', `there is no job ${id}`);
      const after = change(before.value);
      if (!after || after === before.value || (await this.replace(before, after))) return after;
    }
    throw new JobError('conflict', `the job ${id} is being changed by others all the time`);
  }

  /** By number. */
  async shards(id: string): Promise<Stored<Shard>[]> {
    const { entries } = await this.#store.list(`${shards}${id}/`);
    return entries.map(({ value, revision }) => ({ value: JSON.parse(value) as Shard, revision }));
  }

  readShard(id: string, number: number): Promise<Stored<Shard> | undefined> {
    return this.#read<Shard>(shardKey(id, number));
  }

  /** False if there is one of this number already. */
  async addShard(id: string, shard: Shard): Promise<boolean> {
    return (
      (await this.#store.putIf(shardKey(id, shard.number), JSON.stringify(shard), 'absent')) !== undefined
    );
  }

  /** The shard as it is in the store then; undefined if another changed it since. */
  async replaceShard(id: string, before: Stored<Shard>, shard: Shard): Promise<Stored<Shard> | undefined> {
    const expected = { revision: before.revision };
    const revision = await this.#store.putIf(shardKey(id, shard.number), JSON.stringify(shard), expected);
    return revision === undefined ? undefined : { value: shard, revision };
  }

  async removeShard(id: string, { value, revision }: Stored<Shard>): Promise<void> {
    await this.#store.deleteIf(shardKey(id, value.number), { revision });
  }

  /** Numbers of the shards that somebody works at. */
  async claimed(id: string): Promise<ReadonlyMap<number, string>> {
    const prefix = `${claims}${id}/`;
    const { entries } = await this.#store.list(prefix);
    return new Map(entries.map(({ key, value }) => [Number(key.slice(prefix.length)), value]));
  }

  /** What gives it back; undefined if somebody has it. */
  async claim(
    id: string,
    number: number,
    workerId: string,
    lease: Lease,
  ): Promise<(() => Promise<unknown>) | undefined> {
    const key = claimKey(id, number);
    const revision = await this.#store.putIf(key, workerId, 'absent', lease);
    return revision === undefined ? undefined : () => this.#store.deleteIf(key, { revision });
  }

  /** The worker that plans; undefined where none does. */
  async coordinator(): Promise<string | undefined> {
    return (await this.#store.get(coordinator))?.value;
  }

  /** Who plans: the worker given, if nobody did. */
  async elect(workerId: string, lease: Lease): Promise<string | undefined> {
    const present = await this.coordinator();
    if (present !== undefined) return present;
    const won = await this.#store.putIf(coordinator, workerId, 'absent', lease);
    return won === undefined ? undefined : workerId;
  }

  lease(ttlMs: number): Promise<Lease> {
    return this.#store.lease(ttlMs);
  }

  async close(): Promise<void> {
    await this.#records.close();
  }

  async #read<T>(key: string): Promise<Stored<T> | undefined> {
    const entry = await this.#store.get(key);
    return entry && { value: JSON.parse(entry.value) as T, revision: entry.revision };
  }
}

/** In order of the numbers as texts, too. */
function shardKey(id: string, number: number): string {
  return `${shards}${id}/${String(number).padStart(9, '0')}`;
}

function claimKey(id: string, number: number): string {
  return `${claims}${id}/${String(number).padStart(9, '0')}`;
}
