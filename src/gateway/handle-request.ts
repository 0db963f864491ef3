import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authenticated, Authenticator } from '../auth/authenticate.ts';
import type { OperationGate } from '../auth/object-gate.ts';
import { assert } from '../common/assert.ts';
import { type AtOnce, isPending } from '../common/at-once.ts';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Random } from '../common/random.ts';
import type { Route, S3Request, S3Response } from '../s3api/call.ts';
import { corsHeaders, findCorsRule } from '../s3api/cors.ts';
import { errorResponse, S3Error } from '../s3api/errors.ts';
import type { AnswerHeaders } from '../s3api/headers.ts';
import { preflight, preflightRoute } from '../s3api/operations/preflight.ts';
import { parseTarget } from '../s3api/path.ts';
import { objectOf, versionIdOf } from '../s3api/request.ts';
import { matchRoute } from '../s3api/router.ts';
import type { ObjectService } from '../s3api/service.ts';
import { AccessLog, type LineWriter } from './access-log.ts';
import { Doorkeeper } from './doorkeeper.ts';
import { toS3Error } from './error-map.ts';
import { IncomingBody } from './incoming-body.ts';
import type { BucketLookup } from './namespace.ts';
import type { Redirects } from './redirects.ts';
import type { Refusals } from './refusals.ts';
import { Progress, pathOf, RequestAccounts } from './request-accounts.ts';
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
  /** In a cluster: what is answered by another node's address. */
  readonly redirects?: Redirects;
  /** Only what is at hand is answered here; everything else goes on to there as it came. */
  readonly elsewhere?: Pick<RequestTaker, 'handle'>;
  /** Where it is kept which rule refused a request. */
  readonly refusals?: Refusals;
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

/** What shows the version that it reads to the call's gate by itself; for every other operation it is looked up and shown before. */
const asksGate: ReadonlySet<string> = new Set(['GetObject', 'HeadObject', 'GetObjectAcl', 'PutObjectAcl']);

const handedOver: WriteOutcome = { kind: 'handed-over' };

/** Codes of status 5xx that tell of no fault. */
const asExpected: ReadonlySet<string> = new Set(['SlowDown', 'NotImplemented', 'GatewayTimeout']);

/** The one way of an S3 request: parse, authenticate, match, authorise, work, answer, count. */
export class RequestPipeline implements RequestTaker {
  readonly #clock: Clock;
  readonly #processId: string;
  readonly #log: Log;
  readonly #accounts: RequestAccounts;
  readonly #authenticator: Authenticator;
  readonly #doorkeeper: Doorkeeper;
  readonly #buckets: BucketLookup;
  readonly #service: ObjectService;
  readonly #settings: PipelineSettings;
  readonly #unreadBodies = new UnreadBodies();
  readonly #isUser: (name: string) => boolean;
  #maxInFlight: number;
  #inFlight = 0;
  #requests = 0;

  constructor(
    clock: Clock,
    random: Random,
    metrics: Metrics,
    log: Log,
    lines: LineWriter,
    authenticator: Authenticator,
    buckets: BucketLookup,
    service: ObjectService,
    settings: PipelineSettings,
  ) {
    this.#clock = clock;
    this.#processId = random.bytes(4).toString('hex').toUpperCase();
    this.#log = log;
    this.#accounts = new RequestAccounts(clock, metrics, new AccessLog(clock, log, lines));
    metrics.showInFlight(() => this.#inFlight);
    this.#authenticator = authenticator;
    this.#doorkeeper = new Doorkeeper(clock, buckets, settings);
    this.#isUser = (name) => authenticator.hasUser(name);
    this.#buckets = buckets;
    this.#service = service;
    this.#settings = settings;
    this.#maxInFlight = settings.maxInFlight;
  }

  tune({ maxInFlight }: Pick<PipelineSettings, 'maxInFlight'>): void {
    this.#maxInFlight = maxInFlight;
  }

  /** Takes one request to its end. Never throws: whatever goes wrong becomes an answer, or the connection is closed. */
  handle(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
    const body = new IncomingBody(req, res, expectsContinue);
    const progress = new Progress(this.#requestId(), this.#clock.monotonicMs(), body);
    this.#inFlight++;
    progress.inFlight = this.#settings.requests?.enterRequest() ?? this.#inFlight;
    let outcome: AtOnce<WriteOutcome>;
    try {
      outcome = this.#run(req, res, progress);
    } catch (cause) {
      outcome = this.#broken(res, progress, cause);
    }
    if (!isPending(outcome)) this.#end(req, res, progress, outcome, expectsContinue);
    else {
      outcome
        .catch((cause: unknown) => this.#broken(res, progress, cause))
        .then((ended) => this.#end(req, res, progress, ended, expectsContinue));
    }
  }

  /** What is at hand is answered before this returns: waiting, even for nothing, costs more than a small answer. */
  #run(req: IncomingMessage, res: ServerResponse, progress: Progress): AtOnce<WriteOutcome> {
    let response: AtOnce<S3Response>;
    try {
      response = this.#answer(req, progress);
    } catch (error) {
      // A body that came together with its headers is taken in after this call; only then can it be told whether more is to come.
      if (!progress.body.isExpected) return this.#fail(req, res, progress, error);
      response = Promise.reject(error);
    }
    if (!isPending(response)) return this.#write(res, progress, response);
    return response.then(
      (ready) => this.#write(res, progress, ready),
      (error: unknown) => this.#fail(req, res, progress, error),
    );
  }

  #fail(req: IncomingMessage, res: ServerResponse, progress: Progress, error: unknown): AtOnce<WriteOutcome> {
    const failure = toS3Error(error);
    if (this.#settings.elsewhere && !errorsHere.has(failure.code)) return handedOver;
    return this.#write(res, progress, this.#failure(req, progress, failure));
  }

  #write(res: ServerResponse, progress: Progress, answered: S3Response): AtOnce<WriteOutcome> {
    const response = progress.crossOrigin ? withHeaders(answered, progress.crossOrigin) : answered;
    progress.response = response;
    const own = ['x-amz-request-id', progress.requestId, 'server', 'Forebay'];
    return writeResponse(progress.body, res, response, own, this.#unreadBodies);
  }

  #broken(res: ServerResponse, progress: Progress, cause: unknown): WriteOutcome {
    this.#log.error({ err: cause, requestId: progress.requestId }, 'an answer could not be written');
    res.destroy();
    return { kind: 'failed-later', cause };
  }

  #end(
    req: IncomingMessage,
    res: ServerResponse,
    progress: Progress,
    outcome: WriteOutcome,
    expectsContinue: boolean,
  ): void {
    this.#inFlight--;
    this.#settings.requests?.leaveRequest();
    if (outcome.kind === 'handed-over') this.#settings.elsewhere?.handle(req, res, expectsContinue);
    else this.#accounts.ended(req, res, progress, outcome);
  }

  #answer(req: IncomingMessage, progress: Progress): AtOnce<S3Response> {
    if (progress.inFlight > this.#maxInFlight) {
      throw new S3Error('SlowDown', { refusal: { rule: 'limits-requests' } });
    }
    refuseAmbiguousHeaders(req);
    const request = this.#parse(req, progress.requestId);
    if (request.key === undefined && request.method === 'HEAD') progress.headed = request.bucket;
    if (req.headers.origin !== undefined) progress.crossOrigin = this.#crossOrigin(request);
    if (request.method === 'OPTIONS' && request.bucket !== undefined) {
      progress.route = preflightRoute;
      return preflight(request, this.#buckets.get(request.bucket));
    }
    const authenticated = this.#authenticator.identify({
      method: request.method,
      rawTarget: request.rawTarget,
      rawPath: request.rawPath,
      headers: req.headers,
      rawHeaders: req.rawHeaders,
    });
    progress.userName = authenticated.identity.userName;
    const route = matchRoute(request);
    progress.route = route;
    const call = this.#call(request, authenticated, progress);
    if (this.#settings.elsewhere && !operationsHere.has(route.operation)) throw new S3Error('NotImplemented');
    const waiting = call.check(route);
    if (waiting) return waiting.then(() => this.#performOrRedirect(req, route, call, progress));
    return this.#performOrRedirect(req, route, call, progress);
  }

  #performOrRedirect(
    req: IncomingMessage,
    route: Route,
    call: RequestCall,
    progress: Progress,
  ): AtOnce<S3Response> {
    const { redirects } = this.#settings;
    const found = redirects?.find(req, call.request, route.operation, call.authenticated);
    if (found === undefined) return this.#perform(route, call, progress);
    if (!isPending(found)) throw found;
    return found.then((redirect) => {
      if (redirect) throw redirect;
      return this.#perform(route, call, progress);
    });
  }

  #perform(route: Route, call: RequestCall, progress: Progress): AtOnce<S3Response> {
    progress.body.accept(call.authenticated);
    return call.gate === undefined ? route.handler(call) : this.#guarded(route, call, call.gate);
  }

  /** Runs an operation that is about an object which may be closed to the caller. */
  #guarded(route: Route, call: RequestCall, gate: OperationGate): AtOnce<S3Response> {
    if (asksGate.has(route.operation)) {
      const response = route.handler(call);
      return isPending(response) ? response.then((ready) => shown(gate, ready)) : shown(gate, response);
    }
    const { service, request, signal } = call;
    return service
      .headObject(objectOf(request), { gate, signal, versionId: versionIdOf(request) })
      .then(() => route.handler(call));
  }

  #crossOrigin(request: S3Request): AnswerHeaders | undefined {
    const { method, headers, bucket } = request;
    const rules = bucket === undefined ? undefined : this.#buckets.get(bucket)?.access?.cors;
    if (rules === undefined || method === 'OPTIONS') return undefined;
    const question = { origin: headers.origin ?? '', method, headers: [] };
    const rule = findCorsRule(rules, question);
    return rule && corsHeaders(rule, question);
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
    const { body } = progress;
    return new RequestCall(request, authenticated, this.#service, this.#doorkeeper, this.#buckets, body, {
      region: this.#settings.region,
      checksumsOf,
      isUser: this.#isUser,
      reachesStorage: this.#settings.elsewhere === undefined,
      noteFault: (error) => this.#logFault(request.requestId, error),
    });
  }

  #failure(req: IncomingMessage, progress: Progress, error: S3Error): S3Response {
    progress.error = error;
    this.#logFault(progress.requestId, error);
    const { requestId, userName, route } = progress;
    const operation = route?.operation ?? 'Unknown';
    this.#settings.refusals?.note(req, { requestId, operation, userName }, error);
    const response = errorResponse(error, {
      requestId: progress.requestId,
      resource: pathOf(req),
      method: req.method,
    });
    const { headed } = progress;
    if (headed === undefined || this.#buckets.get(headed) === undefined) return response;
    // Whoever asks is told, also who may not see the bucket (S3 API Reference, HeadBucket): clients look regions up so.
    return withHeaders(response, { 'x-amz-bucket-region': this.#settings.region });
  }

  #logFault(requestId: string, error: S3Error): void {
    const { code, cause, status } = error;
    if (status < 500) return;
    const level = asExpected.has(code) ? 'debug' : 'error';
    this.#log[level]({ requestId, code, err: cause }, 'a request failed');
  }

  /** Answers a request that another thread should have answered and could not be given; counts it if its client is gone. */
  refuse(req: IncomingMessage, res: ServerResponse, cause: unknown): void {
    const body = new IncomingBody(req, res, false);
    const progress = new Progress(this.#requestId(), this.#clock.monotonicMs(), body);
    if (res.destroyed) {
      this.#accounts.ended(req, res, progress, { kind: 'client-gone' });
      return;
    }
    const response = this.#failure(req, progress, new S3Error('ServiceUnavailable', { cause }));
    const outcome = this.#write(res, progress, response);
    if (!isPending(outcome)) this.#accounts.ended(req, res, progress, outcome);
    else void outcome.then((ended) => this.#accounts.ended(req, res, progress, ended));
  }

  /** What never became a request is answered and counted too. */
  noteUnparsable(code: string, remote: string | undefined): void {
    this.#accounts.countUnparsable(code);
    this.#log.info({ operation: 'Unparsable', code, remote });
  }

  /** 16 upper-case characters, as S3's look: random for the process, then counted, since drawing bytes for each costs 4 µs. */
  #requestId(): string {
    this.#requests = (this.#requests + 1) % 0x1_0000_0000;
    return this.#processId + this.#requests.toString(16).toUpperCase().padStart(8, '0');
  }
}

/** An answer about an object that was not shown to its gate is an answer that nobody decided about. */
function shown(gate: OperationGate, response: S3Response): S3Response {
  if (!gate.wasAsked) response.giveBack?.();
  assert(gate.wasAsked, 'an object is shown to its gate before anything is told of it');
  return response;
}

function withHeaders(response: S3Response, more: AnswerHeaders): S3Response {
  return { ...response, headers: { ...response.headers, ...more } };
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
