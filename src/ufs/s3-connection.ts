import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { UfsError } from './errors.ts';
import { AdaptiveLimit, type Permit } from './limit.ts';
import { Backoff, retried } from './retry.ts';
import { type ChunkSeed, deriveSigningKey } from './s3-chunks.ts';
import { Deadline } from './s3-deadline.ts';
import { toUfsError } from './s3-errors.ts';
import type { WireHeaders } from './s3-headers.ts';
import type { S3Tuning } from './s3-settings.ts';

/** A command of the SDK, known by the output it ends with. */
export interface S3Command<Output> {
  readonly middlewareStack: { add(middleware: never, options: never): void };
  // Never called here: it is what tells the compiler the output of a command.
  resolveMiddleware(...args: never): (...args: never) => Promise<{ output: Output }>;
}

export interface Call {
  /** The S3 operation, for messages. */
  readonly operation: string;
  readonly key?: string;
  readonly signal?: AbortSignal;
  /** Headers that are sent as they are, over what the SDK makes of the command. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer<Output> {
  readonly output: Output;
  readonly status: number;
  readonly headers: WireHeaders;
}

/** What is known of an answer, or of why there is none. */
interface Seen {
  status?: number;
  headers?: WireHeaders;
  systemCode?: string | undefined;
}

export interface Destination {
  readonly protocol: string;
  readonly hostname: string;
  readonly port: number;
}

interface WireRequest {
  protocol?: string;
  hostname?: string;
  port?: number;
  headers: Record<string, string>;
  body?: unknown;
}

/** Sends commands: with deadlines, under the mount's limits, and with every fault as a `UfsError`. */
export class S3Connection {
  readonly uri: string;
  readonly tuning: S3Tuning;
  readonly clock: Clock;
  readonly reads: AdaptiveLimit;
  readonly writes: AdaptiveLimit;
  readonly #random: Random;
  readonly #client: S3Client;

  constructor(clock: Clock, random: Random, client: S3Client, uri: string, tuning: S3Tuning) {
    this.clock = clock;
    this.#random = random;
    this.#client = client;
    this.uri = uri;
    this.tuning = tuning;
    const limit = {
      backend: uri,
      initial: tuning.initialConcurrency,
      minimum: tuning.minConcurrency,
      maximum: tuning.maxConcurrency,
      maxQueued: tuning.maxQueued,
      maxWaitMs: tuning.maxWaitMs,
      cutIntervalMs: 1_000,
    };
    // A copy through this process reads and writes at once: with one limit for both, readers could wait for each other.
    this.reads = new AdaptiveLimit(clock, limit);
    this.writes = new AdaptiveLimit(clock, limit);
  }

  backoff(): Backoff {
    return new Backoff(this.clock, this.#random, this.tuning.retry);
  }

  /** A call that changes nothing; repeated while it fails with what may go away by itself. */
  async read<Output>(command: () => S3Command<Output>, call: Call): Promise<Answer<Output>> {
    return this.under(this.reads, call, (permit) =>
      retried(this.backoff(), call.signal, () =>
        noting(permit, () => this.#timed(command(), call, this.tuning.idleTimeoutMs, false)),
      ),
    );
  }

  /** A call that changes something; sent once. */
  async write<Output>(command: S3Command<Output>, call: Call): Promise<Answer<Output>> {
    return this.under(this.writes, call, (permit) =>
      noting(permit, () => this.#timed(command, call, this.tuning.commitTimeoutMs, true)),
    );
  }

  /** Runs `work` with a permit of `limit`. */
  async under<Result>(
    limit: AdaptiveLimit,
    { signal }: Pick<Call, 'signal'>,
    work: (permit: Permit) => Promise<Result>,
  ): Promise<Result> {
    const permit = await limit.acquire(signal);
    try {
      return await work(permit);
    } finally {
      permit.release();
    }
  }

  deadline(signal: AbortSignal | undefined): Deadline {
    return new Deadline(this.clock, this.tuning.idleTimeoutMs, signal);
  }

  async #timed<Output>(command: S3Command<Output>, call: Call, idleMs: number, changes: boolean) {
    const deadline = new Deadline(this.clock, idleMs, call.signal);
    try {
      return await this.exchange(command, call, deadline, { mayHaveChanged: () => changes });
    } finally {
      deadline.end();
    }
  }

  /**
   * One request and the head of its answer, under a deadline that the caller ends. `seed` is called once the request is
   * signed, before its body is read.
   */
  async exchange<Output>(
    command: S3Command<Output>,
    call: Call,
    deadline: Deadline,
    about: { readonly mayHaveChanged: () => boolean; readonly seed?: (seed: ChunkSeed) => void },
  ): Promise<Answer<Output>> {
    const seen: Seen = {};
    this.#instrument(command, call, seen, about.seed);
    try {
      const sent = this.#client.send(command as never, { abortSignal: deadline.signal }) as Promise<Output>;
      const output = await orAborted(sent, deadline.signal);
      return { output, status: seen.status as number, headers: seen.headers as WireHeaders };
    } catch (error) {
      throw this.fault(error, call, deadline, seen, about.mayHaveChanged());
    }
  }

  /** Any failure of a call as the backend's error. */
  fault(
    error: unknown,
    { key, operation, signal }: Call,
    deadline: Deadline,
    { status, systemCode }: Seen,
    mayHaveChanged: boolean,
  ): UfsError {
    const backend = this.uri;
    if (deadline.cause === 'cancelled') {
      return new UfsError('cancelled', `${operation}: the call was cancelled`, {
        backend,
        key,
        cause: signal?.reason,
      });
    }
    if (deadline.cause === 'timeout') {
      return new UfsError('timeout', `${operation}: the backend did not go on in time`, { backend, key });
    }
    return toUfsError(error, { backend, key, operation, status, systemCode, mayHaveChanged });
  }

  /** Middleware for this one command: headers in, the request's signature and the answer's headers out. */
  #instrument(
    command: S3Command<unknown>,
    call: Call,
    seen: Seen,
    seed: ((seed: ChunkSeed) => void) | undefined,
  ): void {
    const add = command.middlewareStack.add.bind(command.middlewareStack) as (
      middleware: (next: (args: never) => Promise<never>) => (args: never) => Promise<unknown>,
      options: object,
    ) => void;
    add(
      (next) => async (args: { request: WireRequest }) => {
        const { request } = args;
        Object.assign(request.headers, call.headers);
        request.headers['x-amz-content-sha256'] ??= hashOf(request.body);
        keepDisposition(request);
        return next(args as never);
      },
      { step: 'build', priority: 'low', name: 'wireHeaders' },
    );
    if (seed) {
      add(
        (next) => async (args: { request: WireRequest }) => {
          seed(await this.#seedOf(args.request));
          return next(args as never);
        },
        { step: 'finalizeRequest', priority: 'low', name: 'chunkSeed' },
      );
    }
    add(
      (next) => async (args: never) => {
        const result: { response: { statusCode: number; headers: WireHeaders } } = await next(args).catch(
          (error) => {
            // The SDK may wrap the fault, which hides what the system says of it.
            seen.systemCode = (error as { code?: string }).code;
            throw error;
          },
        );
        seen.status = result.response.statusCode;
        seen.headers = result.response.headers;
        return result;
      },
      { step: 'deserialize', priority: 'low', name: 'seenAnswer' },
    );
  }

  /** Where a command would go, and whose key would sign it; nothing is sent. Rejects with `UfsError`. */
  async destination(command: S3Command<unknown>): Promise<Destination> {
    let found: WireRequest | undefined;
    const stop = new Error('nothing is sent');
    const middleware = () => async (args: { request: WireRequest }) => {
      found = args.request;
      throw stop;
    };
    const add = command.middlewareStack.add.bind(command.middlewareStack) as (...args: unknown[]) => void;
    add(middleware, { step: 'build', priority: 'high', name: 'destination' });
    try {
      await this.#client.send(command as never);
    } catch (error) {
      if (error !== stop) throw this.#unsent(error);
    }
    const { protocol = '', hostname = '', port } = found ?? {};
    return { protocol, hostname, port: port ?? (protocol === 'https:' ? 443 : 80) };
  }

  /** The id of the key that signs. Rejects with `UfsError` where there is none. */
  async accessKeyId(): Promise<string> {
    try {
      return (await this.#client.config.credentials()).accessKeyId;
    } catch (error) {
      throw this.#unsent(error);
    }
  }

  #unsent(error: unknown): UfsError {
    const about = { key: undefined, operation: 'before a request', status: undefined, mayHaveChanged: false };
    return toUfsError(error, { backend: this.uri, ...about });
  }

  async #seedOf({ headers }: WireRequest): Promise<ChunkSeed> {
    const match = /Credential=([^/]+)\/([^,]+),.*Signature=([0-9a-f]{64})/.exec(headers.authorization ?? '');
    const credentials = await this.#client.config.credentials();
    // Credentials may change between the two questions; the request then fails here and not at the backend.
    if (!match || match[1] !== credentials.accessKeyId) {
      throw new UfsError('unavailable', 'the credentials changed while a request was signed', {
        backend: this.uri,
      });
    }
    const scope = match[2] as string;
    return {
      signingKey: deriveSigningKey(credentials.secretAccessKey, scope),
      amzDate: headers['x-amz-date'] as string,
      scope,
      signature: match[3] as string,
    };
  }

  close(): void {
    this.#client.destroy();
  }
}

/**
 * Node decodes a Content-Disposition once more where it knows a Content-Length by then, which would change bytes beyond ASCII
 * (nodejs/node, lib/_http_outgoing.js, processHeader). So the length comes last, and the body as a stream.
 */
function keepDisposition(request: WireRequest): void {
  const { headers } = request;
  if (!/[\x80-\xff]/.test(headers['content-disposition'] ?? '')) return;
  const length = headers['content-length'];
  if (length === undefined) return;
  delete headers['content-length'];
  headers['content-length'] = length;
  if (Buffer.isBuffer(request.body)) request.body = Readable.from([request.body], { objectMode: false });
}

/** The SDK does not listen to the signal while it looks for credentials. */
async function orAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Tells the limit of complaints. */
export async function noting<Result>(permit: Permit, attempt: () => Promise<Result>): Promise<Result> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof UfsError && error.kind === 'throttled') permit.throttled();
    throw error;
  }
}

function hashOf(body: unknown): string {
  const hash = createHash('sha256');
  if (typeof body === 'string' || body instanceof Uint8Array) hash.update(body);
  return hash.digest('hex');
}
