import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../common/clock.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Cell, Observations } from '../common/plain-metrics.ts';
import type { Route, S3Response } from '../s3api/call.ts';
import type { S3Error } from '../s3api/errors.ts';
import { type AnswerHeaders, validatedHeader } from '../s3api/headers.ts';
import type { BucketName } from '../s3api/names.ts';
import type { AccessLog } from './access-log.ts';
import { remoteAddressOf } from './carried-request.ts';
import type { IncomingBody } from './incoming-body.ts';
import { lengthOf, type WriteOutcome } from './response-writer.ts';

/** What is known of a request as it goes through the pipeline, for its answer, its metric and its log line. */
export class Progress {
  readonly requestId: string;
  readonly startMs: number;
  readonly body: IncomingBody;
  /** Requests under way when it came, itself among them. */
  inFlight = 0;
  route: Pick<Route, 'operation'> | undefined = undefined;
  userName: string | undefined = undefined;
  error: S3Error | undefined = undefined;
  response: S3Response | undefined = undefined;
  /** What the answer says to a browser whose page asks from another site. */
  crossOrigin: AnswerHeaders | undefined = undefined;
  /** The bucket that a HEAD is about: errors, too, say where it lies, if it is there. */
  headed: BucketName | undefined = undefined;

  constructor(requestId: string, startMs: number, body: IncomingBody) {
    this.requestId = requestId;
    this.startMs = startMs;
    this.body = body;
  }
}

interface OperationCounts {
  readonly codes: Map<string, Cell>;
  seconds: Observations | undefined;
}

/** Counts each request once, at its end, and writes its line. */
export class RequestAccounts {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #log: AccessLog;
  readonly #received: Cell;
  readonly #operations = new Map<string, OperationCounts>();

  constructor(clock: Clock, metrics: Metrics, log: AccessLog) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#log = log;
    this.#received = metrics.bytesReceived.cell({});
  }

  ended(req: IncomingMessage, res: ServerResponse, progress: Progress, outcome: WriteOutcome): void {
    const operation = progress.route?.operation ?? 'Unknown';
    const durationMs = this.#clock.monotonicMs() - progress.startMs;
    const code = codeOf(progress, outcome);
    const counts = this.#count(operation, code);
    counts.seconds ??= this.#metrics.requestSeconds.of(operation);
    counts.seconds.observe(durationMs / 1000);
    if (outcome.kind === 'failed-later') this.#metrics.failedLater.inc({ operation });
    const { requestId, response, body } = progress;
    const { receivedBytes } = body;
    this.#received.count += receivedBytes;
    const headers = response?.headers;
    this.#log.write({
      requestId,
      operation,
      method: req.method,
      path: pathOf(req).slice(0, 2048),
      status: res.statusCode,
      code,
      user: progress.userName || undefined,
      cache: headers?.['x-forebay-cache'],
      validated: headers?.[validatedHeader],
      bytes: response && lengthOf(response),
      received: receivedBytes || undefined,
      ms: Math.round(durationMs * 1000) / 1000,
      remote: remoteAddressOf(req),
      agent: req.headers['user-agent']?.slice(0, 200),
      err: outcome.kind === 'failed-later' ? outcome.cause : undefined,
    });
  }

  /** Bytes that never became a request. */
  countUnparsable(code: string): void {
    this.#count('Unparsable', code);
  }

  #count(operation: string, code: string): OperationCounts {
    let counts = this.#operations.get(operation);
    if (!counts) {
      counts = { codes: new Map(), seconds: undefined };
      this.#operations.set(operation, counts);
    }
    let cell = counts.codes.get(code);
    if (!cell) {
      cell = this.#metrics.requests.cell({ operation, code });
      counts.codes.set(code, cell);
    }
    cell.count++;
    return counts;
  }
}

/** The path as sent. */
export function pathOf(req: IncomingMessage): string {
  const target = req.url ?? '';
  const question = target.indexOf('?');
  return question < 0 ? target : target.slice(0, question);
}

function codeOf(progress: Progress, outcome: WriteOutcome): string {
  if (outcome.kind === 'client-gone') return 'ClientGone';
  if (outcome.kind === 'failed-later') return 'FailedLater';
  return progress.error?.code ?? 'OK';
}
