import { CoordError } from '../coord/store.ts';
import { JobError } from '../jobs/job-error.ts';
import type { JobRecord } from '../jobs/job-record.ts';
import type { Jobs, JobView } from '../jobs/jobs.ts';
import { clusterStatus, type JobRow } from './cluster-status.ts';
import { pendingPlace } from './pending-places.ts';
import { type AdminRoute, type AdminServices, flag, integer, list, number, object, text } from './route.ts';

const filled = object({ usedBytes: integer, capacityBytes: integer }, ['usedBytes', 'capacityBytes']);
const ring = object(
  {
    generation: integer,
    epoch: integer,
    mode: text,
    frozen: flag,
    isMember: flag,
    hasLease: flag,
    waitingFor: integer,
    stoppedBecause: text,
  },
  ['generation', 'epoch', 'mode', 'frozen', 'isMember', 'hasLease', 'waitingFor'],
);
const traffic = {
  seconds: number,
  requests: integer,
  faults: integer,
  slowDowns: integer,
  refused: integer,
  servedBytes: integer,
  givenBytes: integer,
  cachedBytes: integer,
  evictedPages: integer,
  lostLogLines: integer,
};
const told = object(
  {
    version: text,
    startedMs: integer,
    nowMs: integer,
    reasonNotReady: text,
    ring,
    memory: filled,
    disk: filled,
    foldersDown: list(object({ path: text, message: text }, ['path', 'message'])),
    objects: integer,
    inFlight: integer,
    traffic: object(traffic, Object.keys(traffic)),
    mounts: list(object({ mount: text, ms: integer, fault: text }, ['mount', 'ms'])),
    pending: object(
      { places: list(pendingPlace), usedBytes: integer, capacityBytes: integer, lostRecords: integer },
      ['places', 'usedBytes', 'capacityBytes', 'lostRecords'],
    ),
    auditFault: text,
  },
  ['version', 'startedMs', 'nowMs', 'memory', 'foldersDown', 'objects', 'inFlight', 'traffic'],
);
const node = object(
  {
    workerId: text,
    state: { type: 'string', enum: ['joined', 'draining', 'suspect', 'silent', 'away', 'gone'] },
    isThisNode: flag,
    host: text,
    s3: text,
    admin: text,
    share: number,
    silence: text,
    goneSeconds: integer,
    told,
  },
  ['workerId', 'state', 'isThisNode', 'share'],
);
const mount = object(
  {
    name: text,
    uri: text,
    mode: text,
    freshness: text,
    asked: integer,
    slowestMs: integer,
    faults: list(object({ workerId: text, fault: text }, ['workerId', 'fault'])),
    pending: object({ entries: integer, bytes: integer, oldestSeconds: integer }, ['entries', 'bytes']),
  },
  ['name', 'uri', 'mode', 'freshness', 'asked', 'faults', 'pending'],
);
const trafficSum = {
  requestsPerSecond: number,
  faultsPerSecond: number,
  refusedPerSecond: number,
  slowDownsPerSecond: number,
  bytesPerSecond: number,
  evictedPagesPerSecond: number,
  inFlight: integer,
};
const job = {
  id: text,
  kind: text,
  target: text,
  isPlan: flag,
  state: text,
  seconds: number,
  done: integer,
  listed: integer,
  isListed: flag,
  failed: integer,
  bytes: integer,
};
const level = { type: 'string', enum: ['error', 'warning'] };

/** For all nodes to answer; one that does not is silent. */
const askMs = 4_000;
/** In a larger cluster the node that is asked sees for itself whether storages are reached, and no other does. */
const mostThatReach = 16;
/** Of more jobs than these, what is under way is not looked for. */
const mostCountedJobs = 10;

/** How the cluster is. */
export const statusRoutes: readonly AdminRoute[] = [
  {
    name: 'ShowStatus',
    method: 'GET',
    path: '/v1/status',
    summary: 'How the cluster is: its nodes, mounts, caches and requests, and what is wrong',
    answer: object(
      {
        health: { type: 'string', enum: ['ok', 'warning', 'error'] },
        time: text,
        ring,
        nodes: list(node),
        mounts: list(mount),
        cache: object({ memory: filled, disk: filled, objects: integer }, ['memory', 'objects']),
        jobs: list(object(job, Object.keys(job))),
        traffic: object({ ...trafficSum, hitRatio: number }, Object.keys(trafficSum)),
        alarms: list(object({ level, what: text, advice: text }, ['level', 'what', 'advice'])),
      },
      ['health', 'time', 'nodes', 'mounts', 'cache', 'traffic', 'jobs', 'alarms'],
    ),
    changes: 'nothing',
    handler: async (services) => ({ status: 200, body: await show(services) }),
  },
];

async function show(services: AdminServices) {
  const { cluster, workerId, clock, leaseMs, mounts, backends, departures, jobs } = services;
  const { view, registered = [] } = cluster?.standing ?? {};
  const reachAt = (view?.members.length ?? 1) <= mostThatReach ? 'all' : workerId;
  const reports = await services.reports.ask('status', { reachAt }, askMs);
  return clusterStatus(reports, {
    nowMs: clock.nowMs(),
    leaseMs,
    workerId,
    rootUri: (await backends.get('root')).uri,
    mounts: mounts.table.mounts,
    shares: view?.placement.shares() ?? new Map([[workerId, 1]]),
    departures: departures(),
    jobs: await jobRows(jobs, clock.nowMs()),
    away: registered.flatMap((one) => (view?.member(one.workerId) ? [] : [one.workerId])),
  });
}

/** The first of those that are not at their end as they stand now, the others as they were last summed up. */
async function jobRows(jobs: Jobs, nowMs: number): Promise<readonly JobRow[]> {
  const underWay = jobs.list().filter(isUnderWay);
  const first = underWay.slice(0, mostCountedJobs).map((row) => asItStands(jobs, row));
  const rows: readonly (JobRecord | JobView)[] = [
    ...(await Promise.all(first)),
    ...underWay.slice(mostCountedJobs),
  ];
  return rows.map((row) => jobRow(row, nowMs));
}

async function asItStands(jobs: Jobs, row: JobRecord): Promise<JobRecord | JobView> {
  try {
    return await jobs.show(row.id);
  } catch (error) {
    // It is gone, or the store is away, which the status says in its own place.
    if (error instanceof JobError || error instanceof CoordError) return row;
    throw error;
  }
}

function isUnderWay({ state }: JobRecord): boolean {
  return state === 'collecting' || state === 'running' || state === 'paused';
}

function jobRow(row: JobRecord | JobView, nowMs: number): JobRow {
  const { id, kind, bucket, prefix, pattern, isPlan, state, createdMs, listed, manifest, counts } = row;
  const { loaded, cached, freed, gone, failed } = counts;
  const openBytes = 'openBytes' in row ? row.openBytes : 0;
  return {
    id,
    kind,
    target: bucket === '' ? '' : `${bucket}/${pattern ?? prefix}`,
    isPlan,
    state,
    seconds: Math.max(0, nowMs - createdMs) / 1_000,
    done: loaded + cached + freed + gone + failed,
    listed: manifest?.objects ?? listed.objects,
    isListed: listed.isComplete,
    failed,
    bytes: counts.loadedBytes + counts.cachedBytes + counts.freedBytes + openBytes,
  };
}
