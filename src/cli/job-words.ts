import { columns } from './text.ts';

interface Forecast {
  readonly seconds: number;
  readonly basis: string;
  readonly evictedBytes?: number;
  readonly capacityBytes?: number;
}

/** A job, as the admin API tells of it. */
export interface JobView {
  readonly id: string;
  readonly kind: 'load' | 'verify' | 'free' | 'scrub' | 'sync';
  readonly target: string;
  readonly plan: boolean;
  readonly manifest?: boolean;
  readonly priority: 'low' | 'normal' | 'high';
  readonly next?: string;
  readonly bytesPerSecond?: number;
  readonly forecast?: Forecast;
  readonly state: 'collecting' | 'running' | 'paused' | 'succeeded' | 'failed' | 'stopped';
  readonly reason?: string;
  readonly created: string;
  readonly ended?: string;
  readonly seconds: number;
  readonly listed: { readonly complete: boolean; readonly objects: number; readonly bytes: number };
  readonly objects: {
    readonly loaded: number;
    readonly cached: number;
    readonly freed: number;
    readonly gone: number;
    readonly failed: number;
  };
  readonly bytes: {
    readonly loaded: number;
    readonly cached: number;
    readonly freed: number;
    /** Fetched of objects that are not counted yet. */
    readonly open?: number;
  };
  readonly failures?: readonly { readonly key: string; readonly reason: string }[];
  readonly workers?: readonly string[];
  readonly coordinator?: string;
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
const barWidth = 24;

export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

function countText(count: number, what: string): string {
  return `${count.toLocaleString('en-US')} ${what}${count === 1 ? '' : 's'}`;
}

export function isOver({ state }: Pick<JobView, 'state'>): boolean {
  return state !== 'collecting' && state !== 'running' && state !== 'paused';
}

function objectsDone({ objects: { loaded, cached, freed, gone, failed } }: JobView): number {
  return loaded + cached + freed + gone + failed;
}

/** One line for a terminal: how far it is, by objects, and how fast it goes. */
export function barLine(job: JobView): string {
  const done = objectsDone(job);
  const { objects, complete } = job.listed;
  const { loaded, cached, freed, open = 0 } = job.bytes;
  const part = partOf(job, done, loaded + cached + open);
  const filled = Math.round(part * barWidth);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`;
  const percent = complete ? `${objects === 0 ? '—' : Math.floor(part * 100)} %` : 'listing';
  const bytes = loaded + cached + freed + open;
  const rate =
    job.seconds > 0 && !job.plan && job.kind === 'load'
      ? `, ${bytesText((loaded + open) / job.seconds)}/s`
      : '';
  const failed = job.objects.failed > 0 ? `, ${job.objects.failed} failed` : '';
  const state = job.state === 'running' ? '' : ` ${job.state}`;
  const count =
    objects > 0
      ? `${done.toLocaleString('en-US')} of ${countText(objects, 'object')}`
      : countText(done, unitOf(job));
  const amount = bytes > 0 ? `${count}, ${bytesText(bytes)}` : count;
  return `${job.kind} ${bar} ${percent}${state}  ${amount}${rate}${failed}`;
}

/** From 0 to 1. Objects take time, and so do their bytes: a few large ones may be most of the work, or many small ones. */
function partOf({ kind, listed, plan }: JobView, done: number, bytes: number): number {
  const ofObjects = listed.objects === 0 ? 0 : Math.min(1, done / listed.objects);
  const hasBytes = !plan && listed.bytes > 0 && (kind === 'load' || kind === 'verify');
  return hasBytes ? (ofObjects + Math.min(1, bytes / listed.bytes)) / 2 : ofObjects;
}

/** What a job has come to. */
export function jobLines(job: JobView): string[] {
  const what = `${job.plan ? 'plan to ' : ''}${job.kind}${job.target === '' ? '' : ` s3://${job.target}`}`;
  const rows = [
    ['job', `${job.id}, ${what}${job.manifest ? ', what was given' : ''}`],
    ['state', job.reason === undefined ? job.state : `${job.state}: ${job.reason}`],
    ...foundRows(job),
    ...outcomeRows(job),
    ['failed', countText(job.objects.failed, job.kind === 'scrub' ? 'node' : 'object')],
    ['time', `${job.seconds.toFixed(1)} s`],
    ...(job.forecast ? forecastRows(job.forecast) : []),
    ...(isOver(job) || job.coordinator === undefined ? [] : [['planned by', job.coordinator]]),
    ...(job.workers && job.workers.length > 0 ? [['at work', job.workers.join(', ')]] : []),
    ...(job.next === undefined ? [] : [['goes on as', job.next]]),
  ];
  return [...columns(rows), ...failureLines(job)];
}

function unitOf({ kind }: JobView): string {
  return kind === 'scrub' ? 'page' : 'object';
}

function foundRows({ kind, listed, manifest }: JobView): string[][] {
  if (kind === 'scrub' || kind === 'sync') return [];
  const count = countText(listed.objects, 'object');
  if (manifest) return [['given', count]];
  return [['found', `${count}, ${bytesText(listed.bytes)}${listed.complete ? '' : ' so far'}`]];
}

/** Label, and that of a plan, if one can tell; which of the counts, and whether bytes are counted with it. */
type Row = readonly [
  label: string,
  planned: string | undefined,
  which: 'loaded' | 'cached' | 'freed' | 'gone',
  hasBytes: boolean,
];

const outcomes: Readonly<Record<JobView['kind'], readonly Row[]>> = {
  load: [
    ['loaded', 'to be loaded', 'loaded', true],
    ['already cached', 'already cached', 'cached', true],
  ],
  verify: [
    ['whole', 'whole', 'cached', true],
    ['loaded again', 'to be loaded again', 'loaded', true],
  ],
  free: [
    ['freed', 'to be freed', 'freed', true],
    ['not cached', 'not cached', 'cached', false],
  ],
  scrub: [
    ['whole', 'to be read', 'cached', true],
    ['damaged, dropped', undefined, 'freed', true],
  ],
  sync: [
    ['unchanged', 'to be asked about', 'cached', false],
    ['changed', undefined, 'loaded', false],
    ['gone', undefined, 'gone', false],
  ],
};

function outcomeRows(job: JobView): string[][] {
  const { kind, objects, bytes, plan } = job;
  const rows = outcomes[kind].flatMap(([label, planned, which, hasBytes]) => {
    const name = plan ? planned : label;
    const count = countText(objects[which], unitOf(job));
    const amount = hasBytes && which !== 'gone' ? `${count}, ${bytesText(bytes[which])}` : count;
    return name === undefined ? [] : [[name, amount]];
  });
  const isGone = kind !== 'sync' && objects.gone > 0;
  return isGone ? [...rows, ['deleted meanwhile', countText(objects.gone, 'object')]] : rows;
}

function forecastRows({ seconds, basis, evictedBytes, capacityBytes = 0 }: Forecast): string[][] {
  const evicted =
    evictedBytes === undefined
      ? []
      : [
          [
            'to be evicted',
            `${bytesText(evictedBytes)} of what is read least; there is room for ${bytesText(capacityBytes)}`,
          ],
        ];
  return [
    ...evicted,
    ['expected time', `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s (${basis})`],
  ];
}

function failureLines({ failures = [], objects }: JobView): string[] {
  if (objects.failed === 0) return [];
  const more = objects.failed > failures.length ? [`  and ${objects.failed - failures.length} more`] : [];
  return ['failed objects:', ...failures.map(({ key, reason }) => `  ${key}: ${reason}`), ...more];
}
