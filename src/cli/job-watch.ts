import { systemClock } from '../common/clock.ts';
import type { Invocation } from './command.ts';
import { callAdmin } from './commands/shared.ts';
import { CommandError } from './errors.ts';
import { barLine, isOver, type JobView, jobLines } from './job-words.ts';

const lookEveryMs = 300;
/** A line of JSON at most so often. */
const tellEveryMs = 2_000;
/** A node that does not answer is asked again for so long. */
const patienceMs = 60_000;

/**
 * Shows a job, and those that come after it, until the last is over, or one waits to be resumed: a bar in a terminal, otherwise lines of JSON,
 * the last of which tells how it ended. Gives the exit code.
 */
export async function watchJob(invocation: Invocation, created: JobView): Promise<number> {
  for (let job = created; ; ) {
    job = await watchOne(invocation, job);
    if (job.next === undefined) return exitCodeOf(job);
    job = await look(invocation, job.next);
  }
}

async function watchOne(invocation: Invocation, created: JobView): Promise<JobView> {
  const bar = invocation.json ? undefined : invocation.bar;
  let job = created;
  let toldMs = Number.NEGATIVE_INFINITY;
  while (!isOver(job) && job.state !== 'paused') {
    if (bar) bar(barLine(job));
    else if (systemClock.monotonicMs() - toldMs >= tellEveryMs) {
      toldMs = systemClock.monotonicMs();
      invocation.print(JSON.stringify(job));
    }
    await pause();
    job = await look(invocation, job.id);
  }
  if (bar) {
    bar('');
    for (const line of jobLines(job)) invocation.print(line);
  } else invocation.print(JSON.stringify(job));
  return job;
}

/** What is under way is no failure. */
export function exitCodeOf({ state }: JobView): number {
  return state === 'failed' || state === 'stopped' ? 1 : 0;
}

/** The node may be starting anew: the job goes on meanwhile. */
async function look(invocation: Invocation, id: string): Promise<JobView> {
  const untilMs = systemClock.monotonicMs() + patienceMs;
  for (;;) {
    try {
      return await callAdmin<JobView>(invocation, 'GET', `/v1/jobs/${encodeURIComponent(id)}`);
    } catch (error) {
      const mayPass = error instanceof CommandError && error.mayPass;
      if (!mayPass || systemClock.monotonicMs() > untilMs) throw error;
      await pause();
    }
  }
}

/** Unlike the clock's, this keeps the process. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, lookEveryMs));
}
