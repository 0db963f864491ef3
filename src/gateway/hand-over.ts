import {
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  request as openRequest,
  type ServerResponse,
} from 'node:http';
import { coveredHeaders, encodeFacts, type HandOverPath, tlsVersionOf } from './carried-request.ts';
import { HandOverAgent } from './hand-over-socket.ts';

/** Headers about the connection to the store thread, not about the answer. */
const ownHeaders: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding']);
/** Those Node's client sends no chunked body of by itself. */
const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']);
const maxAnswerHeaderBytes = 128 * 1024;

/**
 * Hands whole requests to the store thread and their answers back, byte by byte as they are: headers in their order and spelling, bodies
 * at the pace of the slower side, `100 Continue` when the store thread says so, and an end that comes early as an end that comes early.
 */
export class HandOver {
  private readonly path: HandOverPath;
  private readonly agent: Agent;
  private readonly onFailure: (req: IncomingMessage, res: ServerResponse, cause: Error) => void;

  /**
   * `onFailure` answers a request that could not be handed over, nothing of whose answer was written; or only counts it, where its client
   * has gone before it was handed over.
   */
  constructor(
    path: HandOverPath,
    maxConnections: number,
    onFailure: (req: IncomingMessage, res: ServerResponse, cause: Error) => void,
  ) {
    this.path = path;
    this.onFailure = onFailure;
    this.agent = new HandOverAgent(path, maxConnections);
  }

  /** The body must not have been touched. */
  take(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
    if (res.destroyed) {
      this.onFailure(req, res, clientGone());
      return;
    }
    let onward: ClientRequest;
    try {
      onward = this.open(req, expectsContinue);
    } catch (cause) {
      // Whatever Node's client refuses to send that Node's server let through: one request fails, not all of this thread.
      this.onFailure(req, res, cause as Error);
      return;
    }
    let answer: IncomingMessage | undefined;
    const gone = () => {
      if (res.writableFinished) return;
      // By itself, where the answer has come whole, ending the request leaves its connection to an answer that nobody reads any more.
      answer?.destroy();
      onward.destroy();
    };
    res.once('close', gone);
    onward.on('error', (cause) => {
      // The store thread has heard of it unless it still waited for a connection, and counts it.
      if (res.destroyed && !onward.socket) this.onFailure(req, res, clientGone());
      if (res.destroyed || res.writableEnded) return;
      if (res.headersSent) res.destroy();
      else this.onFailure(req, res, cause);
    });
    onward.once('response', (came) => {
      answer = came;
      relay(came, req, res);
    });
    if (!hasBody(req)) onward.end();
    else if (!expectsContinue) sendBody(req, onward);
    else {
      onward.once('continue', () => {
        res.writeContinue();
        sendBody(req, onward);
      });
    }
  }

  close(): void {
    this.agent.destroy();
  }

  private open(req: IncomingMessage, expectsContinue: boolean): ClientRequest {
    const method = req.method ?? 'GET';
    const { headers } = req;
    const added: string[] = [];
    if (headers.connection === undefined) added.push('connection');
    if (!hasFraming(req) && !bodiless.has(method)) added.push('transfer-encoding');
    const facts = encodeFacts({
      remoteAddress: req.socket.remoteAddress ?? '',
      tlsVersion: tlsVersionOf(req),
      added,
    });
    return openRequest({
      agent: this.agent,
      socketPath: this.path.socketPath,
      method,
      path: req.url,
      // As a list they go out as they came in.
      headers: [this.path.header, facts, ...coveredHeaders(req.rawHeaders, expectsContinue)],
      maxHeaderSize: maxAnswerHeaderBytes,
    });
  }
}

function clientGone(): Error {
  return new Error('the client went away');
}

function sendBody(req: IncomingMessage, onward: ClientRequest): void {
  // The request may be refused before a byte of its body has come.
  onward.flushHeaders();
  req.once('error', () => onward.destroy());
  req.pipe(onward, { end: false });
  req.once('end', () => {
    const { rawTrailers } = req;
    const trailers: [string, string][] = [];
    for (let i = 0; i + 1 < rawTrailers.length; i += 2) {
      trailers.push([rawTrailers[i] as string, rawTrailers[i + 1] as string]);
    }
    if (trailers.length > 0) onward.addTrailers(trailers);
    onward.end();
  });
}

function relay(answer: IncomingMessage, req: IncomingMessage, res: ServerResponse): void {
  const cut = () => res.destroy();
  answer.once('error', cut);
  if (res.destroyed) {
    answer.destroy();
    return;
  }
  res.writeHead(answer.statusCode ?? 500, answer.statusMessage ?? '', ownAnswerHeaders(answer));
  // An answer that comes before the whole request may be all that its client waits for.
  if (!req.complete) res.flushHeaders();
  answer.pipe(res);
}

function ownAnswerHeaders({ rawHeaders, headers }: IncomingMessage): string[] {
  const kept: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (!ownHeaders.has(name.toLowerCase())) kept.push(name, rawHeaders[i + 1] as string);
  }
  if (headers.connection === 'close') kept.push('connection', 'close');
  return kept;
}

function hasFraming({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
