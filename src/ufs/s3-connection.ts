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
import {
  type Call,
  type Destination,
  instrument,
  type S3Command,
  type Seen,
  stopBeforeSending,
  type WireRequest,
} from './s3-wire.ts';

export interface Answer<Output> {
  readonly output: Output;
  readonly status: number;
  readonly headers: WireHeaders;
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
    const { seed } = about;
    instrument(command, call, seen, seed && (async (request) => seed(await this.#seedOf(request))));
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
        unresolved: mayHaveChanged,
        cause: signal?.reason,
      });
    }
    if (deadline.cause === 'timeout') {
      const details = { backend, key, unresolved: mayHaveChanged };
      return new UfsError('timeout', `${operation}: the backend did not go on in time`, details);
    }
    return toUfsError(error, { backend, key, operation, status, systemCode, mayHaveChanged });
  }

  /** Where a command would go, and whose key would sign it; nothing is sent. Rejects with `UfsError`. */
  async destination(command: S3Command<unknown>, signal?: AbortSignal): Promise<Destination> {
    const stop = new Error('nothing is sent');
    let found: WireRequest | undefined;
    stopBeforeSending(command, (request) => {
      found = request;
      throw stop;
    });
    try {
      await orAborted(this.#client.send(command as never), signal);
    } catch (error) {
      if (error !== stop) throw this.#unsent(error, signal);
    }
    const { protocol = '', hostname = '', port } = found ?? {};
    return { protocol, hostname, port: port ?? (protocol === 'https:' ? 443 : 80) };
  }

  /** The id of the key that signs. Rejects with `UfsError` where there is none. */
  async accessKeyId(signal?: AbortSignal): Promise<string> {
    try {
      return (await orAborted(this.#client.config.credentials(), signal)).accessKeyId;
    } catch (error) {
      throw this.#unsent(error, signal);
    }
  }

  #unsent(error: unknown, signal: AbortSignal | undefined): UfsError {
    if (signal?.aborted) {
      const message = 'the search for credentials took too long';
      return new UfsError('timeout', message, { backend: this.uri, cause: error });
    }
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

/** The SDK does not listen to the signal while it looks for credentials. */
export async function orAborted<Result>(work: Promise<Result>, signal?: AbortSignal): Promise<Result> {
  if (!signal) return work;
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
