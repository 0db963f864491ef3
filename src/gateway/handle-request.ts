import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authenticated, Authenticator } from '../auth/authenticate.ts';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Random } from '../common/random.ts';
import type { Route, S3Request, S3Response } from '../s3api/call.ts';
import { errorResponse, S3Error } from '../s3api/errors.ts';
import { validatedHeader } from '../s3api/headers.ts';
import { parseTarget } from '../s3api/path.ts';
import { matchRoute } from '../s3api/router.ts';
import type { ObjectService } from '../s3api/service.ts';
import { remoteAddressOf } from './carried-request.ts';
import { toS3Error } from './error-map.ts';
import { IncomingBody } from './incoming-body.ts';
import type { BucketLookup } from './namespace.ts';
import { RequestCall } from './request-call.ts';
import { type WriteOutcome, writeResponse } from './response-writer.ts';
import type { RequestTaker } from './server.ts';
import { UnreadBodies } from './unread-bodies.ts';

export interface PipelineSettings {
  readonly region: string;
  /** Domains below which a host name's first part is a bucket, in lower case. */
  readonly domains: readonly string[];
  readonly scheme: 'http' | 'https';
  /** Requests being worked on at once; over it `503 SlowDown`. */
  readonly maxInFlight: number;
  /** Counts the requests of all threads; where it is absent there is one thread. */
  readonly requests?: RequestCount;
  /** Only what is at hand is answered here; everything else goes on to there as it came. */
  readonly elsewhere?: Pick<RequestTaker, 'handle'>;
}

/** Requests being worked on in all threads. */
export interface RequestCount {
  /** Returns how many there are, this one counted in. */
  enterRequest(): number;
  leaveRequest(): void;
}

/** What is answered in a thread that hands everything else over, where it is at hand; and what a reader is told then, errors too. */
const operationsHere: ReadonlySet<string> = new Set(['GetObject', 'HeadObject']);
const errorsHere: ReadonlySet<string> = new Set(['NotModified', 'PreconditionFailed', 'InvalidRange']);

/** Codes of status 5xx that tell of no fault. */
const asExpected: ReadonlySet<string> = new Set(['SlowDown', 'NotImplemented', 'GatewayTimeout']);

/** What is known of a request as it goes through the pipeline, for its answer, its metric and its log line. */
interface Progress {
  readonly requestId: string;
  readonly startMs: number;
  readonly body: IncomingBody;
  /** Requests under way when it came, itself among them. */
  inFlight: number;
  route?: Route;
  userName?: string;
  error?: S3Error;
}

/** The one way of an S3 request: parse, authenticate, match, authorise, work, answer, count. */
export class RequestPipeline implements RequestTaker {
  readonly #clock: Clock;
  readonly #processId: string;
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #authenticator: Authenticator;
  readonly #buckets: BucketLookup;
  readonly #service: ObjectService;
  readonly #settings: PipelineSettings;
  readonly #unreadBodies = new UnreadBodies();
  #inFlight = 0;
  #requests = 0;

  constructor(
    clock: Clock,
    random: Random,
    metrics: Metrics,
    log: Log,
    authenticator: Authenticator,
    buckets: BucketLookup,
    service: ObjectService,
    settings: PipelineSettings,
  ) {
    this.#clock = clock;
    this.#processId = random.bytes(4).toString('hex').toUpperCase();
    this.#metrics = metrics;
    this.#log = log;
    this.#authenticator = authenticator;
    this.#buckets = buckets;
    this.#service = service;
    this.#settings = settings;
  }

  /** Takes one request to its end. Never throws: whatever goes wrong becomes an answer, or the connection is closed. */
  handle(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
    const progress: Progress = {
      requestId: this.#requestId(),
      startMs: this.#clock.monotonicMs(),
      body: new IncomingBody(req, res, expectsContinue),
      inFlight: 0,
    };
    this.#inFlight++;
    progress.inFlight = this.#settings.requests?.enterRequest() ?? this.#inFlight;
    this.#metrics.inFlight.set(this.#inFlight);
    this.#run(req, res, progress)
      .catch((cause: unknown) => {
        this.#log.error({ err: cause, requestId: progress.requestId }, 'an answer could not be written');
        res.destroy();
        return { kind: 'failed-later', cause } as const;
      })
      .then((outcome) => {
        this.#inFlight--;
        this.#settings.requests?.leaveRequest();
        this.#metrics.inFlight.set(this.#inFlight);
        if (outcome.kind === 'handed-over') this.#settings.elsewhere?.handle(req, res, expectsContinue);
        else this.#account(req, res, progress, outcome);
      });
  }

  async #run(req: IncomingMessage, res: ServerResponse, progress: Progress): Promise<WriteOutcome> {
    let response: S3Response;
    try {
      response = await this.#answer(req, progress);
    } catch (error) {
      const failure = toS3Error(error);
      if (this.#settings.elsewhere && !errorsHere.has(failure.code)) return { kind: 'handed-over' };
      response = this.#failure(req, progress, failure);
    }
    res.setHeader('x-amz-request-id', progress.requestId);
    res.setHeader('server', 'Forebay');
    return writeResponse(progress.body, res, response, this.#unreadBodies);
  }

  async #answer(req: IncomingMessage, progress: Progress): Promise<S3Response> {
    if (progress.inFlight > this.#settings.maxInFlight) throw new S3Error('SlowDown');
    refuseAmbiguousHeaders(req);
    const request = this.#parse(req, progress.requestId);
    const authenticated = this.#authenticator.authenticate({
      method: request.method,
      rawTarget: request.rawTarget,
      rawPath: request.rawPath,
      headers: req.headers,
      rawHeaders: req.rawHeaders,
    });
    progress.userName = authenticated.identity.userName;
    progress.route = matchRoute(request);
    const call = this.#call(request, authenticated, progress);
    const { action, operation } = progress.route;
    if (this.#settings.elsewhere && !operationsHere.has(operation)) throw new S3Error('NotImplemented');
    if (action !== undefined) await call.authorise(action, request.bucket, request.key);
    progress.body.accept(authenticated);
    return progress.route.handler(call);
  }

  #parse(req: IncomingMessage, requestId: string): S3Request {
    const method = req.method ?? 'GET';
    const rawTarget = req.url ?? '/';
    const { host } = req.headers;
    const target = parseTarget({ method, rawTarget, host, domains: this.#settings.domains });
    return {
      method,
      rawTarget,
      rawPath: target.rawPath,
      bucket: target.bucket,
      key: target.key,
      query: target.query,
      headers: req.headers as S3Request['headers'],
      requestId,
      baseUrl: `${this.#settings.scheme}://${host ?? 'localhost'}`,
    };
  }

  #call(request: S3Request, authenticated: Authenticated, progress: Progress): RequestCall {
    const checksumsOf = progress.route?.operation === 'CompleteMultipartUpload' ? 'object' : 'body';
    return new RequestCall(request, authenticated.identity, this.#service, this.#buckets, progress.body, {
      region: this.#settings.region,
      checksumsOf,
      noteFault: (error) => this.#logFault(request.requestId, error),
    });
  }

  #failure(req: IncomingMessage, progress: Progress, error: S3Error): S3Response {
    progress.error = error;
    this.#logFault(progress.requestId, error);
    const resource = (req.url ?? '/').split('?', 1)[0] ?? '/';
    return errorResponse(error, {
      requestId: progress.requestId,
      resource,
      headRequest: req.method === 'HEAD',
    });
  }

  #logFault(requestId: string, error: S3Error): void {
    const { code, cause, status } = error;
    if (status < 500) return;
    const level = asExpected.has(code) ? 'debug' : 'error';
    this.#log[level]({ requestId, code, err: cause }, 'a request failed');
  }

  /** Answers a request that another thread should have answered and could not be given. */
  refuse(req: IncomingMessage, res: ServerResponse, cause: unknown): void {
    const progress: Progress = {
      requestId: this.#requestId(),
      startMs: this.#clock.monotonicMs(),
      body: new IncomingBody(req, res, false),
      inFlight: 0,
    };
    const response = this.#failure(req, progress, new S3Error('ServiceUnavailable', { cause }));
    void writeResponse(progress.body, res, response, this.#unreadBodies).then((outcome) =>
      this.#account(req, res, progress, outcome),
    );
  }

  /** What never became a request is answered and counted too. */
  noteUnparsable(code: string, remote: string | undefined): void {
    this.#metrics.requests.inc({ operation: 'Unparsable', code });
    this.#log.info({ operation: 'Unparsable', code, remote });
  }

  #account(req: IncomingMessage, res: ServerResponse, progress: Progress, outcome: WriteOutcome): void {
    const operation = progress.route?.operation ?? 'Unknown';
    const durationMs = this.#clock.monotonicMs() - progress.startMs;
    const code = codeOf(progress, outcome);
    this.#metrics.requests.inc({ operation, code });
    this.#metrics.requestSeconds.observe({ operation }, durationMs / 1000);
    if (outcome.kind === 'failed-later') this.#metrics.failedLater.inc({ operation });
    this.#log.info({
      requestId: progress.requestId,
      operation,
      method: req.method,
      path: (req.url ?? '').split('?', 1)[0]?.slice(0, 2048),
      status: res.statusCode,
      code,
      user: progress.userName,
      cache: res.getHeader('x-forebay-cache'),
      validated: res.getHeader(validatedHeader),
      bytes: res.getHeader('content-length'),
      received: progress.body.receivedBytes || undefined,
      ms: Math.round(durationMs * 1000) / 1000,
      remote: remoteAddressOf(req),
      agent: req.headers['user-agent']?.slice(0, 200),
      err: outcome.kind === 'failed-later' ? outcome.cause : undefined,
    });
    if (progress.body.receivedBytes > 0) this.#metrics.bytesReceived.inc(progress.body.receivedBytes);
  }

  /** 16 upper-case characters, as S3's look: random for the process, then counted, since drawing bytes for each costs 4 µs. */
  #requestId(): string {
    this.#requests = (this.#requests + 1) % 0x1_0000_0000;
    return this.#processId + this.#requests.toString(16).toUpperCase().padStart(8, '0');
  }
}

function codeOf(progress: Progress, outcome: WriteOutcome): string {
  if (outcome.kind === 'client-gone') return 'ClientGone';
  if (outcome.kind === 'failed-later') return 'FailedLater';
  return progress.error?.code ?? 'OK';
}

/**
 * Refuses what two readers of the same request could read differently (RFC 9112, 6.1 and 11.2). Node's parser refuses Content-Length
 * beside Transfer-Encoding and two different lengths by itself, but keeps the first of two Host headers.
 */
function refuseAmbiguousHeaders(req: IncomingMessage): void {
  let hosts = 0;
  const { rawHeaders } = req;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  if (hosts > 1) throw new S3Error('InvalidRequest', { message: 'A request has exactly one Host header.' });
  const coding = req.headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    throw new S3Error('NotImplemented', { extra: { Header: 'Transfer-Encoding' } });
  }
}
