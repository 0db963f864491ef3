import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProcess } from '../cluster/node-process.ts';

/** Looks at each node's `/readyz` again and again, as a load balancer does, and gives requests to those alone that say that they are ready. */
export class Balancer {
  private readonly nodes: readonly NodeProcess[];
  private readonly everyMs: number;
  private ready: readonly NodeProcess[] = [];
  private readonly underWay = new Map<NodeProcess, number>();
  private turn = 0;
  private isOver = false;
  private looking: Promise<unknown> | undefined;

  constructor(nodes: readonly NodeProcess[], everyMs: number) {
    this.nodes = nodes;
    this.everyMs = everyMs;
  }

  /** Resolves when it has looked once. */
  async begin(): Promise<void> {
    await this.look();
    this.looking = this.lookAgainAndAgain();
  }

  async end(): Promise<void> {
    this.isOver = true;
    await this.looking;
  }

  /** Runs a request at the next node in turn. Rejects if none is ready. */
  async send<T>(request: (node: NodeProcess) => Promise<T>): Promise<T> {
    const node = this.ready[this.turn++ % this.ready.length];
    if (!node) throw new Error('no node is ready');
    this.underWay.set(node, this.of(node) + 1);
    try {
      return await request(node);
    } finally {
      this.underWay.set(node, this.of(node) - 1);
    }
  }

  /** Resolves when a node is given no requests, and has none left. */
  async untilIdle(node: NodeProcess): Promise<void> {
    while (this.ready.includes(node) || this.of(node) > 0) await sleep(10);
  }

  async untilUsed(node: NodeProcess): Promise<void> {
    while (!this.ready.includes(node)) await sleep(10);
  }

  private of(node: NodeProcess): number {
    return this.underWay.get(node) ?? 0;
  }

  private async lookAgainAndAgain(): Promise<void> {
    while (!this.isOver) {
      await sleep(this.everyMs);
      await this.look();
    }
  }

  private async look(): Promise<void> {
    const looks = await Promise.all(this.nodes.map((node) => isReady(node)));
    this.ready = this.nodes.filter((_, place) => looks[place]);
  }
}

async function isReady({ adminUrl }: NodeProcess): Promise<boolean> {
  try {
    const answer = await fetch(`${adminUrl}/readyz`);
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}
