import type { RunningNode } from '../../conformance/harness.ts';
import { HostileClient } from '../../test/hostile/hostile-client.ts';
import { Draws } from '../lib/draws.ts';
import type { FuzzRun, Violation } from '../lib/fuzzer.ts';
import { slices } from '../lib/mutate.ts';
import { readAnswers } from './answers.ts';
import { drawBytes } from './draw-bytes.ts';
import { exchangeBytes } from './exchange.ts';

/** After so many connections it is looked whether all is as it was. */
const casesBetweenLooks = 50;

/**
 * Spoilt requests on raw connections: each gets a whole answer that is no fault of the server's, or its connection is ended; the node goes on
 * serving, and what no request may touch stays as it was.
 */
export class WireRun implements FuzzRun {
  readonly #node: RunningNode;
  readonly #client: HostileClient;
  readonly #statuses = new Map<number, number>();
  #cases = 0;
  #closed = 0;

  private constructor(node: RunningNode) {
    this.#node = node;
    this.#client = new HostileClient(node);
  }

  static async open(node: RunningNode): Promise<WireRun> {
    const run = new WireRun(node);
    await run.#client.send({ method: 'PUT', target: '/fuzz-wire' });
    await run.#client.send({ method: 'PUT', target: '/fuzz-wire/kept', body: 'kept' });
    return run;
  }

  async tryCase(seed: number): Promise<Violation | undefined> {
    const draws = new Draws(seed);
    const { bytes, finishes } = drawBytes(draws, this.#client);
    const sent = slices(draws, bytes);
    const { received, closed } = await exchangeBytes(this.#node.s3Port, sent, finishes);
    this.#cases++;
    if (closed) this.#closed++;
    const { answers, problem } = readAnswers(received);
    for (const { status } of answers) this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
    const fault = answers.find(({ status }) => status >= 500 && status !== 501);
    const what = fault
      ? `a fault of the server's: ${fault.status} ${fault.body.slice(0, 500)}`
      : (problem ?? (finishes && !closed ? 'the connection hangs' : await this.#look()));
    return what === undefined ? undefined : { what, input: bytes.toString('latin1') };
  }

  summary(): readonly string[] {
    const statuses = [...this.#statuses]
      .sort(([a], [b]) => a - b)
      .map(([status, count]) => `${count} × ${status}`);
    return [`${this.#cases} connections, ${this.#closed} ended by the node; answers: ${statuses.join(', ')}`];
  }

  async close(): Promise<void> {
    await this.#node.stop();
  }

  async #look(): Promise<string | undefined> {
    if (!this.#node.isAlive()) return `the node is dead:\n${await this.#node.logTail()}`;
    if (this.#cases % casesBetweenLooks > 0) return undefined;
    const kept = await this.#client.send({ target: '/fuzz-wire/kept' });
    if (kept.body !== 'kept') return `the object that nobody may change is ${kept.status} ${kept.body}`;
    const list = await this.#client.send({ target: '/fuzz-wire?list-type=2' });
    const keys = [...list.body.matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => match[1]);
    const strange = keys.filter((key) => key !== 'kept' && key !== 'scratch');
    return strange.length > 0 ? `objects that nobody signed for: ${strange.join(', ')}` : undefined;
  }
}
