import type { Draws } from '../../fuzz/lib/draws.ts';
import type { Door } from '../campaign/door.ts';
import type { World } from '../world/world.ts';
import type { WorldNode } from '../world/world-node.ts';

/** What a fault may use. */
export interface FaultScene {
  readonly world: World;
  readonly draws: Draws;
  /** Nodes take it that a change without an answer comes no later than after so long. */
  readonly settlingMs: number;
  /** Milliseconds; ends early when the campaign does, so that what was done is undone then. */
  wait(ms: number): Promise<void>;
  /** Does something to a node that takes part, and that no other fault holds meanwhile. False if there is none. */
  withNode(work: (node: WorldNode) => Promise<void>): Promise<boolean>;
  doorOf(node: WorldNode): Door;
  /** A PUT through this door whose body comes over so long. */
  slowPut(door: Door, overMs: number): Promise<void>;
  /** What should never be, and does not end the campaign. */
  complain(what: string): void;
  /** A line for the report. */
  tell(what: string): void;
}

/** One kind of thing that goes wrong. */
export interface Fault {
  readonly name: string;
  /** Beside the others. */
  readonly weight: number;
  /** What no two faults hold at once. */
  readonly holds?: 'etcd' | 'joining';
  /**
   * Does it, waits, and undoes it. Resolves with false if there was nothing to do it to. Rejects only if the world cannot be what it was,
   * such as a node that does not start again.
   */
  run(scene: FaultScene): Promise<boolean>;
}

/** A time between the two, in milliseconds. */
export function between(draws: Draws, fromMs: number, toMs: number): number {
  return Math.round(fromMs + draws.next() * (toMs - fromMs));
}
