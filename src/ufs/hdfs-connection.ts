import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { Deadline } from './deadline.ts';
import type { UfsError } from './errors.ts';
import { HdfsRefusal, isStandby, isUnreached, noHdfsAnswer, toHdfsError } from './hdfs-errors.ts';
import type { HdfsTuning } from './hdfs-settings.ts';
import { drained, gathered } from './http-answers.ts';
import type { HttpExchange } from './http-exchange.ts';
import { retried } from './retry.ts';
import { noting, type StorageCall, StorageConnection } from './storage-connection.ts';

export interface HdfsRequest extends StorageCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Absolute, of HDFS, not encoded. */
  readonly path: string;
  readonly parameters?: Readonly<Record<string, string | undefined>>;
}

/** An answer whose body is still to be read, or to be ended. */
export interface HdfsAnswer {
  readonly status: number;
  readonly location: string | undefined;
  readonly length: string | undefined;
  readonly body: IncomingMessage;
}

/** Who asks: a name that is believed, or a token that says it. */
export interface HdfsIdentity {
  readonly user?: string;
  readonly delegationToken?: string;
}

export interface HdfsConnectionSettings {
  readonly uri: string;
  readonly origins: readonly URL[];
  readonly identity: HdfsIdentity;
  readonly tuning: HdfsTuning;
}

/** A page of 1,000 names with all that is told of each takes 0.5 MB; attributes of a file 32 times 16 KiB in base64. */
const maxAnswerBytes = 32 * 1024 * 1024;
const maxErrorBytes = 65_536;

/**
 * Sends requests of WebHDFS to whichever NameNode is the active one: each change once, with deadlines, under the mount's limits, and
 * with every fault as a `UfsError`.
 */
export class HdfsConnection extends StorageConnection<HdfsTuning> {
  readonly #exchange: HttpExchange;
  readonly #origins: readonly URL[];
  readonly #identity: HdfsIdentity;
  /** The NameNode that answered last. */
  #active = 0;

  constructor(clock: Clock, random: Random, exchange: HttpExchange, settings: HdfsConnectionSettings) {
    const { uri, origins, identity, tuning } = settings;
    super(clock, random, uri, tuning);
    this.#exchange = exchange;
    this.#origins = origins;
    this.#identity = identity;
  }

  /** A call that may be repeated, since doing it twice is doing it once; repeated while it fails with what may go away by itself. */
  read<Result>(request: HdfsRequest): Promise<Result> {
    return this.under(this.reads, request.signal, (permit) =>
      retried(this.backoff(), request.signal, () =>
        noting(permit, () => this.#whole<Result>(request, this.tuning.idleTimeoutMs, false)),
      ),
    );
  }

  /** A call that changes something; carried out by one NameNode at most, once (consistency rule 4). */
  change<Result>(request: HdfsRequest): Promise<Result> {
    return this.under(this.writes, request.signal, (permit) =>
      noting(permit, () => this.#whole<Result>(request, this.tuning.commitTimeoutMs, true)),
    );
  }

  /** One request to the active NameNode, and the head of its answer, under a deadline that the caller ends. */
  async ask(request: HdfsRequest, deadline: Deadline, mayHaveChanged: boolean): Promise<HdfsAnswer> {
    const first = this.#active;
    for (let turn = 0; ; turn++) {
      const at = (first + turn) % this.#origins.length;
      try {
        const url = this.#urlOf(this.#origins[at] as URL, request);
        const answer = await this.send({ ...request, url }, deadline, mayHaveChanged);
        this.#active = at;
        return answer;
      } catch (error) {
        // Another one may be the active one; this one has done nothing.
        if (turn + 1 >= this.#origins.length || !(isStandby(error) || isUnreached(error))) throw error;
      }
    }
  }

  /** One request to a URL as it is, such as a DataNode's. */
  async send(
    request: StorageCall & {
      readonly method: string;
      readonly url: URL;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: Readable;
    },
    deadline: Deadline,
    mayHaveChanged: boolean,
  ): Promise<HdfsAnswer> {
    let status: number | undefined;
    let sent = false;
    try {
      deadline.signal.throwIfAborted();
      sent = true;
      const { method, url, body } = request;
      const headers = {
        'user-agent': 'forebay',
        ...(body ? {} : { 'content-length': '0' }),
        ...request.headers,
      };
      const answer = await this.#exchange.send({ method, url, headers, body }, deadline.signal);
      // Whoever reads it is told; until then the process must not stop for it.
      answer.on('error', () => {});
      status = answer.statusCode as number;
      if (status >= 200 && status < 400) {
        const { location, 'content-length': length } = answer.headers;
        return { status, location, length, body: answer };
      }
      throw await refusalOf(answer);
    } catch (error) {
      throw this.fault(error, request, deadline, status, sent && mayHaveChanged);
    }
  }

  /** Where the first of two steps sends the second one (WebHDFS REST API, "Create and Write to a File"). */
  async redirection(answer: HdfsAnswer, { operation, key }: StorageCall): Promise<URL> {
    await drained(answer.body);
    const { location } = answer;
    const url = location !== undefined && URL.canParse(location) ? new URL(location) : undefined;
    const secure = this.#origins.every(({ protocol }) => protocol === 'https:');
    if (!url || !/^https?:$/.test(url.protocol) || (secure && url.protocol !== 'https:')) {
      throw noHdfsAnswer(operation, 'the place of a DataNode', this.uri, key);
    }
    return url;
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
    return this.endedBy(deadline, call, mayHaveChanged) ?? toHdfsError(error, failure);
  }

  /** The JSON of an answer; undefined where it has no body. Rejects with `UfsError`. */
  async json<Result>(
    { body }: HdfsAnswer,
    request: StorageCall,
    deadline: Deadline,
    changed: boolean,
  ): Promise<Result> {
    let text: string;
    try {
      text = (await gathered(body, maxAnswerBytes)).toString();
    } catch (error) {
      throw this.fault(error, request, deadline, undefined, changed);
    }
    if (text === '') return undefined as Result;
    try {
      return JSON.parse(text) as Result;
    } catch {
      throw noHdfsAnswer(request.operation, 'JSON', this.uri, request.key, changed);
    }
  }

  close(): void {
    this.#exchange.close();
  }

  async #whole<Result>(request: HdfsRequest, idleMs: number, changes: boolean): Promise<Result> {
    const deadline = new Deadline(this.clock, idleMs, request.signal);
    try {
      let answer = await this.ask(request, deadline, changes);
      if (answer.status >= 300) {
        const url = await this.redirection(answer, request);
        answer = await this.send({ ...request, url }, deadline, changes);
      }
      return await this.json<Result>(answer, request, deadline, changes);
    } finally {
      deadline.end();
    }
  }

  #urlOf(origin: URL, { operation, path, parameters }: HdfsRequest): URL {
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    const url = new URL(`/webhdfs/v1${encoded}`, origin);
    url.searchParams.set('op', operation);
    const { user, delegationToken } = this.#identity;
    if (delegationToken !== undefined) url.searchParams.set('delegation', delegationToken);
    else if (user !== undefined) url.searchParams.set('user.name', user);
    for (const [name, value] of Object.entries(parameters ?? {})) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    return url;
  }
}

/** `{"RemoteException": {"exception": …, "message": …}}`, or whatever another server says. */
async function refusalOf(answer: IncomingMessage): Promise<HdfsRefusal> {
  // What breaks off, or is too long, says no more than its status.
  const text = await gathered(answer, maxErrorBytes).then(String, () => '');
  try {
    const { RemoteException: told } = JSON.parse(text) as {
      RemoteException?: { exception?: unknown; message?: unknown };
    };
    return new HdfsRefusal(String(told?.exception ?? ''), String(told?.message ?? text));
  } catch {
    return new HdfsRefusal(
      '',
      text
        .replace(/<[^>]*>/g, ' ')
        .replace(/\s+/g, ' ')
        .slice(0, 200),
    );
  }
}
