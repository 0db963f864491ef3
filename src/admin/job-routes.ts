import {
  type JobKind,
  type JobRecord,
  type JobSpec,
  type Part,
  type Priority,
  priorities,
} from '../jobs/job-record.ts';
import type { JobChange } from '../jobs/job-state.ts';
import type { JobView } from '../jobs/jobs.ts';
import { maxListKeys } from '../jobs/manifests.ts';
import { AdminError } from './admin-error.ts';
import {
  type AdminRequest,
  type AdminRoute,
  type AdminServices,
  flag,
  integer,
  list,
  object,
  shortText,
  text,
} from './route.ts';

/** From `start`, or so many bytes before the end where that is negative, to before `end`. */
const part = object({ start: integer, end: { type: 'integer', minimum: 1 } }, ['start']);
const maxParts = 16;
const maxTarget = 1100;
const maxKeyBytes = 1024;
const job = object(
  {
    id: text,
    kind: text,
    target: text,
    plan: flag,
    manifest: flag,
    parts: list(part),
    priority: text,
    verify: flag,
    round: integer,
    next: text,
    bytesPerSecond: integer,
    forecast: object(
      { seconds: { type: 'number' }, basis: text, evictedBytes: integer, capacityBytes: integer },
      ['seconds', 'basis'],
    ),
    state: text,
    reason: text,
    created: text,
    ended: text,
    seconds: { type: 'number' },
    listed: object({ complete: flag, objects: integer, bytes: integer }, ['complete', 'objects', 'bytes']),
    objects: object({ loaded: integer, cached: integer, freed: integer, gone: integer, failed: integer }, [
      'loaded',
      'cached',
      'freed',
      'gone',
      'failed',
    ]),
    bytes: object({ loaded: integer, cached: integer, freed: integer, open: integer }, [
      'loaded',
      'cached',
      'freed',
    ]),
    failures: list(object({ key: text, reason: text }, ['key', 'reason'])),
    workers: list(text),
    coordinator: text,
  },
  ['id', 'kind', 'target', 'plan', 'priority', 'state', 'created', 'seconds', 'listed', 'objects', 'bytes'],
);

/** Loading, freeing and checking: jobs that all nodes work at. */
export const jobRoutes: readonly AdminRoute[] = [
  {
    name: 'CreateJob',
    method: 'POST',
    path: '/v1/jobs',
    summary:
      'Has the objects of a bucket, or those with a prefix or of a form, loaded, freed or synced; or all pages on disks checked',
    body: object(
      {
        kind: { type: 'string', enum: ['load', 'free', 'scrub', 'sync'] },
        target: shortText(maxTarget),
        literal: flag,
        manifest: flag,
        parts: { ...list(part), minItems: 1, maxItems: maxParts },
        verify: flag,
        priority: { type: 'string', enum: priorities },
        plan: flag,
        bytesPerSecond: { type: 'integer', minimum: 1 },
      },
      ['kind'],
    ),
    status: 201,
    answer: job,
    fails: ['NotFound', 'LimitExceeded'],
    // What it is, its body says; the answer tells its id.
    changes: () => undefined,
    handler: async (services, { body }) => ({
      status: 201,
      body: viewOf(services, await create(services, body as JobRequest)),
    }),
  },
  {
    name: 'ListJobs',
    method: 'GET',
    path: '/v1/jobs',
    summary: 'All jobs, the oldest first, without the names of failed objects',
    answer: object({ jobs: list(job) }, ['jobs']),
    changes: 'nothing',
    handler: async (services) => ({
      status: 200,
      body: { jobs: services.jobs.list().map((row) => ({ ...viewOf(services, row), failures: undefined })) },
    }),
  },
  {
    name: 'ShowJob',
    method: 'GET',
    path: '/v1/jobs/:id',
    summary: 'One job, with what is being worked at',
    answer: job,
    fails: ['NotFound', 'StoreUnavailable'],
    changes: 'nothing',
    handler: async (services, { parameters }) => ({
      status: 200,
      body: viewOf(services, await services.jobs.show(parameters.id as string)),
    }),
  },
  {
    name: 'AddJobKeys',
    method: 'POST',
    path: '/v1/jobs/:id/keys',
    summary: 'Gives keys, in order, to a job that was made with a manifest; it begins when it is resumed',
    body: object({ keys: { ...list(shortText(maxKeyBytes)), minItems: 1, maxItems: maxListKeys } }, ['keys']),
    answer: job,
    fails: ['NotFound', 'Conflict', 'LimitExceeded'],
    changes: lookAtJob,
    handler: async (services, { parameters, body }) => {
      const { keys } = body as { readonly keys: readonly string[] };
      const row = await services.jobs.addKeys(parameters.id as string, keys);
      return { status: 200, body: viewOf(services, row) };
    },
  },
  ...(['pause', 'resume', 'stop'] as const).map(changeRoute),
];

function changeRoute(change: JobChange): AdminRoute {
  const name = { pause: 'PauseJob', resume: 'ResumeJob', stop: 'StopJob' }[change];
  const summary = {
    pause: 'Has a job wait; what it has done stays done',
    resume: 'Has a job that waits go on',
    stop: 'Ends a job; what it has done stays done',
  }[change];
  return {
    name,
    method: 'POST',
    path: `/v1/jobs/:id/${change}`,
    summary,
    answer: job,
    fails: ['NotFound', 'Conflict'],
    changes: lookAtJob,
    handler: async (services, { parameters }) => ({
      status: 200,
      body: viewOf(services, await services.jobs.change(parameters.id as string, change)),
    }),
  };
}

function lookAtJob({ jobs }: AdminServices, { parameters }: AdminRequest): unknown {
  const found = jobs.list().find(({ id }) => id === parameters.id);
  return found && { kind: found.kind, state: found.state, keys: found.manifest?.objects };
}

interface JobRequest {
  readonly kind: Exclude<JobKind, 'verify'>;
  readonly target?: string;
  /** `*` and `?` in the target stand for themselves. */
  readonly literal?: boolean;
  readonly manifest?: boolean;
  readonly parts?: readonly Part[];
  readonly verify?: boolean;
  readonly priority?: Priority;
  readonly plan?: boolean;
  readonly bytesPerSecond?: number;
}

async function create(services: AdminServices, request: JobRequest): Promise<JobRecord> {
  const { kind, manifest, parts, verify, priority = 'normal', plan = false, bytesPerSecond } = request;
  if (kind !== 'load' && (manifest || parts || verify))
    throw new AdminError(400, 'InvalidRequest', 'only a load takes a manifest, parts, or is verified');
  for (const { start, end } of parts ?? []) {
    if (end !== undefined && (start < 0 || end <= start))
      throw new AdminError(400, 'InvalidRequest', 'a part ends behind its start, or is so many last bytes');
  }
  const about = kind === 'scrub' ? { bucket: '', prefix: '' } : aboutOf(services, request);
  return services.jobs.create({
    kind,
    ...about,
    hasManifest: manifest,
    parts,
    verifies: verify,
    priority,
    isPlan: plan,
    bytesPerSecond,
  });
}

function aboutOf(
  services: AdminServices,
  { target = '', literal }: JobRequest,
): Pick<JobSpec, 'bucket' | 'prefix' | 'pattern'> {
  const slash = target.indexOf('/');
  const bucket = slash < 0 ? target : target.slice(0, slash);
  const key = slash < 0 ? '' : target.slice(slash + 1);
  if (!services.mounts.buckets.get(bucket))
    throw new AdminError(404, 'NotFound', `there is no bucket ${JSON.stringify(bucket)}`);
  const mark = literal ? -1 : key.search(/[*?]/);
  return mark < 0 ? { bucket, prefix: key } : { bucket, prefix: key.slice(0, mark), pattern: key };
}

function viewOf({ clock }: AdminServices, row: JobRecord | JobView) {
  const { counts, listed, createdMs, endedMs } = row;
  return {
    id: row.id,
    kind: row.kind,
    target: row.bucket === '' ? '' : `${row.bucket}/${row.pattern ?? row.prefix}`,
    plan: row.isPlan,
    manifest: row.hasManifest,
    parts: row.parts,
    priority: row.priority,
    verify: row.verifies,
    round: row.round,
    next: row.next,
    forecast: row.forecast,
    bytesPerSecond: row.bytesPerSecond,
    state: row.state,
    reason: row.reason,
    created: new Date(createdMs).toISOString(),
    ended: endedMs === undefined ? undefined : new Date(endedMs).toISOString(),
    seconds: Math.max(0, (endedMs ?? clock.nowMs()) - createdMs) / 1_000,
    listed: {
      complete: listed.isComplete,
      objects: row.manifest?.objects ?? listed.objects,
      bytes: listed.bytes,
    },
    objects: counts,
    bytes: {
      loaded: counts.loadedBytes,
      cached: counts.cachedBytes,
      freed: counts.freedBytes,
      open: 'openBytes' in row ? row.openBytes : undefined,
    },
    failures: counts.failures,
    workers: 'workers' in row ? row.workers : undefined,
    coordinator: 'workers' in row ? row.coordinator : undefined,
  };
}
