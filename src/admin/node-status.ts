import type { Clock } from '../common/clock.ts';
import { type MetricValues, sumOf } from '../common/merged-metrics.ts';
import type { Metrics } from '../common/metrics.ts';
import type { MountStore } from '../mounts/mount-store.ts';
import type { ClusterMember } from '../ring/cluster-member.ts';
import type { ChangeAudit } from './change-audit.ts';
import type { MountReach, Reach } from './mount-reach.ts';
import { type PendingPlace, pendingPlaces } from './pending-places.ts';
import type { OwnPending } from './pending-writes.ts';
import type { Readiness } from './readiness.ts';
import { type Traffic, TrafficWatch } from './traffic.ts';

/** Bytes used of those there may be. */
export interface Filled {
  readonly usedBytes: number;
  readonly capacityBytes: number;
}

/** What a node tells of itself. */
export interface NodeStatus {
  readonly version: string;
  readonly startedMs: number;
  readonly nowMs: number;
  readonly reasonNotReady?: string;
  /** Absent outside a cluster. */
  readonly ring?: {
    readonly generation: number;
    readonly epoch: number;
    readonly mode: string;
    readonly frozen: boolean;
    readonly isMember: boolean;
    readonly hasLease: boolean;
    readonly waitingFor: number;
    readonly stoppedBecause?: string;
  };
  readonly memory: Filled;
  readonly disk?: Filled;
  /** Folders of pages that are passed by. */
  readonly foldersDown: readonly { readonly path: string; readonly message: string }[];
  /** Objects whose metadata is known. */
  readonly objects: number;
  readonly inFlight: number;
  readonly traffic: Traffic;
  /** Where it was asked to look. */
  readonly mounts?: readonly Reach[];
  readonly pending?: {
    readonly places: readonly PendingPlace[];
    readonly usedBytes: number;
    readonly capacityBytes: number;
    readonly lostRecords: number;
  };
  /** Why the audit log cannot be written. */
  readonly auditFault?: string;
}

/** What the caches of a node hold. */
export interface CacheUsage {
  readonly memory: Filled;
  readonly disk?: Filled;
  readonly foldersDown: readonly { readonly path: string; readonly message: string }[];
  readonly objects: number;
}

/** What a node's status is made of. */
export interface NodeParts {
  readonly workerId: string;
  readonly version: string;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  readonly cluster: ClusterMember | undefined;
  readonly cache: () => CacheUsage;
  readonly mounts: MountStore;
  readonly pending: OwnPending;
  readonly audit: ChangeAudit;
  readonly reach: MountReach;
}

export interface StatusQuestion {
  /** Which nodes are to see if they reach the storage of the mounts: one workerId, or all. */
  readonly reachAt: string;
}

/** Tells how a node is. */
export class NodeStatusTeller {
  readonly #clock: Clock;
  readonly #parts: NodeParts;
  readonly #startedMs: number;
  readonly #traffic: TrafficWatch;

  constructor(clock: Clock, parts: NodeParts) {
    this.#clock = clock;
    this.#parts = parts;
    this.#startedMs = clock.nowMs();
    this.#traffic = new TrafficWatch(clock, () => parts.metrics.all());
  }

  async tell({ reachAt }: StatusQuestion): Promise<NodeStatus> {
    const { workerId, version, readiness, cluster, cache, audit, metrics } = this.#parts;
    const [traffic, mounts, counted] = await Promise.all([
      this.#traffic.lastMinute(),
      ['all', workerId].includes(reachAt) ? this.#parts.reach.all() : undefined,
      metrics.all(),
    ]);
    return {
      version,
      startedMs: this.#startedMs,
      nowMs: this.#clock.nowMs(),
      reasonNotReady: readiness.reasonNotReady(),
      ring: cluster && ringOf(cluster),
      ...cache(),
      inFlight: inFlightIn(counted),
      traffic,
      mounts,
      pending: this.#pending(),
      auditFault: audit.fault,
    };
  }

  close(): void {
    this.#traffic.close();
  }

  #pending(): NodeStatus['pending'] {
    const { pending, mounts } = this.#parts;
    const { bytes: usedBytes, capacityBytes, lostRecords } = pending.usage;
    const places = pendingPlaces(pending.places, mounts, this.#clock.nowMs());
    return { places, usedBytes, capacityBytes, lostRecords };
  }
}

function ringOf({ standing }: ClusterMember): NodeStatus['ring'] {
  const { view, settings, isMember, hasLease, unreleased, stoppedBecause } = standing;
  return {
    generation: view?.generation ?? 0,
    epoch: view?.epoch ?? 0,
    mode: settings.mode,
    frozen: view?.record.frozen ?? false,
    isMember,
    hasLease,
    waitingFor: unreleased,
    stoppedBecause,
  };
}

function inFlightIn(all: readonly MetricValues[]): number {
  return sumOf(all, 'forebay_requests_in_flight');
}
