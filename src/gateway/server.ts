import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { type FastifyInstance, type FastifyListenOptions, fastify } from 'fastify';
import type { TlsDoor } from '../common/tls.ts';
import { errorCodes } from '../s3api/error-codes.ts';
import { type AnsweringSocket, IdleConnections } from './idle-connections.ts';

/** What takes each request, and hears of what was none. */
export interface RequestTaker {
  /** Never throws. */
  handle(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void;
  /** `code`: what was answered to bytes that could not be parsed as a request. */
  noteUnparsable(code: string, remote: string | undefined): void;
}

export interface ServerSettings {
  readonly host: string;
  readonly port: number;
  /** All header lines together, bytes. */
  readonly maxHeaderBytes: number;
  readonly maxConnections: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** Nothing read and nothing written on a connection for so long ends it. */
  readonly idleTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Where several threads listen on the port: counts the connections of all of them, against `maxConnections`. */
  readonly connections?: ConnectionCount;
}

/** Connections of all threads. */
export interface ConnectionCount {
  /** Returns how many there are, this one counted in. */
  addConnection(): number;
  removeConnection(): void;
}

const lookForIdleMs = 50;

/** The S3 port: Fastify owns the listener, the S3 pipeline hangs straight under its server. */
export class S3Server {
  readonly #fastify: FastifyInstance;
  readonly #server: Server;
  readonly #settings: ServerSettings;
  readonly #idle: IdleConnections;
  #closing = false;

  constructor(taker: RequestTaker, tls: TlsDoor | undefined, settings: ServerSettings) {
    this.#settings = settings;
    this.#idle = new IdleConnections({
      keepAliveMs: settings.keepAliveTimeoutMs,
      stalledMs: settings.idleTimeoutMs,
    });
    const options = {
      maxHeaderSize: settings.maxHeaderBytes,
      headersTimeout: settings.headersTimeoutMs,
      // A large upload takes as long as it takes; a stalled one is ended by the idle time-out.
      requestTimeout: 0,
      // Neither this nor `timeout` of Node's own: see `IdleConnections`.
      keepAliveTimeout: 0,
      connectionsCheckingInterval: Math.min(2000, settings.headersTimeoutMs),
      noDelay: true,
    };
    const onRequest = (req: IncomingMessage, res: ServerResponse) => {
      if (this.#closing) res.setHeader('connection', 'close');
      taker.handle(req, res, false);
    };
    this.#server = tls
      ? tls.attach(createTlsServer({ ...tls.context(), ...options }, onRequest))
      : createServer(options, onRequest);
    this.#server.maxHeadersCount = 200;
    this.#server.maxConnections = settings.maxConnections;
    if (settings.connections) limitConnections(this.#server, settings.connections, settings.maxConnections);
    this.#server.timeout = 0;
    this.#server.on(tls ? 'secureConnection' : 'connection', (socket: AnsweringSocket) =>
      this.#idle.add(socket),
    );
    // Node's own, which its `close` calls, takes an answer for done that is still on its way to a slow reader.
    this.#server.closeIdleConnections = () => this.#idle.end();
    this.#server.on('checkContinue', (req, res) => taker.handle(req, res, true));
    this.#server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => {
      // A list of expectations may be empty (RFC 9110, 10.1.1).
      if (req.headers.expect === '') return onRequest(req, res);
      taker.noteUnparsable('ExpectationFailed', req.socket.remoteAddress);
      res.writeHead(417, { 'content-length': 0, connection: 'close' });
      res.end();
    });
    this.#server.on('clientError', (error, socket: Socket) => {
      const { remoteAddress } = socket;
      const code = answerUnparsable(error, socket);
      if (code !== undefined) taker.noteUnparsable(code, remoteAddress);
    });
    this.#fastify = fastify({
      serverFactory: () => this.#server,
      // What is no HTTP is answered above, and not a second time.
      clientErrorHandler: () => {},
    });
  }

  /** Rejects with Node's error (`code` EADDRINUSE …) if the port cannot be had. */
  async listen(): Promise<{ readonly port: number }> {
    const { host, port, connections } = this.#settings;
    await this.#fastify.listen({
      host,
      port,
      ...(connections && { reusePort: true }),
    } as FastifyListenOptions);
    const address = this.#server.address();
    return { port: typeof address === 'object' && address !== null ? address.port : this.#settings.port };
  }

  /** Takes no new connection, lets requests under way end for `graceMs`, then cuts what is left. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    const closed = this.#fastify.close();
    this.#idle.end();
    // Connections become idle whose answers said nothing of an end: they had begun before.
    const idle = setInterval(() => this.#idle.end(), lookForIdleMs);
    const cut = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearInterval(idle);
    clearTimeout(cut);
  }
}

/** As Node's own limit, which knows one thread only: a connection above it is closed at once. */
function limitConnections(server: Server, connections: ConnectionCount, maxConnections: number): void {
  server.on('connection', (socket: Socket) => {
    const count = connections.addConnection();
    socket.once('close', () => connections.removeConnection());
    if (count > maxConnections) socket.destroy();
  });
}

/**
 * What could not be parsed as HTTP is answered in S3's form where the fault has a name there, and the connection is closed.
 * The code that was answered to what never became a request; undefined if nothing was, or a request is counted already.
 */
function answerUnparsable(error: Error & { code?: string }, socket: AnsweringSocket): string | undefined {
  const due = socket._httpMessage;
  // A whole request came before, and its answer is still due: that is given, and is the last on this connection.
  if (due?.req.complete && !due.headersSent && socket.writable) {
    due.shouldKeepAlive = false;
    return undefined;
  }
  // An answer is under way or due on this connection: bytes of another one must not stand in its middle or in its place.
  if (!socket.writable || due?.headersSent || due?.req.complete) {
    socket.destroy();
    return undefined;
  }
  const code =
    error.code === 'HPE_HEADER_OVERFLOW' ? 'RequestHeaderSectionTooLarge' : timeoutOrBad(error.code);
  const [status, message] = errorCodes[code];
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  socket.end(
    `HTTP/1.1 ${status} ${status === 400 ? 'Bad Request' : 'Error'}\r\ncontent-type: application/xml\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  // The bytes were the body of a request, which is counted where its body is read.
  return due ? undefined : code;
}

function timeoutOrBad(code: string | undefined): 'RequestTimeout' | 'InvalidRequest' {
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'RequestTimeout' : 'InvalidRequest';
}
