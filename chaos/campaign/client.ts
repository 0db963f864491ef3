import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PlainRequest, S3Side } from '../../fuzz/lib/s3-side.ts';
import type { Keys } from '../cluster/cluster-folder.ts';

/** What came of one request. */
export type Outcome =
  /** A whole answer. */
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** Its body broke off. */
  | { readonly kind: 'cut'; readonly answer: Answer }
  /** No answer, while the server may have got it. */
  | { readonly kind: 'lost'; readonly reason: string }
  /** No server took the connection. */
  | { readonly kind: 'refused' };

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<{ [name: string]: string | string[] | undefined }>;
  readonly body: Buffer;
}

export interface ClientRequest extends PlainRequest {
  /** The body goes out evenly over so long. */
  readonly overMs?: number;
}

/** As SDKs have it by default. */
const timeoutMs = 60_000;

/** Signed requests to one door, each sent once and never again. */
export class Client {
  readonly name: string;
  private readonly side: S3Side;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(name: string, port: number, keys: Keys) {
    this.name = name;
    this.side = new S3Side({ port, ...keys });
  }

  close(): void {
    this.agent.destroy();
    this.side.close();
  }

  /** Never rejects. */
  send(plain: ClientRequest): Promise<Outcome> {
    const { method, path, headers } = this.side.sign(plain);
    const { port } = this.side.endpoint;
    const { body = '', overMs = 0 } = plain;
    const patienceMs = timeoutMs + overMs;
    return new Promise((resolve) => {
      let arrived: IncomingMessage | undefined;
      const chunks: Buffer[] = [];
      const answerOf = ({ statusCode = 0, headers }: IncomingMessage): Answer => ({
        status: statusCode,
        headers,
        body: Buffer.concat(chunks),
      });
      const req = request({ agent: this.agent, host: '127.0.0.1', port, method, path, headers });
      const timer = setTimeout(() => req.destroy(new Error(`nothing for ${patienceMs} ms`)), patienceMs);
      const end = (outcome: Outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
      const fail = (error: Error) => {
        if (arrived) end({ kind: 'cut', answer: answerOf(arrived) });
        else if (isRefusal(error)) end({ kind: 'refused' });
        else end({ kind: 'lost', reason: error.message });
      };
      req.on('error', fail);
      req.on('response', (answer) => {
        arrived = answer;
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', fail);
        answer.on('end', () => end({ kind: 'answer', answer: answerOf(answer) }));
      });
      if (overMs === 0) req.end(body);
      else void writeSlowly(req, Buffer.from(body), overMs);
    });
  }
}

function isRefusal(error: NodeJS.ErrnoException): boolean {
  return error.code === 'ECONNREFUSED';
}

async function writeSlowly(req: ReturnType<typeof request>, body: Buffer, overMs: number): Promise<void> {
  const pieces = 20;
  const step = Math.ceil(body.length / pieces);
  for (let at = 0; at < body.length && !req.destroyed; at += step) {
    req.write(body.subarray(at, at + step));
    await sleep(overMs / pieces);
  }
  req.end();
}

/** One header, undefined where it is not there. */
export function headerOf({ headers }: Answer, name: string): string | undefined {
  return headers[name]?.toString();
}

/** As headers and documents write it, without the quotes. */
export function etagOf(text: string | undefined): string | undefined {
  return text?.replaceAll(/&quot;|"/g, '');
}

/** Of an answer that is none: its status, and the code and the message in its document. */
export function problemOf({ status, body }: Answer): string {
  const text = body.subarray(0, 2_000).toString();
  const code = /<Code>(.*?)<\/Code>/.exec(text)?.[1];
  const message = /<Message>(.*?)<\/Message>/.exec(text)?.[1];
  return code === undefined ? String(status) : `${status} ${code}, ${message}`;
}
