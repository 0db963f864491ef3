import type { Freshness } from '../common/freshness.ts';
import type { CacheRule, Priority } from '../common/policy.ts';

/** What was set for a bucket, or a prefix of one: each field by itself. What is absent is taken from around it. Immutable. */
export interface PolicyFields {
  /** How old a page may grow; 0: as old as it gets, whatever holds around it. */
  readonly ttlMs?: number;
  readonly pin?: boolean;
  readonly priority?: Priority;
  readonly cache?: CacheRule;
  /** Only what one of these patterns matches is kept; none: everything. They are matched with what follows the prefix. */
  readonly include?: readonly string[];
  /** What one of these matches is not kept. */
  readonly exclude?: readonly string[];
  readonly minSizeBytes?: number;
  readonly maxSizeBytes?: number;
  readonly quotaBytes?: number;
  readonly freshness?: Freshness;
}

export interface PolicyRow extends PolicyFields {
  readonly bucket: string;
  /** '' for the whole bucket; otherwise ends with `/`. */
  readonly prefix: string;
}

export const policyFieldNames = [
  'ttlMs',
  'pin',
  'priority',
  'cache',
  'include',
  'exclude',
  'minSizeBytes',
  'maxSizeBytes',
  'quotaBytes',
  'freshness',
] as const satisfies readonly (keyof PolicyFields)[];

export type PolicyFieldName = (typeof policyFieldNames)[number];

/** At most so many of them: each look-up goes through the logarithm of it. */
export const maximumPolicies = 1000;
