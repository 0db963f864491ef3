import type { Command, Invocation } from '../command.ts';
import { exitCodeOf } from '../job-watch.ts';
import { bytesText, type JobView, jobLines } from '../job-words.ts';
import { columns } from '../text.ts';
import { callAdmin, show } from './shared.ts';

/** `forebay job …` */
export const jobCommands: readonly Command[] = [
  {
    words: ['job', 'list'],
    arguments: [],
    options: [],
    summary: 'List the jobs, also those that are over',
    run: async (invocation) => {
      const { jobs } = await callAdmin<{ jobs: JobView[] }>(invocation, 'GET', '/v1/jobs');
      const rows = jobs.map((job) => [
        job.id,
        job.plan ? `${job.kind} plan` : job.kind,
        job.target === '' ? 'all pages' : `s3://${job.target}`,
        job.state,
        String(job.listed.objects),
        bytesText(job.listed.bytes),
        String(job.objects.failed),
        job.created,
      ]);
      const head = ['ID', 'WHAT', 'OF', 'STATE', 'OBJECTS', 'BYTES', 'FAILED', 'CREATED'];
      show(invocation, { jobs }, columns([head, ...rows]));
      return 0;
    },
  },
  {
    words: ['job', 'show'],
    arguments: ['ID'],
    options: [],
    summary: 'Show how far a job is, or how it ended; ends with 1 if it failed or was stopped',
    run: async (invocation) => {
      const job = await callAdmin<JobView>(invocation, 'GET', pathOf(invocation));
      show(invocation, job, jobLines(job));
      return exitCodeOf(job);
    },
  },
  changeCommand('pause', 'Have a job wait', 'waits'),
  changeCommand('resume', 'Have a job that waits go on', 'goes on'),
  changeCommand('stop', 'End a job; what it has done stays done', 'is stopped'),
];

function changeCommand(change: string, summary: string, done: string): Command {
  return {
    words: ['job', change],
    arguments: ['ID'],
    options: [],
    summary,
    run: async (invocation) => {
      const job = await callAdmin<JobView>(invocation, 'POST', `${pathOf(invocation)}/${change}`);
      show(invocation, job, [`the job ${job.id} ${done}`]);
      return 0;
    },
  };
}

function pathOf(invocation: Invocation): string {
  return `/v1/jobs/${encodeURIComponent(invocation.arguments.ID ?? '')}`;
}
