import { createHash } from 'node:crypto';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import aws4 from 'aws4';
import { credentials } from '../lib/servers.ts';
import { BodyCheck } from './versioned-body.ts';

export interface Asked {
  readonly key: string;
  /** Bytes `[start, end)`; without it all of the object. */
  readonly range?: { readonly start: number; readonly end: number };
}

/** How a GET ended. `cut`: the connection ended before the body did. */
export type Read =
  | { readonly kind: 'read'; readonly version: number; readonly cache: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'cut' }
  | { readonly kind: 'wrong'; readonly what: string };

export interface Pace {
  /** Bytes after which a reader waits. */
  readonly stepBytes: number;
  readonly waitMs: number;
}

const silenceMs = 60_000;
const versionHeader = 'x-amz-meta-version';

/** S3 requests about one bucket of one node, over kept-alive connections; every body is compared with what it is to be. */
export class SoakClient {
  private readonly port: number;
  private readonly bucket: string;
  private agent = new Agent({ keepAlive: true });

  constructor(port: number, bucket: string) {
    this.port = port;
    this.bucket = bucket;
  }

  /** Ends the connections that nobody uses. Later requests make new ones. */
  disconnect(): void {
    this.agent.destroy();
    this.agent = new Agent({ keepAlive: true });
  }

  /** The status. Rejects if there is no answer. */
  async put(key: string, version: number, body: Buffer): Promise<number> {
    const req = this.send('PUT', key, { [versionHeader]: String(version) }, body);
    req.end(body);
    return ended(await answerOf(req));
  }

  async delete(key: string): Promise<number> {
    const req = this.send('DELETE', key, {});
    req.end();
    return ended(await answerOf(req));
  }

  /** Reads, at a pace if there is one. The object's metadata says which version the bytes are to be of. Never rejects. */
  async get(asked: Asked, pace?: Pace): Promise<Read> {
    let res: IncomingMessage;
    try {
      res = await answerOf(this.ask(asked));
    } catch (error) {
      return { kind: 'wrong', what: `GET ${asked.key}: no answer: ${(error as Error).message}` };
    }
    const { statusCode } = res;
    if (statusCode === (asked.range ? 206 : 200)) return readBody(res, asked, pace);
    await ended(res).catch(() => {});
    if (statusCode === 404) return { kind: 'absent' };
    if (statusCode === 503) return { kind: 'refused' };
    return { kind: 'wrong', what: `GET ${asked.key} was answered ${statusCode}` };
  }

  /**
   * Asks, reads so many bytes of the body, reads nothing more for `stallMs`, so that the rest waits at the server, and goes away without a
   * word; 0 bytes: as soon as it is connected.
   */
  vanish(asked: Asked, afterBytes: number, stallMs: number): Promise<void> {
    const req = this.ask(asked, false);
    return new Promise((resolve) => {
      req.on('close', resolve).on('error', () => {});
      if (afterBytes === 0) req.on('socket', (socket) => socket.on('connect', () => req.destroy()));
      req.on('response', (res: IncomingMessage) => {
        let received = 0;
        res.on('error', () => {});
        res.on('data', (chunk: Buffer) => {
          received += chunk.length;
          if (received < afterBytes) return;
          res.pause();
          setTimeout(() => req.destroy(), stallMs);
        });
      });
    });
  }

  /**
   * Asks so many times at once on one connection, takes the first bytes, and goes away: what the network does not take, of one answer
   * or of many, waits at the server until then.
   */
  vanishPipelined(asked: Asked, count: number, stallMs: number): Promise<void> {
    const { path, headers } = this.signed('GET', asked.key, {});
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const text = `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
    return new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: this.port }, () => socket.write(text.repeat(count)));
      socket.on('close', () => resolve()).on('error', () => {});
      socket.setTimeout(silenceMs, () => socket.destroy());
      socket.once('data', () => {
        socket.pause();
        setTimeout(() => socket.destroy(), stallMs);
      });
    });
  }

  /** Begins an upload and goes away in the midst of it. */
  vanishWriting(key: string, body: Buffer): Promise<void> {
    const req = this.send('PUT', key, { [versionHeader]: '0' }, body, false);
    return new Promise((resolve) => {
      req.on('close', resolve).on('error', () => {});
      req.on('response', (res) => res.on('error', () => {}).resume());
      req.write(body.subarray(0, Math.floor(body.length / 2)), () => req.destroy());
    });
  }

  private ask({ key, range }: Asked, isKept = true): ClientRequest {
    const headers = range ? { range: `bytes=${range.start}-${range.end - 1}` } : {};
    const req = this.send('GET', key, headers as Record<string, string>, undefined, isKept);
    req.end();
    return req;
  }

  private send(
    method: string,
    key: string,
    own: Record<string, string>,
    body?: Buffer,
    isKept = true,
  ): ClientRequest {
    const { port } = this;
    const { path, headers } = this.signed(method, key, own, body);
    const agent = isKept ? this.agent : false;
    const req = request({ host: '127.0.0.1', port, method, path, headers, agent });
    // A server that says nothing for so long has lost the request.
    req.setTimeout(silenceMs, () => req.destroy(new Error(`silent for ${silenceMs} ms`)));
    return req;
  }

  private signed(method: string, key: string, own: Record<string, string>, body?: Buffer) {
    const path = `/${this.bucket}/${key}`;
    const digest = createHash('sha256')
      .update(body ?? '')
      .digest('hex');
    const length = body ? { 'content-length': String(body.length) } : {};
    const headers = { ...own, ...length, 'x-amz-content-sha256': digest };
    const host = `127.0.0.1:${this.port}`;
    const target = { host, method, path, service: 's3', region: 'us-east-1', headers };
    return { path, headers: aws4.sign(target, credentials).headers as Record<string, string> };
  }
}

function answerOf(req: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    req.on('response', resolve).on('error', reject);
  });
}

/** The status, once the whole answer is here. */
function ended(res: IncomingMessage): Promise<number> {
  return new Promise((resolve, reject) => {
    res.on('end', () => resolve(res.statusCode ?? 0)).on('error', reject);
    res.resume();
  });
}

async function readBody(res: IncomingMessage, { key, range }: Asked, pace?: Pace): Promise<Read> {
  const version = Number(res.headers[versionHeader]);
  const check = new BodyCheck(key, version, range?.start);
  let sincePause = 0;
  try {
    for await (const chunk of res as AsyncIterable<Buffer>) {
      check.take(chunk);
      sincePause += chunk.length;
      if (!pace || sincePause < pace.stepBytes) continue;
      sincePause = 0;
      await new Promise((resolve) => setTimeout(resolve, pace.waitMs));
    }
  } catch {
    if (check.firstWrong === undefined) return { kind: 'cut' };
  }
  if (check.firstWrong !== undefined) {
    return { kind: 'wrong', what: `${key}: not version ${version} near byte ${check.firstWrong}` };
  }
  const wanted = range ? range.end - range.start : Number(res.headers['content-length']);
  if (check.receivedBytes !== wanted) {
    return { kind: 'wrong', what: `${key}: ${check.receivedBytes} bytes instead of ${wanted}` };
  }
  return { kind: 'read', version, cache: String(res.headers['x-forebay-cache']) };
}
