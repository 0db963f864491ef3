import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { Clock } from '../common/clock.ts';
import { usesProxy } from './proxy-bypass.ts';

export interface ExchangeSettings {
  /** Certificates (PEM) that are trusted beside the usual ones. */
  readonly caPem?: string;
  readonly proxyUrl?: string;
  readonly noProxy?: string;
  readonly connectTimeoutMs: number;
  readonly maxConnections: number;
  /** How long a connection is kept that nothing goes over. */
  readonly keepIdleMs: number;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Of a stream, whose length the headers tell, nothing is taken before there is a connection; the caller ends it. */
  readonly body?: Buffer | Readable;
}

/** One HTTP request and the head of its answer, over connections, a proxy and trusted certificates of a mount's own. */
export class HttpExchange {
  readonly #clock: Clock;
  readonly #settings: ExchangeSettings;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;
  readonly #proxyAuthorization: string | undefined;

  constructor(clock: Clock, settings: ExchangeSettings) {
    const { proxyUrl, noProxy, maxConnections, keepIdleMs } = settings;
    this.#clock = clock;
    this.#settings = settings;
    const proxyEnv = { HTTP_PROXY: proxyUrl, HTTPS_PROXY: proxyUrl, NO_PROXY: noProxy };
    const options = {
      keepAlive: true,
      maxSockets: maxConnections,
      timeout: keepIdleMs,
      ...(proxyUrl === undefined ? {} : { proxyEnv }),
    };
    this.#http = new HttpAgent(options);
    this.#https = new HttpsAgent({ ...options, ...trust(settings) });
    this.#proxyAuthorization = proxyAuthorizationOf(proxyUrl);
  }

  /** For whoever sends requests of its own on the same way. */
  agentFor(url: URL): HttpAgent | HttpsAgent {
    return url.protocol === 'https:' ? this.#https : this.#http;
  }

  /** Resolves once the head of the answer is here; its body is still to be read, or ended. Aborting the signal ends it, the body too. */
  send({ method, url, headers, body }: HttpRequest, signal: AbortSignal): Promise<IncomingMessage> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const secure = url.protocol === 'https:';
      const all: Record<string, string> = { ...headers };
      if (Buffer.isBuffer(body)) all['content-length'] = String(body.length);
      // The agents add it to headers of their own only, and to tunnels.
      if (this.#proxyAuthorization !== undefined && !secure) {
        const proxied = usesProxy(bare(url.hostname), Number(url.port || 80), this.#settings.noProxy);
        if (proxied) all['proxy-authorization'] = this.#proxyAuthorization;
      }
      const options = {
        hostname: bare(url.hostname),
        port: url.port === '' ? undefined : Number(url.port),
        method,
        path: url.pathname + url.search,
        headers: all,
        agent: this.agentFor(url),
      };
      const req = secure ? httpsRequest(options) : httpRequest(options);
      const abort = () => req.destroy(new Error('the request was given up'));
      signal.addEventListener('abort', abort, { once: true });
      req.on('close', () => signal.removeEventListener('abort', abort));
      req.on('error', reject);
      req.on('response', resolve);
      this.#limitConnecting(req, secure);
      if (body === undefined || Buffer.isBuffer(body)) req.end(body);
      else pipeOnceConnected(body, req, secure);
    });
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #limitConnecting(req: ClientRequest, secure: boolean): void {
    const { connectTimeoutMs } = this.#settings;
    req.once('socket', (socket) => {
      if (!socket.connecting) return;
      const connected = new AbortController();
      const done = () => connected.abort('connected');
      this.#clock.sleep(connectTimeoutMs, connected.signal).then(
        () => {
          const message = `no connection within ${connectTimeoutMs} ms`;
          req.destroy(Object.assign(new Error(message), { code: 'ECONNECTTIMEOUT' }));
        },
        // In time.
        () => undefined,
      );
      socket.once(secure ? 'secureConnect' : 'connect', done);
      socket.once('close', done);
    });
  }
}

function pipeOnceConnected(body: Readable, req: ClientRequest, secure: boolean): void {
  body.once('error', (error) => req.destroy(error));
  req.once('socket', (socket) => {
    const pipe = () => body.pipe(req);
    if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', pipe);
    else pipe();
  });
}

/**
 * Options of TLS connections: a custom CA stands beside the usual ones. To be made once for all connections, since it reads
 * every certificate, which takes milliseconds.
 */
export function trust({ caPem }: { readonly caPem?: string }): { secureContext?: SecureContext } {
  if (caPem === undefined) return {};
  return { secureContext: createSecureContext({ ca: [...getCACertificates('default'), caPem] }) };
}

function proxyAuthorizationOf(proxyUrl: string | undefined): string | undefined {
  if (proxyUrl === undefined) return undefined;
  const { username, password } = new URL(proxyUrl);
  if (username === '' && password === '') return undefined;
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

/** Of an IPv6 address without the brackets that it has in URLs. */
function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}
