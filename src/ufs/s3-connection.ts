import type { S3Client } from '@aws-sdk/client-s3';
import { abortable } from '../common/abortable.ts';
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { Deadline } from './deadline.ts';
import { UfsError } from './errors.ts';
import { drained } from './http-answers.ts';
import { retried } from './retry.ts';
import type { ChunkSeed } from './s3-chunks.ts';
import { toUfsError } from './s3-errors.ts';
import { markerOf, type WireHeaders } from './s3-headers.ts';
import type { S3Tuning } from './s3-settings.ts';
import type { ObjectAnswer, ObjectRequest, S3Transport } from './s3-transport.ts';
import {
  type Call,
  type Destination,
  instrument,
  type S3Command,
  type Seen,
  stopBeforeSending,
  type WireRequest,
} from './s3-wire.ts';
import { noting, StorageConnection } from './storage-connection.ts';

export interface Answer<Output> {
  readonly output: Output;
  readonly status: number;
  readonly headers: WireHeaders;
}

/** Sends requests for objects and, through the SDK, commands: with deadlines, under the mount's limits, and with every fault as a `UfsError`. */
export class S3Connection extends StorageConnection<S3Tuning> {
  readonly #client: S3Client;
  readonly #transport: S3Transport;

  constructor(
    clock: Clock,
    random: Random,
    client: S3Client,
    transport: S3Transport,
    uri: string,
    tuning: S3Tuning,
  ) {
    super(clock, random, uri, tuning);
    this.#transport = transport;
    this.#client = client;
  }

  /** A call that changes nothing; repeated while it fails with what may go away by itself. */
  async read<Output>(command: () => S3Command<Output>, call: Call): Promise<Answer<Output>> {
    return this.under(this.reads, call.signal, (permit) =>
      retried(this.backoff(), call.signal, () =>
        noting(permit, () => this.#timed(command(), call, this.tuning.idleTimeoutMs, false)),
      ),
    );
  }

  /** A call that changes something; sent once. */
  async write<Output>(command: S3Command<Output>, call: Call): Promise<Answer<Output>> {
    return this.under(this.writes, call.signal, async (permit) => {
      await call.beforeCommit?.();
      return noting(permit, () => this.#timed(command, call, this.tuning.commitTimeoutMs, true));
    });
  }

  /** As `read`, of a HEAD. */
  async head(request: ObjectRequest, call: Call): Promise<ObjectAnswer> {
    return this.under(this.reads, call.signal, (permit) =>
      retried(this.backoff(), call.signal, () =>
        noting(permit, () => this.#whole(request, call, this.tuning.idleTimeoutMs, false)),
      ),
    );
  }

  /** As `write`, of a request without a body. */
  async change(request: ObjectRequest, call: Call): Promise<ObjectAnswer> {
    return this.under(this.writes, call.signal, async (permit) => {
      await call.beforeCommit?.();
      return noting(permit, () => this.#whole(request, call, this.tuning.commitTimeoutMs, true));
    });
  }

  async #whole(request: ObjectRequest, call: Call, idleMs: number, changes: boolean): Promise<ObjectAnswer> {
    const deadline = new Deadline(this.clock, idleMs, call.signal);
    try {
      const answer = await this.request(request, call, deadline, { mayHaveChanged: () => changes });
      deadline.allow(this.tuning.afterWriteTimeoutMs);
      await drained(answer.body);
      return answer;
    } finally {
      deadline.end();
    }
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
   * One request and the head of its answer, under a deadline that the caller ends. The answer's body is the caller's to read or to end.
   * `seed` is called once the request is signed, before its body is read.
   */
  async request(
    request: ObjectRequest,
    call: Call,
    deadline: Deadline,
    about: { readonly mayHaveChanged: () => boolean; readonly seed?: (seed: ChunkSeed) => void },
  ): Promise<ObjectAnswer> {
    const seen: Seen = {};
    const answered = (status: number, headers: WireHeaders) => Object.assign(seen, { status, headers });
    try {
      const headers = { ...request.headers, ...call.headers };
      const { signal } = deadline;
      const sent = this.#transport.send({ ...request, headers }, signal, answered, about.seed);
      return await abortable(sent, signal);
    } catch (error) {
      throw this.fault(error, call, deadline, seen, about.mayHaveChanged());
    }
  }

  /** The same for a command of the SDK, whose whole answer is read. */
  async exchange<Output>(
    command: S3Command<Output>,
    call: Call,
    deadline: Deadline,
    about: { readonly mayHaveChanged: () => boolean },
  ): Promise<Answer<Output>> {
    const seen: Seen = {};
    instrument(command, call, seen);
    try {
      const sent = this.#client.send(command as never, { abortSignal: deadline.signal }) as Promise<Output>;
      const output = await abortable(sent, deadline.signal);
      return { output, status: seen.status as number, headers: seen.headers as WireHeaders };
    } catch (error) {
      throw this.fault(error, call, deadline, seen, about.mayHaveChanged());
    }
  }

  /** Any failure of a call as the backend's error. */
  fault(
    error: unknown,
    call: Call,
    deadline: Pick<Deadline, 'cause'>,
    { status, headers, systemCode }: Seen,
    mayHaveChanged: boolean,
  ): UfsError {
    const ended = this.endedBy(deadline, call, mayHaveChanged);
    if (ended) return ended;
    const { key, operation } = call;
    const about = { backend: this.uri, key, operation, status, systemCode, mayHaveChanged };
    return toUfsError(error, { ...about, marker: markerOf(headers) });
  }

  /** Where a command would go, and whose key would sign it; nothing is sent. Rejects with `UfsError`. */
  async destination(command: S3Command<unknown>, signal?: AbortSignal): Promise<Destination> {
    const stop = new Error('nothing is sent');
    let found: WireRequest | undefined;
    stopBeforeSending(command, 'unsigned', (request) => {
      found = request;
      throw stop;
    });
    try {
      // The SDK does not listen to the signal while it looks for credentials.
      await abortable(this.#client.send(command as never), signal);
    } catch (error) {
      if (error !== stop) throw this.#unsent(error, signal);
    }
    const { protocol = '', hostname = '', port } = found ?? {};
    return { protocol, hostname, port: port ?? (protocol === 'https:' ? 443 : 80) };
  }

  /** The id of the key that signs. Rejects with `UfsError` where there is none. */
  async accessKeyId(signal?: AbortSignal): Promise<string> {
    try {
      return (await abortable(this.#client.config.credentials(), signal)).accessKeyId;
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

  close(): void {
    // The agents are its own, and the transport's too.
    this.#client.destroy();
  }
}
