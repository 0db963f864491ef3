import type { Sight } from '../checker/operation.ts';
import { etagOf, headerOf, type Outcome, problemOf } from './client.ts';
import { namedContents } from './content.ts';
import type { Content, Record, Version } from './record.ts';

/** What was asked of an object. */
export interface ReadQuestion {
  readonly method: 'GET' | 'HEAD';
  readonly key: string;
  readonly range?: { readonly from: number; readonly to: number };
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
}

/** What an answer to it says. */
export interface ReadFinding {
  /** Undefined: nothing. */
  readonly sight?: Sight;
  /** Why there is no answer to the question; undefined where there is one. */
  readonly problem?: string;
  /** In a few words, for a report. */
  readonly said: string;
}

/** Reads an answer, and complains to the record of what no object can ever have been. */
export function readAnswer(record: Record, question: ReadQuestion, outcome: Outcome): ReadFinding {
  if (outcome.kind === 'refused' || outcome.kind === 'lost')
    return { problem: outcome.kind, said: outcome.kind };
  const { answer } = outcome;
  const { status } = answer;
  if (status === 200 || status === 206) return readVersion(record, question, outcome);
  if (status === 404 && isNoSuchKey(question, answer.body))
    return { sight: { kind: 'absent' }, said: 'absent' };
  if (status === 304 && question.ifNoneMatch !== undefined) {
    return { sight: { kind: 'etag', etag: question.ifNoneMatch }, said: '304' };
  }
  if (status === 412 && question.ifMatch !== undefined) {
    return { sight: { kind: 'not-etag', etag: question.ifMatch }, said: '412' };
  }
  if (status === 416 && question.range) return { said: '416' };
  // A node that stood still takes the client for the one that did; SDKs try again.
  const isTimeout = status === 400 && answer.body.includes('<Code>RequestTimeout</Code>');
  if (status < 500 && !isTimeout)
    record.complain(`${question.method} ${question.key} answered ${status} ${answer.body.subarray(0, 300)}`);
  return { problem: problemOf(answer), said: String(status) };
}

function isNoSuchKey({ method }: ReadQuestion, body: Buffer): boolean {
  return method === 'HEAD' || body.includes('<Code>NoSuchKey</Code>');
}

function readVersion(
  record: Record,
  question: ReadQuestion,
  { kind, answer }: Extract<Outcome, { kind: 'answer' | 'cut' }>,
): ReadFinding {
  const id = headerOf(answer, 'x-amz-meta-id') ?? 'none';
  const etag = etagOf(headerOf(answer, 'etag')) ?? '';
  const problem = kind === 'cut' ? 'cut' : undefined;
  const finding = {
    sight: { kind: 'version', version: id } as const,
    problem,
    said: `${id}${problem ? ' cut' : ''}`,
  };
  const version = record.version(id);
  // That nobody wrote it here is found out by the checker.
  if (!version || version.key !== question.key) return finding;
  if (version.content === undefined) {
    const content = record.contentOf(etag);
    if (content) record.learn(version, content, etag);
  }
  const { content } = version;
  record.onEtag(question.key, etag);
  const wrong = content
    ? compare(record, question, answer, kind === 'cut', version, content, etag)
    : `an ETag that nobody knows, ${etag}`;
  if (wrong !== undefined) {
    const { range } = question;
    const what = `${question.method} ${question.key}${range ? ` bytes ${range.from}-${range.to}` : ''}`;
    record.complain(`${what} answered ${id} of ${version.etag} and ${content?.id} with ${wrong}`);
  }
  return finding;
}

/** In what the answer differs from the version that it says it is. */
function compare(
  record: Record,
  { method, range }: ReadQuestion,
  answer: {
    readonly status: number;
    readonly headers: { readonly [name: string]: string | string[] | undefined };
    readonly body: Buffer;
  },
  isCut: boolean,
  version: Version,
  content: Content,
  etag: string,
): string | undefined {
  if (etag !== version.etag) return `the ETag ${etag}`;
  const total =
    answer.status === 206
      ? /\/(\d+)$/.exec(String(answer.headers['content-range']))?.[1]
      : answer.headers['content-length'];
  if (Number(total) !== content.sizeBytes) return `a length of ${total} instead of ${content.sizeBytes}`;
  if (method === 'HEAD') return undefined;
  const whole = record.bytesOf(content);
  const right = answer.status === 206 && range ? whole.subarray(range.from, range.to + 1) : whole;
  const { body } = answer;
  if (body.equals(isCut ? right.subarray(0, body.length) : right)) return undefined;
  return `${body.length} bytes, of ${namedContents(body).join(', ') || 'nothing known'}`;
}
