import type { ClientRequest, Agent as HttpAgent, IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import { type Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { XMLParser } from 'fast-xml-parser';
import type { Clock } from '../common/clock.ts';
import { usesProxy } from './proxy-bypass.ts';
import type { Payload } from './s3-body.ts';
import type { ChunkSeed } from './s3-chunks.ts';
import type { WireHeaders } from './s3-headers.ts';
import type { S3BackendSettings } from './s3-settings.ts';
import type { ObjectDestination, S3Signer } from './s3-signer.ts';

/** A request about one object, whose answer is no XML unless it is an error. */
export interface ObjectRequest {
  readonly method: 'HEAD' | 'GET' | 'PUT' | 'DELETE';
  /** The backend's own key. */
  readonly path: string;
  /** In order of their names. */
  readonly parameters?: readonly (readonly [name: string, value: string])[];
  /** Names in lower case; each character of a value is one byte. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly payload: Payload; readonly contentLength: number };
}

/** An answer of status 2xx. Its body is still to be read, or to be ended. */
export interface ObjectAnswer {
  readonly status: number;
  readonly headers: WireHeaders;
  readonly body: IncomingMessage;
}

export interface TransportSettings extends Pick<S3BackendSettings, 'proxyUrl' | 'noProxy'> {
  readonly connectTimeoutMs: number;
}

export interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

/** What a backend said instead of doing what it was asked for; `name` is S3's code, where it told one. */
export class S3Refusal extends Error {
  readonly $metadata: { readonly requestId?: string };

  constructor(code: string, message: string, requestId: string | undefined) {
    super(message);
    this.name = code;
    this.$metadata = requestId === undefined ? {} : { requestId };
  }
}

const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
/** An error that takes more than that is none of S3's. */
const maxErrorBytes = 65_536;

/** Sends requests about objects over HTTP, each once. What the SDK does for each call costs several times what the rest of it does. */
export class S3Transport {
  readonly #signer: S3Signer;
  readonly #agents: Agents;
  readonly #clock: Clock;
  readonly #connectTimeoutMs: number;
  readonly #proxyAuthorization: string | undefined;
  readonly #noProxy: string | undefined;
  readonly #errors = new XMLParser({ parseTagValue: false, processEntities: true });

  constructor(clock: Clock, signer: S3Signer, agents: Agents, settings: TransportSettings) {
    this.#clock = clock;
    this.#signer = signer;
    this.#agents = agents;
    this.#connectTimeoutMs = settings.connectTimeoutMs;
    this.#proxyAuthorization = proxyAuthorizationOf(settings);
    this.#noProxy = settings.noProxy;
  }

  /**
   * Resolves with an answer of status 2xx once its head is here; rejects with `S3Refusal`, or with the system's error. `answered` hears
   * of status and headers in any case, `seed` of the signature before the body is read. Aborting the signal ends it, the answer's body too.
   */
  async send(
    request: ObjectRequest,
    signal: AbortSignal,
    answered: (status: number, headers: WireHeaders) => void,
    seed: ((seed: ChunkSeed) => void) | undefined,
  ): Promise<ObjectAnswer> {
    const to = await this.#signer.destination();
    const { method, body } = request;
    const path = to.pathPrefix + encodePath(request.path);
    const query = (request.parameters ?? [])
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .join('&');
    const headers: Record<string, string> = { 'x-amz-content-sha256': emptyHash, ...request.headers };
    const signed = await this.#signer.sign({ method, path, query, headers }, to);
    seed?.(signed.seed);
    // The agents add it to headers of their own only, and to tunnels.
    if (this.#proxyAuthorization !== undefined && to.protocol === 'http:') {
      const proxied = usesProxy(bare(to.hostname), to.port ?? 80, this.#noProxy);
      if (proxied) signed.headers['proxy-authorization'] = this.#proxyAuthorization;
    }
    signal.throwIfAborted();
    const target = query === '' ? path : `${path}?${query}`;
    const answer = await this.#exchange(method, target, to, listed(signed.headers, body), body, signal);
    const status = answer.statusCode as number;
    const found = answer.headers as Record<string, string>;
    answered(status, found);
    if (status >= 200 && status < 300) return { status, headers: found, body: answer };
    if (status === 403) this.#signer.refusedAt(found.date);
    throw await this.#refusal(answer);
  }

  #exchange(
    method: string,
    path: string,
    to: ObjectDestination,
    headers: readonly string[],
    body: ObjectRequest['body'],
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const secure = to.protocol === 'https:';
      const agent = secure ? this.#agents.https : this.#agents.http;
      const { hostname, port } = to;
      const options = { hostname: bare(hostname), port, method, path, headers, agent };
      const req = secure ? httpsRequest(options) : httpRequest(options);
      const abort = () => req.destroy(new Error('the request was given up'));
      signal.addEventListener('abort', abort, { once: true });
      req.on('close', () => signal.removeEventListener('abort', abort));
      req.on('error', reject);
      req.on('response', resolve);
      this.#limitConnecting(req, secure);
      const payload = body?.payload;
      if (payload === undefined || Buffer.isBuffer(payload)) req.end(payload);
      else payload.pipe(req);
    });
  }

  #limitConnecting(req: ClientRequest, secure: boolean): void {
    req.once('socket', (socket) => {
      if (!socket.connecting) return;
      const connected = new AbortController();
      const done = () => connected.abort('connected');
      this.#clock.sleep(this.#connectTimeoutMs, connected.signal).then(
        () => {
          const message = `no connection within ${this.#connectTimeoutMs} ms`;
          req.destroy(Object.assign(new Error(message), { code: 'ECONNECTTIMEOUT' }));
        },
        // In time.
        () => undefined,
      );
      socket.once(secure ? 'secureConnect' : 'connect', done);
      socket.once('close', done);
    });
  }

  async #refusal(answer: IncomingMessage): Promise<S3Refusal> {
    const pieces: Buffer[] = [];
    let sizeBytes = 0;
    for await (const piece of answer as AsyncIterable<Buffer>) {
      sizeBytes += piece.length;
      if (sizeBytes > maxErrorBytes) break;
      pieces.push(piece);
    }
    const { code, message, requestId } = this.#parsed(Buffer.concat(pieces).toString());
    return new S3Refusal(
      code,
      message,
      requestId ?? (answer.headers['x-amz-request-id'] as string | undefined),
    );
  }

  #parsed(text: string): { code: string; message: string; requestId?: string } {
    try {
      const { Error: error } = this.#errors.parse(text) as { Error?: Record<string, unknown> };
      const { Code, Message, RequestId } = error ?? {};
      return {
        code: typeof Code === 'string' ? Code : '',
        message: typeof Message === 'string' ? Message : '',
        ...(typeof RequestId === 'string' ? { requestId: RequestId } : {}),
      };
    } catch {
      // No XML: the status has to do.
      return { code: '', message: '' };
    }
  }
}

function proxyAuthorizationOf({ proxyUrl }: TransportSettings): string | undefined {
  if (proxyUrl === undefined) return undefined;
  const { username, password } = new URL(proxyUrl);
  if (username === '' && password === '') return undefined;
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

/**
 * Names and values in turn. The length comes last: Node decodes a Content-Disposition once more where it knows a length by then, which
 * would change bytes beyond ASCII (nodejs/node, lib/_http_outgoing.js, processHeader).
 */
function listed(headers: Record<string, string>, body: ObjectRequest['body']): string[] {
  const list: string[] = [];
  for (const name in headers) list.push(name, headers[name] as string);
  list.push('user-agent', 'forebay');
  if (body) list.push('content-length', String(body.contentLength));
  return list;
}

function encodePath(path: string): string {
  return /^[A-Za-z0-9\-._~/]*$/.test(path) ? path : path.split('/').map(encode).join('/');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Of an IPv6 address without the brackets that it has in URLs. */
function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}
