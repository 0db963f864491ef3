import { Agent, request } from 'node:http';
import { sign } from 'aws4';
import { credentials } from './credentials.ts';
import type { HttpAnswer } from './signed-request.ts';

/** What stands for the thread in the ids of requests that it answered. */
export function threadOf(answer: HttpAnswer): string {
  return (answer.headers['x-amz-request-id'] ?? '').slice(0, 8);
}

/** One connection to a gateway, which stays: all of its requests reach the same thread. */
export class Line {
  private readonly port: number;
  private readonly keys: typeof credentials;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(port: number, keys: typeof credentials = credentials) {
    this.port = port;
    this.keys = keys;
  }

  send(
    method: string,
    target: string,
    body?: Buffer,
    extra: Record<string, string> = {},
  ): Promise<HttpAnswer> {
    const host = `127.0.0.1:${this.port}`;
    const headers = { host, ...extra };
    const options = { service: 's3', region: 'us-east-1', method, path: target, headers, body };
    const signed = sign(options, this.keys).headers as Record<string, string>;
    const { agent, port } = this;
    return new Promise((resolve, reject) => {
      const sent = { agent, host: '127.0.0.1', port, method, path: target, headers: signed };
      const req = request(sent, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () => {
          const answered = res.headers as Record<string, string | undefined>;
          resolve({ status: res.statusCode ?? 0, headers: answered, body: Buffer.concat(chunks) });
        });
      });
      req.on('error', reject);
      req.end(body);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

const maxLines = 64;

/** A line to each of `count` threads, which a hot object tells apart: `target` is one that they answer by themselves. */
export async function linesToThreads(
  port: number,
  count: number,
  target: string,
  keys?: typeof credentials,
): Promise<Map<string, Line>> {
  const lines = new Map<string, Line>();
  for (let i = 0; lines.size < count; i++) {
    if (i === maxLines) throw new Error(`${maxLines} connections found ${lines.size} threads`);
    const line = new Line(port, keys);
    const thread = threadOf(await line.send('GET', target));
    if (lines.has(thread)) line.close();
    else lines.set(thread, line);
  }
  return lines;
}
