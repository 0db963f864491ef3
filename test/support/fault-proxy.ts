import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as it came from the client. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Body bytes that have come so far. */
  bodyBytes: number;
  /** `answered` to its end; `gone`: the client closed the connection before. */
  outcome: 'open' | 'answered' | 'gone' | 'cut';
}

/** What becomes of a request. Without a fault it is passed on, and its answer back, as they are. */
export type Fault =
  /** Passed on later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Passed on after `run`. */
  | { readonly kind: 'before'; readonly run: () => Promise<unknown> }
  /** Answered here; the server never sees it. */
  | { readonly kind: 'refuse'; readonly status: number; readonly body?: string }
  /** Done by the server; its answer is replaced. */
  | { readonly kind: 'replace'; readonly status: number; readonly body: string }
  /** Done by the server; the connection is closed in place of an answer. */
  | { readonly kind: 'lose' }
  /** Done by the server at once; its answer is passed on when `until` is over. `done` is called in between. */
  | { readonly kind: 'hold'; readonly until: Promise<unknown>; readonly done: () => void }
  /** The connection is closed when the request is here whole; the server gets it once `until` is over, and answers `landed`. */
  | { readonly kind: 'late'; readonly until: Promise<unknown>; readonly landed: (status: number) => void }
  /** The answer's body ends after so many bytes and the connection with it; its headers may be others. */
  | {
      readonly kind: 'cut';
      readonly afterBytes: number;
      readonly change?: Readonly<Record<string, string | undefined>>;
    }
  /** The answer's body stands still after so many bytes. */
  | { readonly kind: 'stall'; readonly afterBytes: number }
  /** The answer's body comes a byte at a time. */
  | { readonly kind: 'trickle'; readonly everyMs: number }
  /** The answer tells another length than it has, and ends after what it has. */
  | { readonly kind: 'length'; readonly announcedBytes: number }
  /** The answer has other headers. */
  | { readonly kind: 'headers'; readonly change: Readonly<Record<string, string | undefined>> }
  /** The answer has another body, in chunks without a length. */
  | {
      readonly kind: 'body';
      readonly status?: number;
      readonly body: Buffer;
    }
  /** No answer comes, ever; the server never sees it. */
  | { readonly kind: 'hang' };

export type FaultRule = (request: SeenRequest) => Fault | undefined;

/** Stands between an S3 client and a server, on a port of its own, and does to chosen requests what networks and servers do. */
export class FaultProxy {
  /** Every request, oldest first. */
  readonly seen: SeenRequest[] = [];
  /** Decides about each request when its head has come. */
  rule: FaultRule = () => undefined;
  /** Requests that it made a fault of: a test whose fault never happened shows nothing. */
  faults = 0;
  readonly #server: Server;
  readonly #targetPort: number;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((req, res) => void this.#handle(req, res));
  }

  static async start(targetPort: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Makes a fault of the first `count` requests of this method whose URL holds `text`. */
  strike(method: string, text: string, fault: Fault, count = Number.POSITIVE_INFINITY): void {
    let left = count;
    this.rule = (request) => {
      if (request.method !== method || !request.url.includes(text) || left <= 0) return undefined;
      left--;
      return fault;
    };
  }

  count(method: string, text = ''): number {
    return this.seen.filter((one) => one.method === method && one.url.includes(text)).length;
  }

  /** Resolves when a request has the outcome; rejects after two seconds. */
  async until(check: () => boolean): Promise<void> {
    for (let waits = 0; !check(); waits++) {
      if (waits > 200) throw new Error('what was waited for did not happen');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const request: SeenRequest = {
      method: req.method ?? '',
      url: req.url ?? '',
      headers: req.headers,
      bodyBytes: 0,
      outcome: 'open',
    };
    this.seen.push(request);
    req.on('data', (chunk: Buffer) => {
      request.bodyBytes += chunk.length;
    });
    req.pause();
    res.on('close', () => {
      if (request.outcome === 'open') request.outcome = res.writableFinished ? 'answered' : 'gone';
    });
    const fault = this.rule(request);
    if (fault) this.faults++;
    if (fault?.kind === 'hang') return void req.resume();
    if (fault?.kind === 'late') return this.#land(req, res, request, fault);
    if (fault?.kind === 'delay') await new Promise((resolve) => setTimeout(resolve, fault.ms));
    if (fault?.kind === 'before') await fault.run();
    if (fault?.kind === 'refuse') return this.#refuse(req, res, fault);
    this.#forward(req, res, request, fault);
  }

  #refuse(
    req: IncomingMessage,
    res: ServerResponse,
    { status, body = '' }: { status: number; body?: string },
  ) {
    req.resume();
    const send = () => res.writeHead(status, { 'content-type': 'application/xml' }).end(body);
    if (req.complete) send();
    else req.once('end', send);
  }

  async #land(
    req: IncomingMessage,
    res: ServerResponse,
    request: SeenRequest,
    { until, landed }: Extract<Fault, { kind: 'late' }>,
  ): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of req) pieces.push(piece as Buffer);
    request.outcome = 'cut';
    res.destroy();
    await until;
    const { method, url: path, headers } = req;
    const about = { host: '127.0.0.1', port: this.#targetPort, method, path, headers, agent: false };
    const upstream = httpRequest(about, (answer) => {
      answer.resume().on('end', () => landed(answer.statusCode ?? 0));
    });
    upstream.on('error', () => landed(0));
    upstream.end(Buffer.concat(pieces));
  }

  async #trickle(answer: IncomingMessage, res: ServerResponse, everyMs: number): Promise<void> {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length && !res.destroyed; at++) {
        res.write(chunk.subarray(at, at + 1));
        await new Promise((resolve) => setTimeout(resolve, everyMs));
      }
    }
    res.end();
  }

  #forward(req: IncomingMessage, res: ServerResponse, request: SeenRequest, fault: Fault | undefined): void {
    const upstream = httpRequest(
      {
        host: '127.0.0.1',
        port: this.#targetPort,
        method: req.method,
        path: req.url,
        headers: req.headers,
        agent: false,
      },
      // A fault on either side ends the other.
      (answer) => void this.#answer(answer, res, request, fault).catch(() => res.destroy()),
    );
    upstream.on('error', () => res.destroy());
    res.on('close', () => upstream.destroy());
    req.on('error', () => upstream.destroy());
    req.pipe(upstream);
  }

  async #answer(
    answer: IncomingMessage,
    res: ServerResponse,
    request: SeenRequest,
    fault: Fault | undefined,
  ): Promise<void> {
    answer.on('error', () => res.destroy());
    if (fault?.kind === 'lose') {
      request.outcome = 'cut';
      return void res.destroy();
    }
    if (fault?.kind === 'replace') {
      answer.resume();
      return void res.writeHead(fault.status, { 'content-type': 'application/xml' }).end(fault.body);
    }
    if (fault?.kind === 'hold') {
      fault.done();
      await fault.until;
    }
    const headers: Record<string, string | string[] | undefined> = { ...answer.headers };
    if (fault?.kind === 'body') {
      answer.resume();
      delete headers['content-length'];
      res.writeHead(fault.status ?? answer.statusCode ?? 200, headers as Record<string, string>);
      return void res.end(fault.body);
    }
    if (fault?.kind === 'length') headers['content-length'] = String(fault.announcedBytes);
    if (fault?.kind === 'headers' || fault?.kind === 'cut') Object.assign(headers, fault.change);
    for (const name of Object.keys(headers)) if (headers[name] === undefined) delete headers[name];
    res.writeHead(answer.statusCode ?? 502, headers as Record<string, string>);
    const limit = fault?.kind === 'cut' || fault?.kind === 'stall' ? fault.afterBytes : undefined;
    // Node writes headers that go out alone as UTF-8 instead of byte by byte, so that is left to where nothing else will come.
    if (limit === 0) res.flushHeaders();
    if (fault?.kind === 'trickle') return this.#trickle(answer, res, fault.everyMs);
    let passed = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      const piece = limit === undefined ? chunk : chunk.subarray(0, Math.max(0, limit - passed));
      passed += piece.length;
      if (piece.length > 0 && !res.write(piece))
        await new Promise((resolve) => res.once('drain', resolve).once('close', resolve));
      if (limit === undefined || passed < limit) continue;
      // Leaving the loop ends the answer, and so the stillness.
      if (fault?.kind === 'stall') await new Promise((resolve) => res.once('close', resolve));
      break;
    }
    if (fault?.kind === 'cut' || fault?.kind === 'length') {
      request.outcome = 'cut';
      // What was written is to arrive before the end does.
      return void setTimeout(() => res.destroy(), 20);
    }
    res.end();
  }
}
