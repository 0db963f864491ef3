import { effectiveFreshness, type Mount } from '../mounts/mount.ts';
import { formatFreshness, mountName } from '../mounts/mount-spec.ts';
import type { Departure } from '../ring/departures.ts';
import type { ViewMember } from '../ring/ownership.ts';
import { type Alarm, alarmsOf } from './alarms.ts';
import { type Reach, rootName } from './mount-reach.ts';
import type { Filled, NodeStatus } from './node-status.ts';
import type { NodeReport } from './route.ts';

/** One node, as the one that was asked sees it. */
export interface NodeRow {
  readonly workerId: string;
  /** `silent`: it does not answer. `away`: registered and no member. `gone`: it was a member, and went without handing over. */
  readonly state: ViewMember['state'] | 'silent' | 'away' | 'gone';
  readonly isThisNode: boolean;
  readonly host?: string;
  readonly s3?: string;
  readonly admin?: string;
  /** Part of the ring, 0 to 1. */
  readonly share: number;
  /** Why it tells nothing of itself. */
  readonly silence?: string;
  readonly goneSeconds?: number;
  readonly told?: NodeStatus;
}

export interface MountRow {
  readonly name: string;
  readonly uri: string;
  /** `read-only`, or the write mode. */
  readonly mode: string;
  readonly freshness: string;
  /** Nodes that asked its storage. */
  readonly asked: number;
  readonly slowestMs?: number;
  readonly faults: readonly { readonly workerId: string; readonly fault: string }[];
  readonly pending: { readonly entries: number; readonly bytes: number; readonly oldestSeconds?: number };
}

/** A job that has not come to its end. */
export interface JobRow {
  readonly id: string;
  readonly kind: string;
  /** A bucket and what keys begin with, or look like; '' for all that nodes hold. */
  readonly target: string;
  readonly isPlan: boolean;
  readonly state: string;
  readonly seconds: number;
  /** Objects that were come to, of those listed so far; `isListed`: that is all of them. */
  readonly done: number;
  readonly listed: number;
  readonly isListed: boolean;
  readonly failed: number;
  readonly bytes: number;
}

/** What all nodes together do, by the minute before. */
export interface TrafficSum {
  readonly requestsPerSecond: number;
  readonly faultsPerSecond: number;
  readonly refusedPerSecond: number;
  readonly slowDownsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly evictedPagesPerSecond: number;
  readonly inFlight: number;
  /** Of the bytes given out, those that came from a cache; absent where none were. */
  readonly hitRatio?: number;
}

export interface ClusterStatus {
  readonly health: 'ok' | 'warning' | 'error';
  readonly time: string;
  /** Absent outside a cluster. */
  readonly ring?: NodeStatus['ring'];
  readonly nodes: readonly NodeRow[];
  readonly mounts: readonly MountRow[];
  readonly cache: { readonly memory: Filled; readonly disk?: Filled; readonly objects: number };
  readonly traffic: TrafficSum;
  /** The oldest first. */
  readonly jobs: readonly JobRow[];
  readonly alarms: readonly Alarm[];
}

/** What the node that was asked knows without asking others. */
export interface StatusFacts {
  readonly nowMs: number;
  readonly leaseMs: number;
  readonly workerId: string;
  readonly rootUri: string;
  readonly mounts: readonly Mount[];
  /** By workerId. */
  readonly shares: ReadonlyMap<string, number>;
  readonly departures: readonly Departure[];
  readonly jobs: readonly JobRow[];
  /** Registered workers that are no members. */
  readonly away: readonly string[];
}

/** The whole cluster, out of what its members tell. No member is left out, whether or not it answered. */
export function clusterStatus(reports: readonly NodeReport[], facts: StatusFacts): ClusterStatus {
  const nodes = [...reports.map((report) => rowOf(report, facts)), ...absent(facts)];
  const told = nodes.flatMap((node) => (node.told ? [node.told] : []));
  const own = nodes.find(({ isThisNode }) => isThisNode)?.told;
  const mounts = mountRows(nodes, facts);
  const traffic = trafficOf(told);
  const alarms = alarmsOf({ nodes, mounts, traffic, jobs: facts.jobs, nowMs: facts.nowMs });
  return {
    health: alarms.some(({ level }) => level === 'error') ? 'error' : alarms.length > 0 ? 'warning' : 'ok',
    time: new Date(facts.nowMs).toISOString(),
    ring: own?.ring,
    nodes,
    mounts,
    cache: {
      memory: filled(told.map(({ memory }) => memory)),
      disk: told.some(({ disk }) => disk) ? filled(told.flatMap(({ disk }) => disk ?? [])) : undefined,
      objects: told.reduce((sum, { objects }) => sum + objects, 0),
    },
    traffic,
    jobs: facts.jobs,
    alarms,
  };
}

function rowOf({ member, told, silence }: NodeReport, { workerId, shares }: StatusFacts): NodeRow {
  return {
    workerId: member.workerId,
    state: silence === undefined ? member.state : 'silent',
    isThisNode: member.workerId === workerId,
    host: member.host || undefined,
    s3: member.s3Url || undefined,
    admin: member.adminUrl || undefined,
    share: shares.get(member.workerId) ?? 0,
    silence,
    told: told as NodeStatus | undefined,
  };
}

function absent({ nowMs, shares, departures, away }: StatusFacts): NodeRow[] {
  const gone = departures.map(({ member: { workerId, host, s3Url, adminUrl }, atMs }) => ({
    workerId,
    state: 'gone' as const,
    isThisNode: false,
    host,
    s3: s3Url,
    admin: adminUrl,
    share: shares.get(workerId) ?? 0,
    goneSeconds: Math.round((nowMs - atMs) / 1_000),
  }));
  const known = new Set(gone.map(({ workerId }) => workerId));
  const others = away.filter((workerId) => !known.has(workerId));
  return [
    ...gone,
    ...others.map((workerId) => ({
      workerId,
      state: 'away' as const,
      isThisNode: false,
      share: shares.get(workerId) ?? 0,
    })),
  ];
}

function mountRows(nodes: readonly NodeRow[], { rootUri, mounts, leaseMs }: StatusFacts): MountRow[] {
  const freshnessOf = (uri: string, freshness?: Mount['freshness']) =>
    formatFreshness(effectiveFreshness({ uri, freshness }, leaseMs));
  const root = { name: rootName, uri: rootUri, mode: 'through', freshness: freshnessOf(rootUri) };
  const others = mounts.map((mount) => ({
    name: mountName(mount),
    uri: mount.uri,
    mode: mount.readOnly ? 'read-only' : mount.writeMode,
    freshness: freshnessOf(mount.uri, mount.freshness),
  }));
  return [root, ...others].map((row) => ({
    ...row,
    ...reachOf(row.name, nodes),
    pending: pendingOf(row.name, nodes),
  }));
}

function reachOf(name: string, nodes: readonly NodeRow[]): Pick<MountRow, 'asked' | 'slowestMs' | 'faults'> {
  const answers = nodes.flatMap(({ workerId, told }): (Reach & { readonly workerId: string })[] => {
    const answer = told?.mounts?.find(({ mount }) => mount === name);
    return answer ? [{ ...answer, workerId }] : [];
  });
  const faults = answers.flatMap(({ workerId, fault }) => (fault === undefined ? [] : [{ workerId, fault }]));
  const slowestMs = answers.length === 0 ? undefined : Math.max(...answers.map(({ ms }) => ms));
  return { asked: answers.length, slowestMs, faults };
}

function pendingOf(name: string, nodes: readonly NodeRow[]): MountRow['pending'] {
  const places = nodes
    .flatMap(({ told }) => told?.pending?.places ?? [])
    .filter(({ mount }) => mount === name);
  const oldest = places.flatMap(({ oldestSeconds }) => oldestSeconds ?? []);
  return {
    entries: places.reduce((sum, { entries }) => sum + entries, 0),
    bytes: places.reduce((sum, { bytes }) => sum + bytes, 0),
    oldestSeconds: oldest.length === 0 ? undefined : Math.max(...oldest),
  };
}

function trafficOf(told: readonly NodeStatus[]): TrafficSum {
  const perSecond = (of: (traffic: NodeStatus['traffic']) => number) =>
    told.reduce((sum, { traffic }) => sum + of(traffic) / traffic.seconds, 0);
  const given = perSecond(({ givenBytes }) => givenBytes);
  return {
    requestsPerSecond: perSecond(({ requests }) => requests),
    faultsPerSecond: perSecond(({ faults }) => faults),
    refusedPerSecond: perSecond(({ refused }) => refused),
    slowDownsPerSecond: perSecond(({ slowDowns }) => slowDowns),
    bytesPerSecond: perSecond(({ servedBytes }) => servedBytes),
    evictedPagesPerSecond: perSecond(({ evictedPages }) => evictedPages),
    inFlight: told.reduce((sum, { inFlight }) => sum + inFlight, 0),
    hitRatio: given === 0 ? undefined : perSecond(({ cachedBytes }) => cachedBytes) / given,
  };
}

function filled(parts: readonly Filled[]): Filled {
  return {
    usedBytes: parts.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
    capacityBytes: parts.reduce((sum, { capacityBytes }) => sum + capacityBytes, 0),
  };
}
