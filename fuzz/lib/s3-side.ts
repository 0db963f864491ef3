import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import aws4 from 'aws4';

/** A server that is spoken to: where it listens and as whom. */
export interface Endpoint {
  readonly port: number;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A request before it is signed. `path` and `query` are not encoded yet. */
export interface PlainRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: readonly (readonly [name: string, value: string])[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** A request as it goes out, but for its body. */
export interface SignedHead {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  /** Names in lower case; of a repeated header what Node makes of it. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

const answerTimeoutMs = 120_000;

/** Signed requests to one server over kept-alive connections, one answer each, nothing tried twice. */
export class S3Side {
  readonly endpoint: Endpoint;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Rejects if there is no whole answer, or none in time. */
  send(plain: PlainRequest): Promise<Answer> {
    return this.#exchange(this.sign(plain), plain.body);
  }

  /** As `send`, without a signature. */
  sendAnonymous(plain: PlainRequest): Promise<Answer> {
    const { method, path, headers } = this.sign(plain);
    const { Authorization: _, ...others } = headers;
    return this.#exchange({ method, path, headers: others }, plain.body);
  }

  #exchange({ method, path, headers }: SignedHead, body?: string | Buffer): Promise<Answer> {
    const { port } = this.endpoint;
    return new Promise((resolve, reject) => {
      const req = request({ agent: this.#agent, host: '127.0.0.1', port, method, path, headers });
      req.setTimeout(answerTimeoutMs, () => req.destroy(new Error(`no answer to ${method} ${path}`)));
      req.on('error', reject);
      req.on('response', (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () =>
          resolve({
            status: res.statusCode ?? 0,
            headers: res.headers as Answer['headers'],
            body: Buffer.concat(chunks),
          }),
        );
      });
      req.end(body);
    });
  }

  /** As it goes out: encoded, and signed by aws4. */
  sign(plain: PlainRequest): SignedHead {
    const { method, body = '' } = plain;
    const query = (plain.query ?? []).map(([name, value]) => `${strict(name)}=${strict(value)}`);
    const path = encodePath(plain.path) + (query.length > 0 ? `?${query.join('&')}` : '');
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const headers: Record<string, string> = {
      Host: `127.0.0.1:${this.endpoint.port}`,
      'X-Amz-Content-Sha256': createHash('sha256').update(bytes).digest('hex'),
      ...plain.headers,
    };
    if (method === 'PUT' || method === 'POST') headers['Content-Length'] = String(bytes.length);
    const signed = aws4.sign(
      { service: 's3', region: 'us-east-1', method, path, host: headers.Host, headers },
      this.endpoint,
    );
    return { method, path, headers: signed.headers as Record<string, string> };
  }
}

/** Everything but what RFC 3986 calls unreserved. */
export function strict(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export function encodePath(path: string): string {
  return path.split('/').map(strict).join('/');
}
