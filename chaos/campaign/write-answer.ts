import type { Sight } from '../checker/operation.ts';
import { headerOf, type Outcome, problemOf } from './client.ts';
import type { Record } from './record.ts';

/** What a change demands of what is there. `etag` as it is answered, without quotes. */
export type Demand = { readonly kind: 'absent' } | { readonly kind: 'etag'; readonly etag: string };

export interface WriteFinding {
  /** `open`: it may be done at any later time, or never. */
  readonly effect: 'done' | 'none' | 'open';
  /** What it says of what was there before. */
  readonly sight?: Sight;
  readonly problem?: string;
  readonly said: string;
}

export function demandHeaders(demand: Demand | undefined): { readonly [name: string]: string } {
  if (demand === undefined) return {};
  return demand.kind === 'absent' ? { 'If-None-Match': '*' } : { 'If-Match': `"${demand.etag}"` };
}

/** Reads the answer to a change, and complains to the record of one that it should never get. */
export function writeAnswer(
  record: Record,
  what: string,
  demand: Demand | undefined,
  outcome: Outcome,
): WriteFinding {
  if (outcome.kind === 'refused') return { effect: 'none', problem: 'refused', said: 'refused' };
  if (outcome.kind !== 'answer') return { effect: 'open', problem: outcome.kind, said: outcome.kind };
  const { answer } = outcome;
  const { status, body } = answer;
  const said = String(status);
  if (status === 200 || status === 204) {
    // Complete and Copy may begin to answer before they are done.
    if (body.includes('<Error>'))
      return { effect: 'open', problem: 'error in 200', said: '200 with an error' };
    return { effect: 'done', sight: demand && { ...demand }, said };
  }
  if (status === 412 && demand) return { effect: 'none', sight: refused(demand), said };
  if (status === 404 && demand?.kind === 'etag') return { effect: 'none', sight: { kind: 'absent' }, said };
  if (status === 409) return { effect: 'none', said };
  if (status >= 500) {
    const effect = headerOf(answer, 'x-forebay-effect') === 'none' ? 'none' : 'open';
    return { effect, problem: problemOf(answer), said: effect === 'none' ? `${said} without effect` : said };
  }
  const code = /<Code>(\w+)<\/Code>/.exec(body.toString())?.[1] ?? '';
  // A node that stood still while the body came gives it up.
  if (code === 'RequestTimeout' || code === 'IncompleteBody')
    return { effect: 'open', problem: code, said: code };
  record.complain(`${what} answered ${status} ${body.subarray(0, 300)}`);
  return { effect: 'none', problem: said, said };
}

function refused(demand: Demand): Sight {
  return demand.kind === 'absent' ? { kind: 'present' } : { kind: 'not-etag', etag: demand.etag };
}
