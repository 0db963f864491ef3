import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import type { CoordStore } from '../../src/coord/store.ts';
import type { ObjectOutcome } from '../../src/jobs/counts.ts';
import type { JobObjects, Room, Work } from '../../src/jobs/job-objects.ts';
import type { JobSpec } from '../../src/jobs/job-record.ts';
import { JobRunner } from '../../src/jobs/job-runner.ts';
import { JobStore } from '../../src/jobs/job-store.ts';
import { Jobs, type JobView } from '../../src/jobs/jobs.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { until } from '../support/until.ts';
import { FailingStore, type Fault } from './failing-store.ts';

/** Objects of one storage and one cache, which all nodes have in common; each node has regions, and knows of objects, of its own. */
export class Shelf {
  /** By key, in order. */
  readonly sizes = new Map<string, number>();
  readonly cached = new Set<string>();
  /** Keys that the storage refuses. */
  readonly refused = new Set<string>();
  /** Keys whose pages are not kept. */
  readonly unkept = new Set<string>();
  /** Keys whose pages are not as they were written. */
  readonly damaged = new Set<string>();
  /** By the worker that knows them: keys, and whether they have changed since. */
  readonly known = new Map<string, ReadonlyMap<string, 'same' | 'changed' | 'gone'>>();
  /** By the worker that they are of. */
  readonly regionsOf = new Map<string, readonly string[]>();
  readonly alive = new Set<string>();
  room: Room = { usedBytes: 0, capacityBytes: 0, nodes: 1 };
  isAway = false;
  loads = 0;
  /** Keys in the order in which loading them began. */
  readonly order: string[] = [];
  /** Waited for at each object. */
  turn: () => Promise<void> = async () => {};

  fill(count: number, sizeOf: (index: number) => number): void {
    for (let i = 0; i < count; i++) this.sizes.set(`p/${String(i).padStart(6, '0')}`, sizeOf(i));
  }

  get bytes(): number {
    return [...this.sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  async list({ prefix }: Pick<JobSpec, 'prefix'>, after: string | undefined, limit: number) {
    if (this.isAway) throw new UfsError('unavailable', 'the storage is away', { backend: 'shelf:' });
    const all = [...this.sizes].filter(
      ([key]) => key.startsWith(prefix) && (after === undefined || key > after),
    );
    const objects = all.slice(0, limit).map(([key, sizeBytes]) => ({ key, sizeBytes }));
    return { objects, goesOn: all.length > limit };
  }

  async load(
    _bucket: string,
    key: string,
    { isPlan, pace, signal }: Work,
  ): Promise<ObjectOutcome | undefined> {
    this.loads++;
    this.order.push(key);
    await this.turn();
    signal.throwIfAborted();
    const sizeBytes = this.sizes.get(key);
    if (sizeBytes === undefined) return undefined;
    if (this.refused.has(key)) throw new UfsError('denied', 'the storage refuses it', { backend: 'shelf:' });
    if (this.cached.has(key)) return { type: 'load', sizeBytes, loadedBytes: 0, cachedBytes: sizeBytes };
    if (isPlan) return { type: 'load', sizeBytes, loadedBytes: sizeBytes, cachedBytes: 0 };
    await pace(sizeBytes);
    if (this.unkept.has(key)) return { type: 'load', sizeBytes, loadedBytes: 0, cachedBytes: 0 };
    this.cached.add(key);
    return { type: 'load', sizeBytes, loadedBytes: sizeBytes, cachedBytes: 0 };
  }

  async free(_bucket: string, key: string, { isPlan }: Work): Promise<ObjectOutcome> {
    const hadPages = isPlan ? this.cached.has(key) : this.cached.delete(key);
    return { type: 'free', freedBytes: hadPages ? (this.sizes.get(key) ?? 0) : 0, hadPages };
  }
}

/** The shelf as one node works at it. */
class NodeShelf implements JobObjects {
  private readonly shelf: Shelf;
  private readonly worker: string;
  readonly list: JobObjects['list'];
  readonly load: JobObjects['load'];
  readonly free: JobObjects['free'];

  constructor(shelf: Shelf, worker: string) {
    this.shelf = shelf;
    this.worker = worker;
    this.list = (job, after, limit) => shelf.list(job, after, limit);
    this.load = (...given) => shelf.load(...given);
    this.free = (...given) => shelf.free(...given);
  }

  async verify(bucket: string, key: string, work: Work): Promise<ObjectOutcome | undefined> {
    if (this.shelf.damaged.delete(key)) this.shelf.cached.delete(key);
    return this.shelf.load(bucket, key, work);
  }

  known(_job: unknown, after: string | undefined, limit: number) {
    return page([...(this.shelf.known.get(this.worker)?.keys() ?? [])], after, limit);
  }

  async sync(_bucket: string, key: string): Promise<ObjectOutcome | undefined> {
    await this.shelf.turn();
    const now = this.shelf.known.get(this.worker)?.get(key);
    return now === 'gone' ? undefined : { type: 'sync', hasChanged: now === 'changed' };
  }

  regions(after: string | undefined, limit: number) {
    return page(this.shelf.regionsOf.get(this.worker) ?? [], after, limit);
  }

  /** Ten pages of a byte each, one of which is damaged in a region that is called so. */
  async scrub(_bucket: string, region: string): Promise<ObjectOutcome> {
    await this.shelf.turn();
    const damaged = region.includes('damaged') ? 1 : 0;
    return {
      type: 'scrub',
      whole: { count: 10 - damaged, bytes: 10 - damaged },
      damaged: { count: damaged, bytes: damaged },
    };
  }

  workers(): readonly string[] {
    return [...this.shelf.alive].sort();
  }

  async room(): Promise<Room> {
    return this.shelf.room;
  }
}

function page(all: readonly string[], after: string | undefined, limit: number) {
  const behind = all.filter((key) => after === undefined || key > after).sort();
  const objects = behind.slice(0, limit).map((key) => ({ key, sizeBytes: 0 }));
  return { objects, goesOn: behind.length > limit };
}

export interface JobNode {
  readonly store: FailingStore;
  readonly jobs: Jobs;
  close(): Promise<void>;
}

export const wholeLoad: JobSpec = {
  kind: 'load',
  bucket: 'books',
  prefix: 'p/',
  priority: 'normal',
  isPlan: false,
};

/** Nodes over one coordination store in memory and one shelf. */
export class JobNodes {
  readonly shelf = new Shelf();
  readonly store: CoordStore = createMemoryStore(systemClock, systemRandom);
  private readonly nodes: JobNode[] = [];

  async add(fault?: Fault): Promise<JobNode> {
    const store = new FailingStore(this.store, fault);
    const jobStore = await JobStore.open(systemClock, systemRandom, store);
    const workerId = `node-${this.nodes.length}`;
    this.shelf.alive.add(workerId);
    const settings = { workerId, leaseMs: 200, lookEveryMs: 5 };
    const objects = new NodeShelf(this.shelf, workerId);
    const runner = new JobRunner(systemClock, silentLog(), jobStore, objects, settings);
    runner.start();
    const close = async () => {
      store.release();
      await runner.close();
      await jobStore.close();
    };
    const node = { store, jobs: new Jobs(systemClock, jobStore), close };
    this.nodes.push(node);
    return node;
  }

  async over({ jobs }: JobNode, id: string): Promise<JobView> {
    let job = await jobs.show(id);
    await until(async () => {
      job = await jobs.show(id);
      return job.state !== 'running';
    });
    return job;
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.close();
    await this.store.close();
  }
}
