import { parseSizeBytes } from '../../common/units.ts';
import type { Command, Invocation, Option } from '../command.ts';
import { UsageError } from '../errors.ts';
import { watchJob } from '../job-watch.ts';
import type { JobView } from '../job-words.ts';
import { piecesOf, readManifest } from '../manifest-file.ts';
import { callAdmin, show } from './shared.ts';

const target = 's3://BUCKET[/PREFIX]';
const waiting: readonly Option[] = [
  { flag: '--plan', meaning: 'Only count what would be done, and tell how long it may take' },
  { flag: '--detach', meaning: 'Do not wait for the end' },
  {
    flag: '--priority',
    placeholder: 'low|normal|high',
    meaning: 'Before which other jobs its parts are taken on; normal if not given',
  },
];
const literal: Option = {
  flag: '--literal',
  meaning: 'Take * and ? in the prefix for themselves; otherwise they stand for any characters, and for one',
};
const bandwidth: Option = {
  flag: '--bandwidth',
  placeholder: 'SIZE',
  meaning: 'Bytes a second that each node reads for this job at most, such as 100MiB',
};

/** `forebay load`, `free`, `scrub` and `sync`: each begins a job and waits for it. */
export const loadCommands: readonly Command[] = [
  {
    words: ['load'],
    arguments: [`[${target}]`],
    options: [
      ...waiting,
      literal,
      bandwidth,
      {
        flag: '--manifest',
        placeholder: 'FILE',
        meaning: 'Load the objects that a file names, one s3://BUCKET/KEY on each line',
      },
      {
        flag: '--partial',
        placeholder: 'RANGE,…',
        meaning:
          'Load the pages of these parts of each object, such as 0-1MiB,-64KiB: the first MiB and the last 64 KiB',
      },
      {
        flag: '--verify',
        meaning: 'Afterwards read and check all of it, and load what is missing, until nothing is',
      },
    ],
    summary: 'Load objects into the cache; ends with 1 if one of them could not be',
    run: load,
  },
  {
    words: ['free'],
    arguments: [target],
    options: [...waiting, literal],
    summary: 'Drop objects from the cache; the storage, and writes that are pending, stay as they are',
    run: (invocation) => begin(invocation, { kind: 'free', target: targetOf(invocation) }),
  },
  {
    words: ['scrub'],
    arguments: [],
    options: [...waiting, bandwidth],
    summary: 'Read all pages on the disks of all nodes, and drop those that are damaged',
    run: (invocation) => begin(invocation, { kind: 'scrub' }),
  },
  {
    words: ['sync'],
    arguments: [target],
    options: [...waiting, literal],
    summary: 'Ask the storage about every object that is known, and forget what has changed there',
    run: (invocation) => begin(invocation, { kind: 'sync', target: targetOf(invocation) }),
  },
];

interface Wanted {
  readonly kind: JobView['kind'];
  readonly target?: string;
  readonly manifest?: boolean;
}

async function load(invocation: Invocation): Promise<number> {
  const path = invocation.options.get('--manifest');
  if (path === undefined) return begin(invocation, { kind: 'load', target: targetOf(invocation) });
  const given = invocation.arguments[target] === undefined ? undefined : targetOf(invocation);
  if (given?.includes('/')) throw new UsageError('with --manifest only the bucket is given, as s3://BUCKET');
  const { bucket, keys } = await readManifest(path, given);
  return begin(invocation, { kind: 'load', target: bucket, manifest: true }, keys);
}

async function begin(invocation: Invocation, wanted: Wanted, keys?: readonly string[]): Promise<number> {
  const { options } = invocation;
  const body = {
    ...wanted,
    literal: options.has('--literal'),
    plan: options.has('--plan'),
    verify: options.has('--verify') || undefined,
    priority: options.get('--priority'),
    parts: partsOf(invocation),
    bytesPerSecond: bandwidthOf(invocation),
  };
  let job = await callAdmin<JobView>(invocation, 'POST', '/v1/jobs', body);
  if (keys) job = await give(invocation, job.id, keys);
  if (!options.has('--detach')) return watchJob(invocation, job);
  show(invocation, job, [`the job ${job.id} runs: forebay job show ${job.id}`]);
  return 0;
}

/** A job that does not get all its keys does not begin. */
async function give(invocation: Invocation, id: string, keys: readonly string[]): Promise<JobView> {
  try {
    for (const piece of piecesOf(keys))
      await callAdmin(invocation, 'POST', `/v1/jobs/${id}/keys`, { keys: piece });
    return await callAdmin<JobView>(invocation, 'POST', `/v1/jobs/${id}/resume`);
  } catch (error) {
    // Where even that fails, it is told of as one that collects, and may be stopped later.
    await callAdmin(invocation, 'POST', `/v1/jobs/${id}/stop`).catch(() => undefined);
    throw error;
  }
}

function targetOf(invocation: Invocation): string {
  const given = invocation.arguments[target];
  if (given === undefined) throw new UsageError(`what to load is missing: ${target}, or --manifest FILE`);
  const match = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(given);
  if (!match) throw new UsageError(`what is meant is written as ${target}, not ${JSON.stringify(given)}`);
  return match[2] ? `${match[1]}/${match[2]}` : (match[1] as string);
}

function bandwidthOf(invocation: Invocation): number | undefined {
  const given = invocation.options.get('--bandwidth');
  if (given === undefined) return undefined;
  const bytes = parseSizeBytes(given);
  if (bytes !== undefined && bytes >= 1) return Math.floor(bytes);
  throw new UsageError(`--bandwidth is a size such as 100MiB, not ${JSON.stringify(given)}`);
}

function partsOf(invocation: Invocation): { start: number; end?: number }[] | undefined {
  return invocation.options.get('--partial')?.split(',').map(partOf);
}

/** `A-B`: from A on to before B; `A-`: from A on; `-B`: the last B. */
function partOf(text: string): { start: number; end?: number } {
  const [from = '', to = '', more] = text.split('-');
  const start = from === '' ? undefined : parseSizeBytes(from);
  const end = to === '' ? undefined : parseSizeBytes(to);
  const isWrong =
    more !== undefined ||
    !text.includes('-') ||
    (from !== '' && start === undefined) ||
    (to !== '' && end === undefined);
  if (!isWrong && start === undefined && end !== undefined && end > 0) return { start: -Math.ceil(end) };
  if (!isWrong && start !== undefined && (end === undefined || end > start)) return { start, end };
  throw new UsageError(
    `--partial takes ranges such as 0-1MiB, 64MiB- or -64KiB, not ${JSON.stringify(text)}`,
  );
}
