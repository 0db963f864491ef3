import { S3Error } from '../s3api/errors.ts';
import type { Identity } from '../s3api/service.ts';

/** What is decided about: the bucket's owner is all that matters as long as there are no ACLs and no bucket policies. */
export interface OwnedBucket {
  readonly owner: string;
}

/** The rule that decided, by name. */
export type AccessRule =
  | 'admin-may-everything'
  | 'anyone-may-list-own-buckets'
  | 'readonly-may-only-read'
  | 'readwrite-may-create-buckets'
  | 'owner-may'
  | 'bucket-of-another'
  | 'no-such-bucket';

export interface Decision {
  readonly effect: 'allow' | 'deny';
  readonly rule: AccessRule;
}

const reads = /^s3:(Get|List|Head)/;

/**
 * Whether `identity` may do `action` (IAM's name, such as `s3:GetObject`) on a bucket; undefined: there is none of that name.
 * Pure. A denial by `no-such-bucket` is to be answered NoSuchBucket, every other AccessDenied: nothing that is created
 * between this decision and the operation is ever open to a caller who was not asked about it.
 */
export function decide(identity: Identity, action: string, bucket: OwnedBucket | undefined): Decision {
  if (identity.policy === 'admin') return { effect: 'allow', rule: 'admin-may-everything' };
  if (action === 's3:ListAllMyBuckets') return { effect: 'allow', rule: 'anyone-may-list-own-buckets' };
  if (identity.policy === 'readonly' && !reads.test(action)) {
    return { effect: 'deny', rule: 'readonly-may-only-read' };
  }
  // Whether the name is taken is for the operation to say.
  if (action === 's3:CreateBucket') return { effect: 'allow', rule: 'readwrite-may-create-buckets' };
  if (!bucket) return { effect: 'deny', rule: 'no-such-bucket' };
  if (bucket.owner === identity.userName) return { effect: 'allow', rule: 'owner-may' };
  return { effect: 'deny', rule: 'bucket-of-another' };
}

/** The buckets there are, by name; answers at once. */
export interface OwnedBuckets {
  get(bucket: string): OwnedBucket | undefined;
}

/**
 * `decide` over the buckets there are now; returns if it allows. Throws AccessDenied, or NoSuchBucket where there is no bucket
 * to be allowed anything on. `bucket` undefined: the action is on none.
 */
export function authorise(
  identity: Identity,
  action: string,
  bucket: string | undefined,
  buckets: OwnedBuckets,
): void {
  const owned = bucket === undefined ? undefined : buckets.get(bucket);
  const { effect, rule } = decide(identity, action, owned);
  if (effect === 'allow') return;
  if (rule === 'no-such-bucket' && bucket !== undefined) {
    throw new S3Error('NoSuchBucket', { extra: { BucketName: bucket } });
  }
  throw new S3Error('AccessDenied');
}
