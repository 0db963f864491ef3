import type { ObjectAccess, Permission } from '../common/access-control.ts';
import { S3Error } from '../s3api/errors.ts';
import type { Identity, ReadGate } from '../s3api/service.ts';
import type { GuardedBucket } from './access.ts';
import { isGranted } from './grants.ts';

/** Tells whether anything was decided. */
export interface OperationGate extends ReadGate {
  /** Whether anything was shown to it. */
  readonly wasAsked: boolean;
}

/**
 * What is left to be decided when an object is known: it may belong to another than its bucket does, and have an ACL of its own. Every
 * version that an answer tells of is shown to it first, from the cache or not.
 */
export class ObjectGate implements OperationGate {
  readonly #identity: Identity;
  readonly #bucket: GuardedBucket;
  readonly #permission: Permission;
  readonly #policyAllows: boolean;
  readonly #mayList: () => boolean;
  #asked = false;

  /** `policyAllows`: the bucket's policy allows it. `mayList`: whether the caller may know which keys there are. */
  constructor(
    identity: Identity,
    bucket: GuardedBucket,
    permission: Permission,
    policyAllows: boolean,
    mayList: () => boolean,
  ) {
    this.#identity = identity;
    this.#bucket = bucket;
    this.#permission = permission;
    this.#policyAllows = policyAllows;
    this.#mayList = mayList;
  }

  get wasAsked(): boolean {
    return this.#asked;
  }

  admit({ access }: { readonly access?: ObjectAccess }): void {
    this.#asked = true;
    if (!this.#isOpen(access)) throw new S3Error('AccessDenied');
  }

  admitWithoutAcl(): void {
    this.admit({});
  }

  absent(error: S3Error): S3Error {
    this.#asked = true;
    return this.#mayList() ? error : new S3Error('AccessDenied');
  }

  #isOpen(access: ObjectAccess | undefined): boolean {
    const { owner: bucketOwner, access: settings } = this.#bucket;
    const enforced = settings?.ownership === 'BucketOwnerEnforced';
    const owner = enforced ? bucketOwner : (access?.owner ?? bucketOwner);
    const { policy, userName } = this.#identity;
    if (policy !== 'anonymous' && userName === owner) return true;
    // A bucket's policy is its owner's, who has no say over what belongs to others.
    if (this.#policyAllows && owner === bucketOwner) return true;
    return !enforced && isGranted(access?.grants, this.#identity, this.#permission);
  }
}
