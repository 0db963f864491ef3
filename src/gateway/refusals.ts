import type { IncomingMessage } from 'node:http';
import type { Clock } from '../common/clock.ts';
import type { S3Error } from '../s3api/errors.ts';
import { UfsError } from '../ufs/errors.ts';
import { WorkerError } from '../worker/reader.ts';
import { remoteAddressOf } from './carried-request.ts';

/** A request that was answered with an error, as its operator is told of it. */
export interface Refusal {
  readonly requestId: string;
  /** ISO 8601. */
  readonly time: string;
  readonly method: string;
  /** As sent, without its query. */
  readonly path: string;
  /** S3's name; `Unknown` where it was refused before that was known. */
  readonly operation: string;
  /** Whose signature held. */
  readonly user?: string;
  /** As the request claims. */
  readonly accessKeyId?: string;
  readonly from?: string;
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** The rule that refused it, by name; absent where the code says all there is. */
  readonly rule?: string;
  readonly action?: string;
  /** The statement of the bucket's policy. */
  readonly statement?: string;
  /** What a part of the node, or the storage, said. */
  readonly detail?: string;
}

/** What is no refusal: things that are not there, and conditions that do not hold. */
const answers: ReadonlySet<number> = new Set([304, 404, 412, 416]);
const maxPathCharacters = 2048;
const maxDetailCharacters = 2048;

/** Remembers the latest requests that were refused. Bounded; nothing of it is ever told to clients. */
export class Refusals {
  readonly #clock: Clock;
  readonly #maxCount: number;
  /** The oldest first. */
  readonly #latest = new Map<string, Refusal>();

  constructor(clock: Clock, maxCount = 1_024) {
    this.#clock = clock;
    this.#maxCount = maxCount;
  }

  find(requestId: string): Refusal | undefined {
    return this.#latest.get(requestId);
  }

  note(
    req: IncomingMessage,
    request: {
      readonly requestId: string;
      readonly operation: string;
      readonly userName: string | undefined;
    },
    error: S3Error,
  ): void {
    if (answers.has(error.status)) return;
    const target = req.url ?? '';
    const { requestId, operation, userName } = request;
    const { rule, action, statement } = ruleOf(error);
    this.#latest.set(requestId, {
      requestId,
      time: new Date(this.#clock.nowMs()).toISOString(),
      method: req.method ?? '',
      path: (target.split('?', 1)[0] ?? '').slice(0, maxPathCharacters),
      operation,
      user: userName || undefined,
      accessKeyId: claimedKeyOf(req.headers.authorization, target),
      from: remoteAddressOf(req),
      status: error.status,
      code: error.code,
      message: error.message,
      rule,
      action,
      statement,
      detail: detailOf(error)?.slice(0, maxDetailCharacters),
    });
    const [oldest] = this.#latest.keys();
    if (oldest !== undefined && this.#latest.size > this.#maxCount) this.#latest.delete(oldest);
  }
}

function ruleOf({ refusal, cause }: S3Error): { rule?: string; action?: string; statement?: string } {
  if (refusal) return refusal;
  if (cause instanceof UfsError) return { rule: `storage-${cause.kind}` };
  if (cause instanceof WorkerError) return { rule: `node-${cause.kind}` };
  return {};
}

/** What is known of it beside its code: times that differ, what was signed, or the words of who refused it. */
function detailOf({ code, extra, cause }: S3Error): string | undefined {
  if (code === 'RequestTimeTooSkewed')
    return `the request says ${extra.RequestTime}, the node has ${extra.ServerTime}`;
  if (code === 'SignatureDoesNotMatch') return whatWasSigned(extra.CanonicalRequest ?? '');
  if (extra.Expires !== undefined) return `it was valid until ${extra.Expires}`;
  if (extra.HeadersNotSigned !== undefined) return `not signed: ${extra.HeadersNotSigned}`;
  return cause instanceof UfsError || cause instanceof WorkerError ? cause.message : undefined;
}

/** Values of headers and of the query are left out: there may be keys and tokens among them. */
function whatWasSigned(canonicalRequest: string): string {
  const lines = canonicalRequest.split('\n');
  return `the node finds ${lines[0]} ${lines[1]} with the signed headers ${lines.at(-2)}`;
}

const inHeader = /Credential=([\w.-]{3,128})\//;
const inQuery = /[?&]X-Amz-Credential=([\w.-]{3,128})(?:\/|%2F)/i;

function claimedKeyOf(authorization: string | undefined, target: string): string | undefined {
  return inHeader.exec(authorization ?? '')?.[1] ?? inQuery.exec(target)?.[1];
}
