import { performance } from 'node:perf_hooks';
import type { WorldNode } from '../world/world-node.ts';
import type { Client } from './client.ts';

/** Where clients come in: a node, or the storage itself, behind the nodes' back. */
export interface Door {
  readonly name: string;
  readonly client: Client;
  /** Undefined for the storage. */
  readonly node?: WorldNode;
  /** Whether the machine stood still since then, or shortly before, so that nobody had to answer. `ms`: of `performance.now`. */
  wasStill(ms: number): boolean;
  /** What stands before a key in a target. */
  readonly base: string;
}

export function isWell({ node }: Door): boolean {
  return node?.isWell ?? true;
}

/** Says, when it is called later, whether nothing was done to the door all the while. */
export function watchDoor(door: Door): () => boolean {
  const before = door.node?.troublesBegun;
  const wasWell = isWell(door);
  const fromMs = performance.now();
  return () => wasWell && isWell(door) && door.node?.troublesBegun === before && !door.wasStill(fromMs);
}
