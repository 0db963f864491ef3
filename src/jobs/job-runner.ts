import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import { CoordError, type Lease } from '../coord/store.ts';
import { ByteRate } from '../ufs/byte-rate.ts';
import type { JobObjects, Work } from './job-objects.ts';
import { type JobRecord, priorities, type Shard } from './job-record.ts';
import { failed, isOver, needsWork } from './job-state.ts';
import type { JobStore, Stored } from './job-store.ts';
import { Planner } from './planner.ts';
import { reasonOf } from './reason.ts';
import { ShardRun } from './shard-run.ts';

export interface JobRunnerSettings {
  readonly workerId: string;
  /** How long a node that says nothing keeps its shards, and its place as the one who plans, ms. */
  readonly leaseMs: number;
  /** How often a node looks for work while there is a job, ms. */
  readonly lookEveryMs: number;
}

/** Shards that one node works at at once. */
const shardsAtOnce = 2;
/** A shard whose range cannot be listed so many times in a row ends the job. */
const maxShardFailures = 5;

/** A node's part in the jobs: it plans if it was elected, and works at shards. While there is no job it asks the store nothing. */
export class JobRunner {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #store: JobStore;
  readonly #objects: JobObjects;
  readonly #settings: JobRunnerSettings;
  readonly #planner: Planner;
  readonly #ended = new AbortController();
  readonly #running = new Map<string, Promise<void>>();
  readonly #rates = new Map<string, ByteRate>();
  readonly #failures = new Map<string, number>();
  #lease: Lease | undefined;
  #wake = Promise.withResolvers<void>();
  #loops: Promise<unknown> = Promise.resolve();
  #unfollow: () => void = () => {};

  constructor(clock: Clock, log: Log, store: JobStore, objects: JobObjects, settings: JobRunnerSettings) {
    this.#clock = clock;
    this.#log = log;
    this.#store = store;
    this.#objects = objects;
    this.#settings = settings;
    this.#planner = new Planner(clock, store, objects);
  }

  start(): void {
    this.#unfollow = this.#store.onChange(() => {
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
    const loops = [() => this.#holdLease(), () => this.#plan(), () => this.#takeShard()];
    this.#loops = Promise.all(loops.map((step) => this.#again(step)));
  }

  /** Gives back what it works at; what it has found is written down. */
  async close(): Promise<void> {
    this.#unfollow();
    this.#ended.abort();
    this.#wake.resolve();
    await this.#loops;
    await Promise.all(this.#running.values());
    await this.#letGo();
  }

  /** Takes steps while there is a job, with a pause after each that says that nothing is left to do at once. */
  async #again(step: () => Promise<boolean>): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      // Before it is looked what there is: what comes from then on is not missed.
      const woken = this.#wake.promise;
      if (!this.#store.list().some(needsWork)) {
        if (this.#running.size === 0) await this.#rest();
        await woken;
        continue;
      }
      try {
        if (await step()) continue;
      } catch (error) {
        if (signal.aborted) return;
        this.#told(error);
      }
      await this.#clock.sleep(this.#settings.lookEveryMs, signal).catch(() => undefined);
    }
  }

  async #holdLease(): Promise<boolean> {
    const { leaseMs } = this.#settings;
    const lease = this.#lease;
    if (!lease || lease.ended.aborted) this.#lease = await this.#store.lease(leaseMs);
    else if (lease.remainingMs() < (leaseMs * 2) / 3) await lease.keepAlive();
    return false;
  }

  /** Nothing is kept of jobs that are over. */
  #rest(): Promise<void> {
    this.#planner.forget();
    this.#failures.clear();
    this.#rates.clear();
    return this.#letGo();
  }

  async #letGo(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    // Without it the lease ends by itself.
    await lease?.revoke().catch((error: unknown) => this.#told(error));
  }

  async #plan(): Promise<boolean> {
    const { workerId } = this.#settings;
    const lease = this.#heldLease();
    if (!lease || (await this.#store.elect(workerId, lease)) !== workerId) return false;
    const signal = AbortSignal.any([this.#ended.signal, lease.ended]);
    let goesOn = false;
    for (const job of this.#store.list().filter(needsWork)) {
      if (signal.aborted) return false;
      if (await this.#planner.step(job.id, signal)) goesOn = true;
    }
    return goesOn;
  }

  /** True if a shard was taken on. */
  async #takeShard(): Promise<boolean> {
    const lease = this.#heldLease();
    if (!lease || this.#running.size >= shardsAtOnce) return false;
    for (const job of this.#store.list().sort(byPriority)) {
      if (job.state !== 'running') continue;
      const [shards, claimed] = await Promise.all([this.#store.shards(job.id), this.#store.claimed(job.id)]);
      for (const { value } of shards) {
        const { number, isDone, worker } = value;
        const name = `${job.id}/${number}`;
        if (worker !== undefined && worker !== this.#settings.workerId) continue;
        if (isDone || number < job.summedShards || claimed.has(number) || this.#running.has(name)) continue;
        const giveBack = await this.#store.claim(job.id, number, this.#settings.workerId, lease);
        if (!giveBack) continue;
        const work = this.#work(job, number, lease).finally(async () => {
          this.#running.delete(name);
          await giveBack().catch((error: unknown) => this.#told(error));
        });
        this.#running.set(name, work);
        return this.#running.size < shardsAtOnce;
      }
    }
    return false;
  }

  /** Does not reject. */
  async #work(job: JobRecord, number: number, lease: Lease): Promise<void> {
    const paused = new AbortController();
    const look = () => {
      if (this.#store.get(job.id)?.state !== 'running') paused.abort();
    };
    const unfollow = this.#store.onChange(look);
    look();
    const signal = AbortSignal.any([this.#ended.signal, lease.ended, paused.signal]);
    const name = `${job.id}/${number}`;
    try {
      // As it is now that nobody else has it.
      const shard = await this.#store.readShard(job.id, number);
      if (shard && !shard.value.isDone) await this.#run(job, shard, signal);
      this.#failures.delete(name);
    } catch (error) {
      if (!signal.aborted)
        await this.#shardFailed(job, name, error).catch((cause: unknown) => this.#told(cause));
    } finally {
      unfollow();
    }
  }

  #run(job: JobRecord, shard: Stored<Shard>, signal: AbortSignal): Promise<void> {
    return new ShardRun(
      this.#clock,
      this.#store,
      this.#objects,
      job,
      shard,
      this.#paceOf(job, signal),
      signal,
    ).run();
  }

  async #shardFailed(job: JobRecord, name: string, error: unknown): Promise<void> {
    this.#told(error);
    if (error instanceof CoordError) return;
    const failures = (this.#failures.get(name) ?? 0) + 1;
    this.#failures.set(name, failures);
    await this.#clock.sleep(this.#settings.lookEveryMs, this.#ended.signal).catch(() => undefined);
    if (failures < maxShardFailures) return;
    this.#failures.delete(name);
    const reason = `the storage cannot be listed: ${reasonOf(error)}`;
    await this.#store.update(job.id, (now) =>
      isOver(now) ? undefined : failed(now, reason, this.#clock.nowMs()),
    );
  }

  /** One rate for all that this node does for a job. */
  #paceOf({ id, bytesPerSecond }: JobRecord, signal: AbortSignal): Work['pace'] {
    for (const known of this.#rates.keys()) if (!this.#store.get(known)) this.#rates.delete(known);
    if (bytesPerSecond === undefined) return async () => {};
    const rate = this.#rates.get(id) ?? new ByteRate(this.#clock, `job ${id}`, () => bytesPerSecond);
    this.#rates.set(id, rate);
    return (bytes) => rate.pass(bytes, signal);
  }

  #heldLease(): Lease | undefined {
    return this.#lease?.ended.aborted ? undefined : this.#lease;
  }

  #told(error: unknown): void {
    this.#log.warn({ err: error }, 'a step of a job failed and is tried again');
  }
}

/** Leaves those of one priority as they are. */
function byPriority(a: JobRecord, b: JobRecord): number {
  return priorities.indexOf(b.priority) - priorities.indexOf(a.priority);
}
