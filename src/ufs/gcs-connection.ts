import type { IncomingMessage } from 'node:http';
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { Deadline } from './deadline.ts';
import type { UfsError } from './errors.ts';
import type { GcsAuthorizer } from './gcs-credentials.ts';
import { GcsRefusal, noGcsAnswer, toGcsError } from './gcs-errors.ts';
import type { GcsTuning } from './gcs-settings.ts';
import { drained, gathered } from './http-answers.ts';
import type { HttpExchange } from './http-exchange.ts';
import { AdaptiveLimit } from './limit.ts';
import { retried } from './retry.ts';
import { limitSettings, noting, type StorageCall, StorageConnection } from './storage-connection.ts';

export interface GcsRequest extends StorageCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the host on, percent-encoded; or a whole URL, such as that of an upload's session. */
  readonly path: string;
  readonly parameters?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Statuses beside 2xx that are answers, and no failures. */
  readonly accepted?: readonly number[];
}

export type GcsHeaders = Readonly<Record<string, string | undefined>>;

/** An answer whose body is still to be read, or to be ended. */
export interface GcsAnswer {
  readonly status: number;
  readonly headers: GcsHeaders;
  readonly body: IncomingMessage;
}

/** An answer that is here. */
export interface GcsResult {
  readonly status: number;
  readonly headers: GcsHeaders;
  readonly body: Buffer;
}

/** An answer in JSON that takes more is none: a page of 1,000 objects, each with 8 KiB of metadata, takes 12 MiB. */
const maxAnswerBytes = 32 * 1024 * 1024;
const maxErrorBytes = 65_536;

/** Sends requests to Cloud Storage: each once, with deadlines, under the mount's limits, and with every fault as a `UfsError`. */
export class GcsConnection extends StorageConnection<GcsTuning> {
  readonly origin: URL;
  /** Of bodies on their way that hold much memory. */
  readonly large: AdaptiveLimit;
  readonly #exchange: HttpExchange;
  readonly #authorizer: GcsAuthorizer;

  constructor(
    clock: Clock,
    random: Random,
    exchange: HttpExchange,
    authorizer: GcsAuthorizer,
    settings: { readonly uri: string; readonly origin: URL; readonly tuning: GcsTuning },
  ) {
    const { uri, origin, tuning } = settings;
    super(clock, random, uri, tuning);
    this.origin = origin;
    this.#exchange = exchange;
    this.#authorizer = authorizer;
    const most = tuning.maxLargeUploads;
    this.large = new AdaptiveLimit(clock, {
      ...limitSettings(uri, tuning),
      initial: most,
      minimum: most,
      maximum: most,
      maxLent: 0,
    });
  }

  get authorizer(): GcsAuthorizer {
    return this.#authorizer;
  }

  /** A call that changes nothing; repeated while it fails with what may go away by itself. */
  read(request: GcsRequest): Promise<GcsResult> {
    return this.under(this.reads, request.signal, (permit) =>
      retried(this.backoff(), request.signal, () =>
        noting(permit, () => this.#whole(request, this.tuning.idleTimeoutMs, false)),
      ),
    );
  }

  /** The same, once and within a short time, waiting for the mount's turn among it. */
  async readOnce(request: GcsRequest): Promise<GcsResult> {
    const waiting = this.deadline(undefined);
    waiting.allow(this.tuning.afterWriteTimeoutMs);
    const { signal } = waiting;
    try {
      return await this.under(this.reads, signal, () =>
        this.#whole({ ...request, signal }, this.tuning.afterWriteTimeoutMs, false),
      );
    } finally {
      waiting.end();
    }
  }

  /** A call that changes something; sent once (consistency rule 4). */
  change(request: GcsRequest): Promise<GcsResult> {
    return this.under(this.writes, request.signal, async (permit) => {
      await request.beforeCommit?.();
      return noting(permit, () => this.#whole(request, this.tuning.commitTimeoutMs, true));
    });
  }

  /** One request and the head of its answer, under a deadline that the caller ends. */
  async request(request: GcsRequest, deadline: Deadline, mayHaveChanged: boolean): Promise<GcsAnswer> {
    let status: number | undefined;
    // Nothing is sent before there is a token.
    let sent = false;
    try {
      const { signal } = deadline;
      const url = this.#urlOf(request);
      // The session of an upload needs none, and may lie with another host.
      const authorization = url.origin === this.origin.origin ? await this.#authorizer.headers(signal) : {};
      signal.throwIfAborted();
      sent = true;
      const headers = { ...authorization, 'user-agent': 'forebay', ...request.headers };
      const body = await this.#exchange.send({ ...request, url, headers }, signal);
      status = body.statusCode as number;
      const accepted = (status >= 200 && status < 300) || request.accepted?.includes(status);
      if (accepted) return { status, headers: body.headers as GcsHeaders, body };
      throw await refusalOf(body);
    } catch (error) {
      throw this.fault(error, request, deadline, status, sent && mayHaveChanged);
    }
  }

  /** Any failure of a call as the backend's error. */
  fault(
    error: unknown,
    call: StorageCall,
    deadline: Pick<Deadline, 'cause'>,
    status: number | undefined,
    mayHaveChanged: boolean,
  ): UfsError {
    const { operation, key } = call;
    const failure = { backend: this.uri, key, operation, status, mayHaveChanged };
    return this.endedBy(deadline, call, mayHaveChanged) ?? toGcsError(error, failure);
  }

  close(): void {
    this.#exchange.close();
  }

  async #whole(request: GcsRequest, idleMs: number, changes: boolean): Promise<GcsResult> {
    const deadline = new Deadline(this.clock, idleMs, request.signal);
    try {
      const { status, headers, body } = await this.request(request, deadline, changes);
      return { status, headers, body: await this.#bodyOf(body, request, deadline, status, changes) };
    } finally {
      deadline.end();
    }
  }

  async #bodyOf(
    answer: IncomingMessage,
    request: GcsRequest,
    deadline: Deadline,
    status: number,
    changes: boolean,
  ): Promise<Buffer> {
    if (status === 204) {
      await drained(answer);
      return Buffer.alloc(0);
    }
    try {
      return await gathered(answer, maxAnswerBytes);
    } catch (error) {
      throw this.fault(error, request, deadline, undefined, changes);
    }
  }

  #urlOf({ path, parameters }: GcsRequest): URL {
    const url = new URL(path, this.origin);
    for (const [name, value] of Object.entries(parameters ?? {})) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    return url;
  }
}

/** The JSON of an answer. Rejects with `UfsError` where it is none. */
export function jsonOf<Resource>(
  { body }: GcsResult,
  { operation, key }: StorageCall,
  backend: string,
  changed = false,
): Resource {
  try {
    const parsed: unknown = JSON.parse(body.toString());
    if (typeof parsed === 'object' && parsed !== null) return parsed as Resource;
  } catch {
    // It is told below, as of any other answer that is no object.
  }
  throw noGcsAnswer(operation, 'a JSON object', backend, key, changed);
}

/** `{"error": {"message": …, "errors": [{"reason": …}]}}`, or plain text ("HTTP status and error codes for JSON"). */
async function refusalOf(answer: IncomingMessage): Promise<GcsRefusal> {
  // What breaks off, or is too long, says no more than its status.
  const text = await gathered(answer, maxErrorBytes).then(String, () => '');
  try {
    const { error } = JSON.parse(text) as {
      error?: { message?: unknown; errors?: readonly { reason?: unknown }[] } | string;
    };
    const about = typeof error === 'object' ? error : undefined;
    const reason = about?.errors?.[0]?.reason;
    const message = typeof about?.message === 'string' ? about.message : text;
    return new GcsRefusal(typeof reason === 'string' ? reason : '', message.slice(0, 500));
  } catch {
    return new GcsRefusal('', text.slice(0, 500));
  }
}
