import { compareUtf8 } from '../common/utf8-order.ts';
import { addCounts, objectsIn } from './counts.ts';
import { type JobRecord, type JobState, type Listed, newJob, type Shard } from './job-record.ts';

/** How often something may be missing of what was loaded before a job that verifies gives up. */
const maxRounds = 5;

/** What somebody may ask of a job. */
export type JobChange = 'pause' | 'resume' | 'stop';

const changes: Readonly<Record<JobChange, { readonly from: readonly JobState[]; readonly to: JobState }>> = {
  pause: { from: ['running', 'paused'], to: 'paused' },
  resume: { from: ['collecting', 'paused', 'running'], to: 'running' },
  stop: { from: ['collecting', 'running', 'paused', 'stopped'], to: 'stopped' },
};

export function isOver({ state }: Pick<JobRecord, 'state'>): boolean {
  return state !== 'collecting' && state !== 'running' && state !== 'paused';
}

/** Whether somebody has to do something about it: shards of a job that is over are summed up and removed. */
export function needsWork(job: JobRecord): boolean {
  return job.state === 'running' || (isOver(job) && job.summedShards < job.listed.shards);
}

/** Undefined where a job in this state cannot be changed so. */
export function changed(job: JobRecord, change: JobChange, nowMs: number): JobRecord | undefined {
  const { from, to } = changes[change];
  if (!from.includes(job.state)) return undefined;
  if (job.state === to) return job;
  return to === 'stopped' ? { ...job, state: to, endedMs: nowMs } : { ...job, state: to };
}

/** Whether its parts are about what each node has, not about ranges of keys. */
export function isOfNodes({ kind }: Pick<JobRecord, 'kind'>): boolean {
  return kind === 'scrub' || kind === 'sync';
}

/** Whether what is missing once more will not be looked for again. */
export function isLastRound({ kind, isPlan, round }: JobRecord): boolean {
  return kind === 'verify' && !isPlan && round === maxRounds;
}

/** With one shard more that was cut from the list. */
export function withShard(job: JobRecord, shard: Shard): JobRecord {
  const listed: Listed = {
    cursor: shard.through,
    isComplete: false,
    shards: shard.number + 1,
    objects: job.listed.objects + shard.objects,
    bytes: job.listed.bytes + shard.bytes,
  };
  return { ...job, listed };
}

/** Looked through up to a key, behind what lies in shards. */
export function listedThrough(job: JobRecord, key: string): JobRecord {
  const { cursor } = job.listed;
  if (cursor !== undefined && compareUtf8(cursor, key) >= 0) return job;
  return { ...job, listed: { ...job.listed, cursor: key } };
}

export function listedToTheEnd(job: JobRecord): JobRecord {
  return { ...job, listed: { ...job.listed, isComplete: true } };
}

/**
 * With the sums of a shard: of the next one in order that is done, or, once the job is over, as far as it came. Undefined where this is not
 * its turn.
 */
export function withSummed(job: JobRecord, shard: Shard): JobRecord | undefined {
  const isNext = shard.number === job.summedShards && shard.number < job.listed.shards;
  if (!isNext || !(shard.isDone || isOver(job))) return undefined;
  return { ...job, summedShards: job.summedShards + 1, counts: addCounts(job.counts, shard.counts) };
}

/** The job at its end, if there is nothing left to do; itself otherwise. */
export function ended(job: JobRecord, nowMs: number): JobRecord {
  const isThrough = job.listed.isComplete && job.summedShards === job.listed.shards;
  if (job.state !== 'running' || !isThrough) return job;
  if (!isOfNodes(job) && objectsIn(job.counts) === job.counts.gone)
    return failed(job, 'no object was found there', nowMs);
  if (job.counts.failed > 0) return { ...job, state: 'failed', endedMs: nowMs };
  return { ...job, state: 'succeeded', endedMs: nowMs };
}

/** The job that comes after one that has succeeded, if one does: after a load that is to be verified, until nothing is missing any more. */
export function nextOf(job: JobRecord, nowMs: number): JobRecord | undefined {
  const { id, kind, state, counts, manifest, round = 0 } = job;
  const isVerified = kind === 'verify' && counts.loaded === 0;
  if (state !== 'succeeded' || job.isPlan || !job.verifies || isVerified) return undefined;
  const { bucket, prefix, pattern, hasManifest, parts, priority, bytesPerSecond, isPlan, verifies } = job;
  const spec = { bucket, prefix, pattern, hasManifest, parts, priority, bytesPerSecond, isPlan, verifies };
  const next = newJob(`${id.split('-')[0]}-${round + 1}`, { ...spec, kind: 'verify' }, nowMs);
  return { ...next, state: 'running', manifest, round: round + 1 };
}

/** A job that cannot be gone on with. */
export function failed(job: JobRecord, reason: string, nowMs: number): JobRecord {
  return { ...job, state: 'failed', reason, endedMs: nowMs };
}
