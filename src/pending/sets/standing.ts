import type { PeerAddress } from '../../peers/peer-pool.ts';

export interface StandingMember extends PeerAddress {
  readonly incarnation: string;
  readonly state: 'joined' | 'draining' | 'suspect';
}

/** What a node is among the others, at the moment of asking: no answer may be kept. */
export interface Standing {
  readonly workerId: string;
  readonly incarnation: string;
  /** Whether it has joined or drains by the applied view, and its view lease is valid. */
  isActive(): boolean;
  /** Of the applied view, in order of workerId. */
  members(): readonly StandingMember[];
  /** Of the applied view, as a number that grows from view to view. */
  epoch(): number;
  /** Whether this node owns the object, everybody who owned it before has released it, and its view lease is valid. */
  mayUse(objectHash: number): boolean;
  /** As `Ownership.ownedSince` and `Ownership.gains`. */
  ownedSince(objectHash: number): number | undefined;
  gains(): { readonly views: number; readonly areSettled: boolean };
  /** How long after a view is applied here somebody may act on the one before, ms. */
  readonly outlastMs: number;
  /** Calls back when a view was applied. Returns what ends that. */
  onView(listener: () => void): () => void;
}
