import type { Freshness } from './freshness.ts';

export type Priority = 'low' | 'normal' | 'high';

/** Whether what is read is kept: always, from the second time on that it is read, or never. */
export type CacheRule = 'always' | 'second-read' | 'never';

/** A share of the cache, of all nodes together. What counts for one counts for those around it too. */
export interface Quota {
  /** `BUCKET/PREFIX/` that it was set for: one name, one quota. */
  readonly name: string;
  readonly bytes: number;
  readonly outer: Quota | undefined;
}

/** What holds for the pages of a prefix, put together of all that was set for it and around it. Immutable. */
export interface PolicyInForce {
  /** A page that was filled longer ago is absent; undefined: no page ever is for its age. */
  readonly ttlMs: number | undefined;
  readonly isPinned: boolean;
  readonly priority: Priority;
  /** The innermost. */
  readonly quota: Quota | undefined;
  /** Undefined: as the mount says. */
  readonly freshness: Freshness | undefined;
  /** Without regard to keys and sizes: those may say `never` where this says something else. */
  readonly cache: CacheRule;
  /** Whether pages of an object are kept. Without a size: as far as can be told without it. */
  keeps(path: string, sizeBytes?: number): CacheRule;
}

/** What is in force at this moment, by the names that pages have. Looking takes no memory: it is done for each request. */
export interface Policies {
  /** Undefined where nothing was set. */
  of(incarnation: string, path: string): PolicyInForce | undefined;
  /** True while nothing is set anywhere. */
  readonly isEmpty: boolean;
  /** Which part of each quota is this node's, from 0 to 1. */
  readonly quotaPart: number;
  /** Calls `listener` after each change, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

export const noPolicies: Policies = Object.freeze({
  of: () => undefined,
  isEmpty: true,
  quotaPart: 1,
  onChange: () => () => {},
});

/**
 * Pages that were filled before this second of Unix time are absent at `nowMs`: what is older than the policy allows is never used, and what is
 * up to a second younger may not be either. Undefined where age does not matter.
 */
export function notBeforeSeconds(policy: PolicyInForce | undefined, nowMs: number): number | undefined {
  return policy?.ttlMs === undefined ? undefined : Math.floor((nowMs - policy.ttlMs) / 1000) + 1;
}
