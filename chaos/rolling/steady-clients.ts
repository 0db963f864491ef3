import { type Answer, type PlainRequest, S3Side } from '../../fuzz/lib/s3-side.ts';
import type { Keys } from '../cluster/cluster-folder.ts';
import type { NodeProcess } from '../cluster/node-process.ts';
import type { Balancer } from './balancer.ts';

export interface ClientReport {
  reads: number;
  writes: number;
  /** What was no answer, or another one than it should have been. */
  readonly failures: string[];
  /** The longest that a client waited for an answer, by what was going on when it asked. */
  readonly longestReadMs: Partial<Record<Phase, number>>;
  readonly longestWriteMs: Partial<Record<Phase, number>>;
}

/** What is being done to a node. */
export type Phase = 'nothing' | 'drain' | 'end' | 'start';

const bodyBytes = 2_000;
/** Objects of a client, so that all nodes own some of each one's. */
const keysEach = 16;

/** Clients that write and read without a pause and try nothing twice. Each has keys of its own, so that it knows what is there. */
export class SteadyClients {
  readonly report: ClientReport = {
    reads: 0,
    writes: 0,
    failures: [],
    longestReadMs: {},
    longestWriteMs: {},
  };
  phase: Phase = 'nothing';
  private readonly balancer: Balancer;
  private readonly bucket: string;
  private readonly root: Keys;
  private readonly sides = new Map<NodeProcess, S3Side>();
  private readonly running: Promise<void>[] = [];
  private isOver = false;

  constructor(balancer: Balancer, bucket: string, root: Keys) {
    this.balancer = balancer;
    this.bucket = bucket;
    this.root = root;
  }

  /** Resolves when the bucket is there. */
  async prepare(): Promise<void> {
    const { status, body } = await this.send({ method: 'PUT', path: `/${this.bucket}` });
    if (status !== 200) throw new Error(`no bucket was made: ${status} ${body}`);
  }

  begin(clients: number): void {
    for (let client = 0; client < clients; client++) this.running.push(this.run(client));
  }

  async end(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.running);
    for (const side of this.sides.values()) side.close();
  }

  private async run(client: number): Promise<void> {
    for (let round = 0; !this.isOver; round++) {
      const path = `/${this.bucket}/client-${client}-key-${round % keysEach}`;
      const body = `${client} ${round} `.padEnd(bodyBytes, '.');
      if (await this.write(path, body)) await this.read(path, body);
      if (round >= keysEach) await this.write(path, undefined);
    }
  }

  /** True if it was done. */
  private async write(path: string, body: string | undefined): Promise<boolean> {
    const method = body === undefined ? 'DELETE' : 'PUT';
    const answer = await this.tried({ method, path, body }, this.report.longestWriteMs);
    this.report.writes++;
    return this.expect(answer, method, path, body === undefined ? 204 : 200);
  }

  private async read(path: string, body: string): Promise<void> {
    const answer = await this.tried({ method: 'GET', path }, this.report.longestReadMs);
    this.report.reads++;
    const isThere = this.expect(answer, 'GET', path, 200);
    if (isThere && typeof answer !== 'string' && answer.body.toString() !== body)
      this.report.failures.push(`GET ${path}: not what was written before`);
  }

  private expect(answer: Answer | string, method: string, path: string, status: number): boolean {
    if (typeof answer !== 'string' && answer.status === status) return true;
    const what = typeof answer === 'string' ? answer : `${answer.status} ${answer.body}`;
    this.report.failures.push(`${method} ${path}: ${what}`);
    return false;
  }

  private async tried(
    request: PlainRequest,
    longestMs: Partial<Record<Phase, number>>,
  ): Promise<Answer | string> {
    const { phase } = this;
    const startMs = performance.now();
    try {
      return await this.send(request);
    } catch (error) {
      return (error as Error).message;
    } finally {
      longestMs[phase] = Math.round(Math.max(longestMs[phase] ?? 0, performance.now() - startMs));
    }
  }

  private send(request: PlainRequest): Promise<Answer> {
    return this.balancer.send((node) => this.sideOf(node).send(request));
  }

  private sideOf(node: NodeProcess): S3Side {
    const known = this.sides.get(node);
    if (known) return known;
    const side = new S3Side({ port: node.place.s3Port, ...this.root });
    this.sides.set(node, side);
    return side;
  }
}
