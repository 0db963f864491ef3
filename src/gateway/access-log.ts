import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';

/** Takes whole lines, each with its line feed. */
export interface LineWriter {
  write(line: string): void;
}

/** What is told of a request. What is undefined is left out. */
export interface AccessEntry {
  readonly requestId: string;
  readonly operation: string;
  readonly method: string | undefined;
  readonly path: string;
  readonly status: number;
  readonly code: string;
  readonly user: string | undefined;
  readonly cache: string | number | undefined;
  readonly validated: string | number | undefined;
  readonly bytes: string | number | undefined;
  readonly received: number | undefined;
  readonly ms: number;
  readonly remote: string | undefined;
  readonly agent: string | undefined;
  /** Why the answer was cut off. */
  readonly err: unknown;
}

/** Level 30 is `info`, in the numbers of the log that these lines stand in. */
const lineStart = '{"level":30,"time":"';

/**
 * A line for each request, of the form and in the order that the log itself gives to an object. Forming it by hand takes a
 * fraction of the time, which otherwise is a tenth of a small request's.
 */
export class AccessLog {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly lines: LineWriter;
  private readonly isWanted: boolean;
  private timeMs = Number.NaN;
  private time = '';

  constructor(clock: Clock, log: Log, lines: LineWriter) {
    this.clock = clock;
    this.log = log;
    this.lines = lines;
    this.isWanted = log.isLevelEnabled('info');
  }

  write(entry: AccessEntry): void {
    if (!this.isWanted) return;
    // How an error is told is the log's affair.
    if (entry.err !== undefined) this.log.info(entry);
    else this.lines.write(`${lineStart}${this.now()}"${fieldsOf(entry)}}\n`);
  }

  private now(): string {
    const ms = this.clock.nowMs();
    if (ms !== this.timeMs) {
      this.timeMs = ms;
      this.time = new Date(ms).toISOString();
    }
    return this.time;
  }
}

function fieldsOf(entry: AccessEntry): string {
  const { requestId, operation, status, code, cache, validated, bytes, received, ms } = entry;
  // Of these every value is made here, of characters that JSON takes as they are.
  let text = `,"requestId":"${requestId}","operation":"${operation}"`;
  text += `${textField('method', entry.method)},"path":${jsonText(entry.path)},"status":${status},"code":"${code}"`;
  text += textField('user', entry.user);
  if (cache !== undefined) text += `,"cache":"${cache}"`;
  if (validated !== undefined) text += `,"validated":"${validated}"`;
  if (bytes !== undefined) text += `,"bytes":${typeof bytes === 'number' ? bytes : jsonText(bytes)}`;
  if (received !== undefined) text += `,"received":${received}`;
  text += `,"ms":${ms}`;
  return text + textField('remote', entry.remote) + textField('agent', entry.agent);
}

function textField(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${jsonText(value)}`;
}

const plain = /^[ !#-[\]-~]*$/;

/** A JSON string. Most need nothing escaped. */
function jsonText(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}
