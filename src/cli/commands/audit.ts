import { systemClock } from '../../common/clock.ts';
import { parseDurationMs } from '../../common/units.ts';
import type { Command, Invocation } from '../command.ts';
import { UsageError } from '../errors.ts';
import { columns, visible } from '../text.ts';
import { callAdmin, show } from './shared.ts';

interface Entry {
  readonly time: string;
  readonly stage: 'begun' | 'ended' | 'refused';
  readonly node: string;
  readonly user?: string;
  readonly accessKeyId?: string;
  readonly from?: string;
  readonly change: string;
  readonly path: string;
  readonly body?: unknown;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly outcome?: string;
  readonly message?: string;
  readonly unrecorded?: number;
}
interface Audit {
  readonly entries: readonly Entry[];
  readonly silent: readonly { readonly workerId: string; readonly silence: string }[];
}

/** `--json` has all of it. */
const maxWhatCharacters = 160;

/** `forebay audit` */
export const auditCommand: Command = {
  words: ['audit'],
  arguments: [],
  options: [
    { flag: '--limit', placeholder: 'N', meaning: 'The newest so many, up to 1000 (default: 100)' },
    { flag: '--since', placeholder: 'TIME', meaning: 'None before, such as 2026-01-31T12:00:00Z, or 2h ago' },
    { flag: '--user', placeholder: 'NAME', meaning: "Only this user's" },
    { flag: '--change', placeholder: 'NAME', meaning: 'Only this change, such as AddMount' },
  ],
  summary: 'Show who changed what at any node of the cluster, and who was refused',
  run: async (invocation) => {
    const audit = await callAdmin<Audit>(invocation, 'GET', `/v1/audit${queryOf(invocation)}`);
    const rows = audit.entries.map((entry) => [
      entry.time.replace('T', ' ').replace(/\.\d+Z$/, 'Z'),
      entry.user ?? (entry.accessKeyId === undefined ? 'nobody' : `${entry.accessKeyId}?`),
      entry.from ?? '',
      entry.node.slice(0, 8),
      entry.change,
      outcomeOf(entry),
      visible(whatOf(entry)),
    ]);
    show(invocation, audit, [
      ...columns([['TIME', 'USER', 'FROM', 'NODE', 'CHANGE', 'OUTCOME', 'WHAT'], ...rows]),
      ...audit.silent.map(
        ({ workerId, silence }) =>
          `the node ${workerId} does not answer, so its changes are not shown: ${silence}`,
      ),
    ]);
    return audit.silent.length === 0 ? 0 : 1;
  },
};

function queryOf({ options }: Invocation): string {
  const query = new URLSearchParams();
  for (const name of ['limit', 'user', 'change']) {
    const value = options.get(`--${name}`);
    if (value !== undefined) query.set(name, value);
  }
  const since = options.get('--since');
  if (since !== undefined) query.set('since', timeOf(since));
  // As it is signed: a blank is no plus sign.
  const text = query.toString().replaceAll('+', '%20');
  return text === '' ? '' : `?${text}`;
}

function timeOf(written: string): string {
  const agoMs = parseDurationMs(written);
  const ms = agoMs === undefined ? Date.parse(written) : systemClock.nowMs() - agoMs;
  if (!Number.isNaN(ms)) return new Date(ms).toISOString();
  throw new UsageError(
    `--since is a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h; not ${JSON.stringify(written)}`,
  );
}

function outcomeOf({ stage, outcome = '' }: Entry): string {
  return stage === 'begun' ? 'not ended' : stage === 'refused' ? `refused: ${outcome}` : outcome;
}

/** What is another than it was, or why nothing is. */
function whatOf(entry: Entry): string {
  const more = entry.unrecorded === undefined ? '' : `, and ${entry.unrecorded} refusals that are not shown`;
  if (entry.message !== undefined) return `${entry.path}: ${entry.message}${more}`;
  // Of what is gone, its name tells enough.
  if (entry.after === undefined && entry.before !== undefined) return `${entry.path}${more}`;
  const before = fieldsOf(entry.before);
  const after = fieldsOf(entry.after ?? entry.body);
  const changes: string[] = [];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const was = before.get(name);
    const is = after.get(name);
    if (was === is) continue;
    if (was === undefined) changes.push(`${name} ${is}`);
    else changes.push(is === undefined ? `no more ${name} ${was}` : `${name} ${was} → ${is}`);
  }
  const text = changes.join(', ');
  const short = text.length <= maxWhatCharacters ? text : `${text.slice(0, maxWhatCharacters)}…`;
  return `${entry.path}${short === '' ? '' : `: ${short}`}${more}`;
}

/** Its texts, numbers and so on, each by the way that leads to it: `keys.0.disabled`. */
function fieldsOf(state: unknown, way = ''): Map<string, string> {
  if (state === undefined || state === '') return new Map();
  if (typeof state !== 'object' || state === null) return new Map([[way, String(state)]]);
  const parts = Object.entries(state).map(([name, value]) =>
    fieldsOf(value, way === '' ? name : `${way}.${name}`),
  );
  return new Map(parts.flatMap((part) => [...part]));
}
