import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProcess } from '../cluster/node-process.ts';
import type { LoadedCluster, SeenJob } from './loaded-cluster.ts';

/** Whom a kill is meant for, if there is one. */
export type Victim = 'coordinator' | 'worker';

/** The node that plans, or one that works and does not plan; undefined where none does at the moment. */
export async function victimOf(
  loaded: LoadedCluster,
  job: SeenJob,
  victim: Victim,
): Promise<NodeProcess | undefined> {
  const { coordinator, workers = [] } = job;
  const id = victim === 'coordinator' ? coordinator : workers.find((worker) => worker !== coordinator);
  const node = id === undefined ? undefined : await loaded.nodeOf(id);
  return node?.isAlive ? node : undefined;
}

/** Resolves with what a job has come to, once `isSo`, or with undefined if it is over before. */
export async function jobUntil(
  loaded: LoadedCluster,
  id: string,
  isSo: (job: SeenJob) => boolean | Promise<boolean>,
): Promise<SeenJob | undefined> {
  for (;;) {
    const job = await loaded.job(id);
    if (isOver(job)) return undefined;
    if (await isSo(job)) return job;
    await sleep(100);
  }
}

/** A job, and what goes on where it ends, at the end of the last of them. Calls back with what is seen on the way. */
export async function jobsToTheEnd(
  loaded: LoadedCluster,
  id: string,
  seen: (job: SeenJob) => void = () => {},
): Promise<SeenJob[]> {
  const ended: SeenJob[] = [];
  for (let next: string | undefined = id; next !== undefined; ) {
    const job: SeenJob = await loaded.job(next);
    seen(job);
    if (isOver(job)) {
      ended.push(job);
      next = job.next;
    } else await sleep(500);
  }
  return ended;
}

/** What is wrong with the counts of a load that has come to its end. */
export function complaintsOf(loaded: LoadedCluster, job: SeenJob): string[] {
  const { state, listed, objects, bytes, failures = [] } = job;
  const expected: readonly [string, number | string, number | string][] = [
    ['its state', state, 'succeeded'],
    ['objects listed', listed.objects, loaded.objects],
    ['bytes listed', listed.bytes, loaded.bytes],
    ['objects loaded or cached', objects.loaded + objects.cached, loaded.objects],
    ['bytes loaded or cached', bytes.loaded + bytes.cached, loaded.bytes],
    ['objects failed or gone', objects.failed + objects.gone, 0],
  ];
  const wrong = expected.filter(([, is, should]) => is !== should);
  const named = failures.slice(0, 5).map(({ key, reason }) => `${key}: ${reason}`);
  return [...wrong.map(([what, is, should]) => `${what}: ${is}, not ${should}`), ...named];
}

export function isOver({ state }: SeenJob): boolean {
  return state !== 'running' && state !== 'paused';
}
