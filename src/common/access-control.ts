/** The value types of who may do what: grants of bucket and object, and what a bucket's owner has set. Plain data, kept as it is. */

export const permissions = ['FULL_CONTROL', 'READ', 'WRITE', 'READ_ACP', 'WRITE_ACP'] as const;
export type Permission = (typeof permissions)[number];

/** A user by name, which is its canonical id, or everybody of a group. */
export type Grantee = { readonly user: string } | { readonly group: GroupName };
export type GroupName = 'AllUsers' | 'AuthenticatedUsers' | 'LogDelivery';

export interface Grant {
  readonly grantee: Grantee;
  readonly permission: Permission;
}

/** Who an object belongs to and whom else it is open to. */
export interface ObjectAccess {
  /** Absent: the bucket's owner. */
  readonly owner?: string;
  /** Absent: the owner alone, who has full control. */
  readonly grants?: readonly Grant[];
}

export const objectOwnerships = ['BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter'] as const;
export type ObjectOwnership = (typeof objectOwnerships)[number];

export interface CorsRule {
  readonly id?: string;
  readonly allowedMethods: readonly string[];
  /** Each with one `*` at most. */
  readonly allowedOrigins: readonly string[];
  /** Each with one `*` at most. */
  readonly allowedHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds?: number;
}

/**
 * What was set of a bucket. Once something was, the bucket has such a record for ever, empty or not: where there is none, every object
 * belongs to the bucket's owner.
 */
export interface BucketAccess {
  /** Absent: the owner alone, who has full control. */
  readonly grants?: readonly Grant[];
  /** Absent: as `ObjectWriter`. */
  readonly ownership?: ObjectOwnership;
  /** The policy's JSON as it was put. */
  readonly policy?: string;
  readonly cors?: readonly CorsRule[];
}
