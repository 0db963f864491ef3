import { askHoldings, type HeldByAll } from '../admin/holdings-of-all.ts';
import type { Reports } from '../admin/route.ts';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import type { CoordStore } from '../coord/store.ts';
import type { Namespace } from '../gateway/namespace.ts';
import { ObjectJobs } from '../gateway/object-jobs.ts';
import type { Routing } from '../gateway/routing/routing.ts';
import type { JobObjects, Room } from '../jobs/job-objects.ts';
import { JobRunner } from '../jobs/job-runner.ts';
import { JobStore } from '../jobs/job-store.ts';
import { Jobs } from '../jobs/jobs.ts';
import type { Ownership } from '../ring/ownership.ts';
import type { DiskPageStore } from '../worker/disk-page-store.ts';
import type { MetadataCache } from '../worker/metadata-cache.ts';
import type { LocalReader, MetadataSource } from '../worker/reader.ts';

/** How long a node that says nothing keeps what it works at. */
const leaseMs = 5_000;
const lookEveryMs = 500;

/** A node's jobs: told of as soon as the store is open, worked at once the node can. */
export class NodeJobs {
  readonly jobs: Jobs;
  readonly #store: JobStore;
  readonly #begin: (objects: JobObjects) => JobRunner;
  #runner: JobRunner | undefined;

  private constructor(jobs: Jobs, store: JobStore, begin: (objects: JobObjects) => JobRunner) {
    this.jobs = jobs;
    this.#store = store;
    this.#begin = begin;
  }

  /** Rejects with `CoordError`. */
  static async open(
    clock: Clock,
    random: Random,
    log: Log,
    coordination: CoordStore,
    workerId: string,
  ): Promise<NodeJobs> {
    const store = await JobStore.open(clock, random, coordination);
    return new NodeJobs(
      new Jobs(clock, store),
      store,
      (objects) => new JobRunner(clock, log, store, objects, { workerId, leaseMs, lookEveryMs }),
    );
  }

  /** Works at jobs from now on, with what lies on this node and, through `routing`, on the others. */
  run(
    namespace: Namespace,
    ownership: Ownership,
    metadata: MetadataSource,
    routing: Routing | undefined,
    reader: LocalReader,
    known: MetadataCache,
    disk: DiskPageStore | undefined,
    reports: Reports,
    pageSizeBytes: number,
  ): void {
    const objects = new ObjectJobs({
      namespace,
      metadata,
      reader: routing?.reader ?? reader,
      loader: routing?.loader ?? reader.loader,
      known,
      regions: disk?.regionChecks,
      workers: () => ownership.view().members.map(({ workerId }) => workerId),
      room: async () => roomOf(await askHoldings({ reports }, [])),
      pageSizeBytes,
    });
    this.#runner = this.#begin(objects);
    this.#runner.start();
  }

  async close(): Promise<void> {
    await this.#runner?.close();
    await this.#store.close();
  }
}

/** What nodes cache, taken together. */
function roomOf({ told }: HeldByAll): Room {
  const usedBytes = told.reduce((sum, one) => sum + one.usedBytes, 0);
  const capacityBytes = told.reduce((sum, one) => sum + one.capacityBytes, 0);
  return { usedBytes, capacityBytes, nodes: told.length };
}
