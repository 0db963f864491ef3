import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** One request that reached the storage, or was to. */
export interface StorageRequest {
  readonly atMs: number;
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** What it demands of the object that is there. */
  readonly condition?: string;
  /** The version id that it brings in its metadata. */
  readonly version?: string;
  readonly fault?: StorageFault['kind'];
  /** Of the storage's answer, once it is there, and when it was. */
  status?: number;
  answeredMs?: number;
}

/** What becomes of a change on its way to the storage. */
export type StorageFault =
  /** It is done; in place of the answer the connection is closed. */
  | { readonly kind: 'answer lost' }
  /** The connection is closed when all of it has come, or `silentMs` later; it is done `afterMs` after it had come. */
  | { readonly kind: 'done late'; readonly afterMs: number; readonly silentMs?: number };

/** Requests that are kept for a report. */
const keptRequests = 50_000;

/** Stands before the storage, writes down what reaches it, and makes faults of some of it. */
export class StorageProxy {
  /** The last ones, oldest first. */
  readonly requests: StorageRequest[] = [];
  requestCount = 0;
  /** Every request waits so long before it is passed on. */
  delayMs = 0;
  /** Every answer waits so long, so that it tells of what was. */
  answerDelayMs = 0;
  /** What becomes of the next changes of objects, in order. */
  readonly faults: StorageFault[] = [];
  /** Called when the storage has answered a request. */
  onAnswered: (request: StorageRequest) => void = () => {};
  private readonly server: Server;
  private readonly targetPort: number;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 256 });
  private late = 0;
  private away: 'no' | 'refusing' | 'silent' = 'no';
  /** Called when the storage is back. */
  private readonly held: (() => void)[] = [];

  private constructor(targetPort: number) {
    this.targetPort = targetPort;
    this.server = createServer((req, res) => {
      this.handle(req, res).catch(() => res.destroy());
    });
    this.server.keepAliveTimeout = 60_000;
  }

  static async start(targetPort: number): Promise<StorageProxy> {
    const proxy = new StorageProxy(targetPort);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** From now on each connection is closed at the first request; or nothing is answered. */
  leave(how: 'refusing' | 'silent'): void {
    this.away = how;
  }

  /** Requests that were not answered go on, as far as their senders are still there. */
  comeBack(): void {
    this.away = 'no';
    for (const goOn of this.held.splice(0)) goOn();
  }

  /** Of faults that were to come, those that met no change are left out. */
  withdraw(faults: readonly StorageFault[]): void {
    this.faults.splice(0, Infinity, ...this.faults.filter((fault) => !faults.includes(fault)));
  }

  /**
   * What reached the storage of a key in the half minute before something about it was wrong, and shortly after, a line each; times count
   * from `startedMs`.
   */
  of(key: string, startedMs: number, around: { readonly startMs: number; readonly endMs: number }): string[] {
    const isNear = ({ atMs }: StorageRequest) =>
      atMs > startedMs + around.startMs - 30_000 && atMs < startedMs + around.endMs + 10_000;
    const path = `/${encodeURIComponent(key)}`;
    return this.requests
      .filter((seen) => isNear(seen) && seen.url.split('?')[0]?.endsWith(path))
      .map((seen) => lineOf(seen, startedMs));
  }

  /** Resolves when nothing is on its way to the storage that its sender has given up. */
  async settled(): Promise<void> {
    this.faults.length = 0;
    while (this.late > 0) await sleep(20);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    this.agent.destroy();
    await once(this.server, 'close');
  }

  private async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (this.away === 'refusing') {
      res.destroy();
      return;
    }
    if (this.away === 'silent') await new Promise<void>((goOn) => this.held.push(goOn));
    if (res.destroyed) return;
    const fault = isChange(req) ? this.faults.shift() : undefined;
    const seen = this.note(req, fault);
    if (this.delayMs > 0) await sleep(this.delayMs);
    if (fault?.kind === 'done late') return this.doLate(req, res, seen, fault);
    const { method, url: path, headers } = req;
    const upstream = request({
      host: '127.0.0.1',
      port: this.targetPort,
      agent: this.agent,
      method,
      path,
      headers,
    });
    upstream.on('error', () => res.destroy());
    res.on('close', () => upstream.destroy());
    req.on('error', () => upstream.destroy());
    // Else it would be sent half, for want of a beginning.
    if (res.destroyed) upstream.destroy();
    req.pipe(upstream);
    const [answer] = (await once(upstream, 'response')) as [IncomingMessage];
    seen.status = answer.statusCode;
    seen.answeredMs = performance.now();
    this.onAnswered(seen);
    answer.on('error', () => res.destroy());
    if (this.answerDelayMs > 0) await sleep(this.answerDelayMs);
    if (fault) {
      answer.resume();
      res.destroy();
      return;
    }
    res.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(res);
  }

  private async doLate(
    req: IncomingMessage,
    res: ServerResponse,
    seen: StorageRequest,
    { afterMs, silentMs = 0 }: Extract<StorageFault, { kind: 'done late' }>,
  ): Promise<void> {
    this.late += 1;
    try {
      const pieces: Buffer[] = [];
      if (req.headers.expect) res.writeContinue();
      for await (const piece of req) pieces.push(piece as Buffer);
      setTimeout(() => res.destroy(), silentMs);
      await sleep(afterMs);
      const { method, url: path } = req;
      const headers = { ...req.headers };
      delete headers.expect;
      const upstream = request({
        host: '127.0.0.1',
        port: this.targetPort,
        agent: false,
        method,
        path,
        headers,
      });
      upstream.end(Buffer.concat(pieces));
      const [answer] = (await once(upstream, 'response')) as [IncomingMessage];
      seen.status = answer.statusCode;
      seen.answeredMs = performance.now();
      this.onAnswered(seen);
      answer.resume();
      await once(answer, 'end');
    } finally {
      this.late -= 1;
    }
  }

  private note({ method = '', url = '', headers }: IncomingMessage, fault?: StorageFault): StorageRequest {
    const match = headers['if-match'];
    const noneMatch = headers['if-none-match'];
    const seen: StorageRequest = {
      atMs: performance.now(),
      method,
      url,
      condition: match === undefined ? noneMatch && `none of ${noneMatch}` : `only ${match}`,
      version: headers['x-amz-meta-id']?.toString(),
      fault: fault?.kind,
    };
    this.requestCount += 1;
    this.requests.push(seen);
    if (this.requests.length > 2 * keptRequests) this.requests.splice(0, keptRequests);
    return seen;
  }
}

/** Whether it changes what an object is; the parts of an upload do not. */
function isChange({ method, url = '' }: IncomingMessage): boolean {
  if (method === 'PUT') return !url.includes('partNumber=') && url.split('/').length > 2;
  if (method === 'DELETE') return !url.includes('uploadId=');
  return method === 'POST' && url.includes('uploadId=');
}

function lineOf(seen: StorageRequest, startedMs: number): string {
  const { atMs, answeredMs, method, url, condition = '', version = '', fault = '', status } = seen;
  const at = (ms: number) => (ms - startedMs).toFixed(0);
  const answer = answeredMs === undefined ? 'no answer' : `${status} at ${at(answeredMs)}`;
  return `${at(atMs)} ms ${method} ${url.split('/').at(-1)} ${condition} ${version} ${fault}: ${answer}`;
}
