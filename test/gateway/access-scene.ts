import { beforeAll, beforeEach } from '@jest/globals';
import type { Credentials, RequestParts } from '../hostile/hostile-client.ts';
import { codeOf, exchange, type RawAnswer } from '../hostile/raw-connection.ts';
import { type Scene, useScene } from '../hostile/scene.ts';

export const owner = { accessKeyId: 'OWNERKEY', secretAccessKey: 'owners-secret' };
export const other = { accessKeyId: 'OTHERKEY', secretAccessKey: 'others-secret' };
export const third = { accessKeyId: 'THIRDKEY', secretAccessKey: 'thirds-secret' };
export const reader = { accessKeyId: 'READERKEY', secretAccessKey: 'readers-secret' };

/** What an answer says: its error's code, or its status. */
export const told = (answer: RawAnswer) => codeOf(answer) ?? answer.status;

/** A node of several threads with four users, and for each test a new bucket of the user `owner`. */
export class AccessScene {
  /** The present test's. */
  bucket = '';
  readonly scene: Scene;
  private made = 0;

  constructor(scene: Scene) {
    this.scene = scene;
  }

  async addUsers(): Promise<void> {
    const add = (name: string, policy: string, key: Credentials) =>
      this.scene.client.admin('POST', '/v1/users', { name, policy, ...key });
    await add('owner', 'readwrite', owner);
    await add('other', 'readwrite', other);
    await add('third', 'readwrite', third);
    await add('reader', 'readonly', reader);
  }

  async addBucket(): Promise<void> {
    this.bucket = `box-${++this.made}`;
    await this.ok({ method: 'PUT', target: `/${this.bucket}` });
  }

  send(parts: RequestParts, credentials: Credentials = owner): Promise<RawAnswer> {
    return this.scene.client.send({ ...parts, credentials });
  }

  async ok(parts: RequestParts, credentials: Credentials = owner): Promise<RawAnswer> {
    const answer = await this.send(parts, credentials);
    if (answer.status < 300) return answer;
    throw new Error(`${parts.method} ${parts.target}: ${answer.status} ${answer.body}`);
  }

  /** Without a signature. */
  async anonymously({ method = 'GET', target, headers = {}, body }: RequestParts): Promise<RawAnswer> {
    const { port } = this.scene;
    const length = body === undefined ? {} : { 'Content-Length': String(body.length) };
    const lines = Object.entries({ Host: `127.0.0.1:${port}`, ...headers, ...length });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const text = `${method} ${target} HTTP/1.1\r\n${head}\r\n${body ?? ''}`;
    const answer = await exchange(port, text, { headOnly: method === 'HEAD' });
    if (answer === undefined) throw new Error(`no answer to ${method} ${target}`);
    return answer;
  }

  /** Puts an object that holds its key. */
  put(key: string, headers: Record<string, string> = {}, credentials: Credentials = owner) {
    return this.ok({ method: 'PUT', target: `/${this.bucket}/${key}`, headers, body: key }, credentials);
  }

  get(key: string, credentials?: Credentials): Promise<RawAnswer> {
    const parts = { target: `/${this.bucket}/${key}` };
    return credentials ? this.send(parts, credentials) : this.anonymously(parts);
  }

  /** `target`: '' for the bucket, `/key` for an object of it. */
  putAcl(target: string, headers: Record<string, string>, credentials: Credentials = owner, body = '') {
    return this.send({ method: 'PUT', target: `/${this.bucket}${target}?acl=`, headers, body }, credentials);
  }

  /** Such as `owner FULL_CONTROL` and `AllUsers READ`. */
  async grantsOf(target: string, credentials: Credentials = owner): Promise<string[]> {
    const { body } = await this.ok({ target: `/${this.bucket}${target}?acl=` }, credentials);
    return [...body.matchAll(/<Grant>.*?<(?:ID|URI)>([^<]*)<.*?<Permission>([^<]*)</g)].map(
      ([, who = '', what]) => `${who.replace(/^http.*\//, '')} ${what}`,
    );
  }

  setPolicy(...statements: object[]): Promise<RawAnswer> {
    const body = JSON.stringify({ Version: '2012-10-17', Statement: statements });
    return this.send({ method: 'PUT', target: `/${this.bucket}?policy=`, body });
  }

  /** A statement that lets everybody read every object, but for what is changed. */
  allowing(change: object): object {
    const Resource = `arn:aws:s3:::${this.bucket}/*`;
    return { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource, ...change };
  }
}

export function useAccessScene(): AccessScene {
  const at = new AccessScene(useScene({ FOREBAY_IO_THREADS: '2' }));
  beforeAll(() => at.addUsers());
  beforeEach(() => at.addBucket());
  return at;
}
