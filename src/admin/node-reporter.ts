import { AdminError } from './admin-error.ts';

/** What nodes ask each other of themselves, for operators. */
export type ReportKind = 'audit' | 'status' | 'holdings' | 'object' | 'refusal';

/** What a node has to tell, by kind. What it is asked comes from a node of another version, perhaps. */
export type Tellers = Readonly<Partial<Record<ReportKind, (about: never) => Promise<unknown>>>>;

/** Answers what other nodes of the cluster, or this one itself, ask for operators. */
export class NodeReporter {
  readonly #tellers: Tellers;

  constructor(tellers: Tellers) {
    this.#tellers = tellers;
  }

  async tell(kind: string, about: unknown): Promise<unknown> {
    const teller = Object.hasOwn(this.#tellers, kind) ? this.#tellers[kind as ReportKind] : undefined;
    if (!teller) throw new AdminError(404, 'NotFound', `nothing is told of ${kind}`);
    return teller(about as never);
  }
}
