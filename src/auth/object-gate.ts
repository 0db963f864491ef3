import type { ObjectAccess, Permission } from '../common/access-control.ts';
import { assert } from '../common/assert.ts';
import { S3Error } from '../s3api/errors.ts';
import type { Identity, ReadGate } from '../s3api/service.ts';
import type { GuardedBucket } from './access.ts';
import { isGranted, objectPermissions } from './grants.ts';

/** The rule that decides on an object, by name. */
export type ObjectRule =
  | 'object-owner-may'
  | 'policy-allows-object'
  | 'object-acl-allows'
  | 'object-of-another'
  | 'may-not-know-of-keys';

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
  readonly #action: string;
  readonly #permission: Permission;
  readonly #policyAllows: boolean;
  readonly #mayList: () => boolean;
  #asked = false;

  /** `policyAllows`: the bucket's policy allows it. `mayList`: whether the caller may know which keys there are. */
  constructor(
    identity: Identity,
    bucket: GuardedBucket,
    action: string,
    policyAllows: boolean,
    mayList: () => boolean,
  ) {
    this.#identity = identity;
    this.#bucket = bucket;
    const permission = objectPermissions.get(action);
    assert(permission !== undefined, 'a gate is for actions that an ACL can allow');
    this.#action = action;
    this.#permission = permission;
    this.#policyAllows = policyAllows;
    this.#mayList = mayList;
  }

  get wasAsked(): boolean {
    return this.#asked;
  }

  admit({ access }: { readonly access?: ObjectAccess }): void {
    this.#asked = true;
    const rule = this.ruleOn(access);
    if (rule === 'object-of-another') throw this.#refusal(rule);
  }

  admitWithoutAcl(): void {
    this.admit({});
  }

  absent(error: S3Error): S3Error {
    this.#asked = true;
    return this.#mayList() ? error : this.#refusal('may-not-know-of-keys');
  }

  /** By which rule a version with this ACL is open to the caller, or closed: `object-of-another`. */
  ruleOn(access: ObjectAccess | undefined): ObjectRule {
    const { owner: bucketOwner, access: settings } = this.#bucket;
    const enforced = settings?.ownership === 'BucketOwnerEnforced';
    const owner = enforced ? bucketOwner : (access?.owner ?? bucketOwner);
    const { policy, userName } = this.#identity;
    if (policy !== 'anonymous' && userName === owner) return 'object-owner-may';
    // A bucket's policy is its owner's, who has no say over what belongs to others.
    if (this.#policyAllows && owner === bucketOwner) return 'policy-allows-object';
    const isOpen = !enforced && isGranted(access?.grants, this.#identity, this.#permission);
    return isOpen ? 'object-acl-allows' : 'object-of-another';
  }
  #refusal(rule: ObjectRule): S3Error {
    return new S3Error('AccessDenied', { refusal: { rule, action: this.#action } });
  }
}
