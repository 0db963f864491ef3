import { objectsIn } from './counts.ts';
import type { Room } from './job-objects.ts';
import type { Forecast, JobRecord } from './job-record.ts';

/** What one node does in a second where nothing is known yet. */
const assumedObjects = 100;
const assumedBytes = 50 * 1024 * 1024;
/** Jobs that speed is reckoned from: the last so many of the same kind that ended well. */
const remembered = 20;
/** What took less tells of nothing but how long a job takes to begin, ms. */
const shortestMs = 1_000;

/** What to expect of the job that was planned, by what there is room for and how fast the like of it went. */
export function forecastOf(plan: JobRecord, past: readonly JobRecord[], room: Room): Forecast {
  const { seconds, basis } = secondsOf(plan, past, room.nodes);
  if (plan.kind !== 'load') return { seconds, basis };
  const { usedBytes, capacityBytes } = room;
  const evictedBytes = Math.max(0, usedBytes + plan.counts.loadedBytes - capacityBytes);
  return { seconds, basis, evictedBytes: Math.min(evictedBytes, usedBytes), capacityBytes };
}

function secondsOf(plan: JobRecord, past: readonly JobRecord[], nodes: number): Forecast {
  const { objects, bytes } = workOf(plan);
  const bound = plan.bytesPerSecond === undefined ? undefined : plan.bytesPerSecond * Math.max(1, nodes);
  const boundSeconds = bound === undefined ? 0 : bytes / bound;
  const like = past.filter((job) => isLike(job, plan)).slice(-remembered);
  const speeds = like.map((job) => speedOf(job));
  const known = speeds.length > 0;
  const objectsASecond = known
    ? Math.max(...speeds.map((speed) => speed.objects))
    : assumedObjects * Math.max(1, nodes);
  // A job of small objects tells little of how fast bytes come.
  const bytesASecond = Math.max(...speeds.map((speed) => speed.bytes), assumedBytes * Math.max(1, nodes));
  const seconds = Math.max(objects / objectsASecond, bytes / bytesASecond);
  if (boundSeconds > seconds) return { seconds: boundSeconds, basis: 'the bandwidth that is allowed' };
  const source = known
    ? `the fastest of the last ${plan.kind} jobs${speeds.length > 1 ? ` (${speeds.length})` : ''}`
    : 'assumed, as no such job has ended yet';
  const rates = `${Math.ceil(objectsASecond)} objects/s, ${Math.round(bytesASecond / 1024 / 1024)} MiB/s`;
  return { seconds, basis: `${rates}: ${source}` };
}

/** What takes time of a job: what is there already takes hardly any. */
function workOf({ kind, counts }: JobRecord): { objects: number; bytes: number } {
  if (kind === 'load') return { objects: counts.loaded, bytes: counts.loadedBytes };
  const bytes = kind === 'scrub' ? counts.cachedBytes + counts.freedBytes : 0;
  return { objects: kind === 'scrub' ? 0 : objectsIn(counts), bytes };
}

function isLike(job: JobRecord, plan: JobRecord): boolean {
  if (job.kind !== plan.kind || job.isPlan || job.bytesPerSecond !== undefined) return false;
  const took = (job.endedMs ?? 0) - job.createdMs;
  return job.state === 'succeeded' && took >= shortestMs && workOf(job).objects + workOf(job).bytes > 0;
}

function speedOf(job: JobRecord): { objects: number; bytes: number } {
  const { objects, bytes } = workOf(job);
  const seconds = ((job.endedMs ?? 0) - job.createdMs) / 1000;
  return { objects: Math.max(1, objects) / seconds, bytes: bytes / seconds };
}
