import { createHash, createHmac } from 'node:crypto';
import aws4 from 'aws4';
import type { RunningNode } from '../../conformance/harness.ts';
import { exchange, type RawAnswer } from './raw-connection.ts';

export const sha256 = (text: string): string => createHash('sha256').update(text, 'latin1').digest('hex');

export interface RequestParts {
  readonly method?: string;
  /** As on the request line. */
  readonly target: string;
  /** Signed with the request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The value of x-amz-content-sha256; by default the digest of `body`. */
  readonly payload?: string;
  readonly body?: string;
  /** Who signs; by default the root user. */
  readonly credentials?: Credentials;
  /** The host that is signed, if not the node's own. */
  readonly host?: string;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A request's header block, signed by aws4, to be sent as it is or with one thing changed. */
export class SignedHead {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(method: string, target: string, headers: Readonly<Record<string, string>>) {
    this.method = method;
    this.target = target;
    this.headers = headers;
  }

  /** The block with headers added, or replaced where the name is the same; an undefined value removes one. */
  text(
    change: Readonly<Record<string, string | undefined>> = {},
    extraLines: readonly string[] = [],
  ): string {
    const kept = Object.entries({ ...this.headers, ...change }).filter(([, value]) => value !== undefined);
    const lines = kept.map(([name, value]) => `${name}: ${value}`);
    return `${[`${this.method} ${this.target} HTTP/1.1`, ...lines, ...extraLines].join('\r\n')}\r\n\r\n`;
  }

  get signature(): string {
    return /Signature=([0-9a-f]{64})/.exec(this.headers.Authorization ?? '')?.[1] ?? '';
  }

  get date(): string {
    return this.headers['X-Amz-Date'] ?? '';
  }

  get scope(): string {
    return /Credential=[^/]+\/([^,]+)/.exec(this.headers.Authorization ?? '')?.[1] ?? '';
  }
}

/** Speaks to a node like a client that knows the root key, and means no good. */
export class HostileClient {
  readonly node: RunningNode;

  constructor(node: RunningNode) {
    this.node = node;
  }

  get port(): number {
    return this.node.s3Port;
  }

  signed(parts: RequestParts): SignedHead {
    const method = parts.method ?? 'GET';
    const body = parts.body ?? '';
    const host = parts.host ?? `127.0.0.1:${this.port}`;
    const request = aws4.sign(
      {
        service: 's3',
        region: 'us-east-1',
        method,
        path: parts.target,
        host,
        headers: {
          Host: host,
          ...(method === 'PUT' || method === 'POST' ? { 'Content-Length': String(body.length) } : {}),
          'X-Amz-Content-Sha256': parts.payload ?? sha256(body),
          ...parts.headers,
        },
      },
      parts.credentials ?? this.node,
    );
    return new SignedHead(method, parts.target, request.headers as Record<string, string>);
  }

  /** The request's target with a signature of everything but the body in its query. */
  presigned(parts: RequestParts, expiresSeconds = 60, date = new Date()): string {
    const amzDate = date.toISOString().replace(/[-:]|\.\d+/g, '');
    const added = `X-Amz-Expires=${expiresSeconds}&X-Amz-Date=${amzDate}`;
    const request = aws4.sign(
      {
        service: 's3',
        region: 'us-east-1',
        method: parts.method ?? 'GET',
        path: `${parts.target}${parts.target.includes('?') ? '&' : '?'}${added}`,
        host: parts.host ?? `127.0.0.1:${this.port}`,
        signQuery: true,
        headers: { ...parts.headers },
      },
      parts.credentials ?? this.node,
    );
    return request.path ?? '';
  }

  /** Calls the admin API as the root user; the answer's JSON. */
  async admin(method: string, path: string, body: object): Promise<Record<string, string>> {
    const host = `127.0.0.1:${this.node.adminPort}`;
    const text = JSON.stringify(body);
    const headers = { 'Content-Type': 'application/json', 'X-Amz-Content-Sha256': sha256(text) };
    const signing = { service: 'forebay', region: 'us-east-1', method, path, host, body: text, headers };
    const signed = aws4.sign(signing, this.node).headers as Record<string, string>;
    const answer = await fetch(`http://${host}${path}`, { method, body: text, headers: signed });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? {} : ((await answer.json()) as Record<string, string>);
  }

  /** A well-formed request on a connection of its own. */
  async send(parts: RequestParts): Promise<RawAnswer> {
    const text = this.signed(parts).text() + (parts.body ?? '');
    const answer = await exchange(this.port, text, { headOnly: parts.method === 'HEAD' });
    if (answer === undefined) throw new Error(`no answer to ${parts.method ?? 'GET'} ${parts.target}`);
    return answer;
  }

  /**
   * The signature of one chunk of an aws-chunked body.
   * Source: "Signature calculations for the Authorization header: transferring payload in multiple chunks", S3 API reference.
   */
  chunkSignature(head: SignedHead, previous: string, chunk: string): string {
    const text = [
      'AWS4-HMAC-SHA256-PAYLOAD',
      head.date,
      head.scope,
      previous,
      sha256(''),
      sha256(chunk),
    ].join('\n');
    return this.hmacWithSigningKey(head, text);
  }

  /** The signature of the trailer of an aws-chunked body; `lines` is `name:value\n` for each. */
  trailerSignature(head: SignedHead, previous: string, lines: string): string {
    const text = ['AWS4-HMAC-SHA256-TRAILER', head.date, head.scope, previous, sha256(lines)].join('\n');
    return this.hmacWithSigningKey(head, text);
  }

  private hmacWithSigningKey(head: SignedHead, text: string): string {
    const mac = (key: string | Buffer, data: string): Buffer =>
      createHmac('sha256', key).update(data).digest();
    const key = head.scope
      .split('/')
      .reduce<Buffer | string>((previous, part) => mac(previous, part), `AWS4${this.node.secretAccessKey}`);
    return createHmac('sha256', key).update(text).digest('hex');
  }
}
