import { request } from 'node:http';
import { sign } from 'aws4';
import { credentials } from './memory-node.ts';

export interface SentRequest {
  readonly method?: string;
  /** Path and query, percent-encoded. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers that are sent and not signed. */
  readonly unsigned?: Readonly<Record<string, string>>;
  /** Signed in the query; then no other header than `host` is signed. */
  readonly presigned?: boolean;
  readonly body?: Buffer;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/** One request to a gateway on this machine, signed by aws4. If the answer is cut off, the error's `partial` is what came of it. */
export async function sendSigned(port: number, sent: SentRequest): Promise<HttpAnswer> {
  const { method = 'GET', target, headers = {}, unsigned = {}, presigned = false, body } = sent;
  const host = `127.0.0.1:${port}`;
  const separator = target.includes('?') ? '&' : '?';
  const signed = sign(
    {
      service: 's3',
      region: 'us-east-1',
      method,
      path: presigned ? `${target}${separator}X-Amz-Expires=300` : target,
      headers: presigned ? { host } : { host, ...headers },
      signQuery: presigned,
      body,
    },
    credentials,
  );
  const all = { ...(presigned ? headers : {}), ...(signed.headers as Record<string, string>), ...unsigned };
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, method, path: signed.path, headers: all }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', (error) => reject(Object.assign(error, { partial: Buffer.concat(chunks) })));
      res.on('end', () => {
        const answered = res.headers as Record<string, string | undefined>;
        resolve({ status: res.statusCode ?? 0, headers: answered, body: Buffer.concat(chunks) });
      });
    });
    req.on('error', reject);
    req.end(body);
  });
}
