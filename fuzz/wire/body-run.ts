import { createHash } from 'node:crypto';
import { routes } from '../../src/s3api/router.ts';
import { Draws } from '../lib/draws.ts';
import type { FuzzRun, Violation } from '../lib/fuzzer.ts';
import type { S3Side } from '../lib/s3-side.ts';
import { bodies } from './bodies.ts';
import { spoilDocument } from './spoil-document.ts';

/** Sub-resources that hold what was set. */
const settings = ['policy', 'cors', 'ownershipControls', 'tagging', 'acl'];

/** Rightly signed requests of every operation that takes a document, whose document is spoilt, and of every other with queries that are. */
export class BodyRun implements FuzzRun {
  readonly #side: S3Side;
  readonly #bucket: string;
  readonly #end: () => Promise<void>;
  readonly #statuses = new Map<string, number>();

  constructor(side: S3Side, bucket: string, end: () => Promise<void>) {
    this.#side = side;
    this.#bucket = bucket;
    this.#end = end;
  }

  async tryCase(seed: number): Promise<Violation | undefined> {
    const draws = new Draws(seed);
    // Among all operations of S3, so that one that comes to be offered is tried from then on.
    const all = routes.filter(({ scope, operation }) => scope !== 'service' && operation !== 'DeleteBucket');
    // Every other time one that takes a document.
    const taking = draws.chance(0.5) ? all.filter(({ operation }) => bodies[operation] !== undefined) : all;
    const route = draws.pick(taking);
    const document = draws.pick(bodies[route.operation] ?? ['']);
    const body = draws.chance(0.1) ? Buffer.from(document) : spoilDocument(draws, document);
    const hasBody = route.method === 'PUT' || route.method === 'POST';
    const query = (route.query ?? []).map((name) => [name, this.#value(draws, name)] as const);
    const md5 = createHash('md5').update(body).digest('base64');
    const request = {
      method: route.method,
      path: `/${this.#bucket}${route.scope === 'object' ? '/scratch' : ''}`,
      query,
      headers: {
        ...(hasBody ? { 'Content-MD5': md5 } : {}),
        ...(route.header === undefined ? {} : { [route.header]: this.#value(draws, route.header) }),
      },
      ...(hasBody ? { body } : {}),
    };
    const answer = await this.#side.send(request).catch((error: Error) => error);
    const shown = { ...request, body: body.toString('latin1') };
    const input = JSON.stringify(shown);
    if (answer instanceof Error)
      return { what: `${route.operation} gets no answer: ${answer.message}`, input };
    const name = `${route.operation} ${answer.status}`;
    this.#statuses.set(name, (this.#statuses.get(name) ?? 0) + 1);
    if (answer.status < 300 && route.method === 'PUT') {
      const problem = await this.#probe();
      if (problem !== undefined) return { what: `after ${route.operation}, ${problem}`, input };
    }
    if (answer.status < 500 || answer.status === 501) return undefined;
    return {
      what: `${route.operation} is answered ${answer.status} ${answer.body.toString('utf8', 0, 600)}`,
      input,
    };
  }

  summary(): readonly string[] {
    const accepted = [...this.#statuses]
      .filter(([name]) => / 2\d\d$/.test(name))
      .map(([name, count]) => `${name}: ${count}`);
    return [`accepted: ${accepted.sort().join(', ')}`];
  }

  async close(): Promise<void> {
    this.#side.close();
    await this.#end();
  }

  /** What was accepted is answered by, and then taken back, so that no case depends on another. */
  async #probe(): Promise<string | undefined> {
    const path = `/${this.#bucket}`;
    const asked: (readonly [method: string, path: string, parameter?: string])[] = [
      ...[
        ['HEAD', path] as const,
        ['GET', path] as const,
        ['GET', `${path}/kept`] as const,
        ['OPTIONS', `${path}/kept`] as const,
      ],
      ...settings.map((name) => ['GET', path, name] as const),
      ...settings.filter((name) => name !== 'acl').map((name) => ['DELETE', path, name] as const),
    ];
    const faults: string[] = [];
    for (const [method, at, parameter] of asked) {
      const query = parameter === undefined ? [] : ([[parameter, '']] as const);
      for (const send of [this.#side.send.bind(this.#side), this.#side.sendAnonymous.bind(this.#side)]) {
        const { status } = await send({
          method,
          path: at,
          query,
          headers: { Origin: 'http://a.example.com' },
        });
        if (status >= 500 && status !== 501)
          faults.push(
            `${method} ${at}${parameter === undefined ? '' : `?${parameter}`} is answered ${status}`,
          );
      }
    }
    return faults.length > 0 ? faults.join(', ') : undefined;
  }

  #value(draws: Draws, name: string): string {
    if (name === 'list-type') return draws.pick(['2', '1', '']);
    if (name === 'x-amz-copy-source')
      return draws.pick([`${this.#bucket}/kept`, `${this.#bucket}/none`, 'x', '/', '%', '?versionId=']);
    if (name === 'partNumber') return draws.pick(['1', '0', '10001', '1e3', '']);
    return draws.pick(['', '', 'x', '%00', '1', 'null', 'ü'.repeat(200)]);
  }
}
