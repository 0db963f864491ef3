import { AccessControl, mayOutright } from '../auth/access.ts';
import type { Authenticated } from '../auth/authenticate.ts';
import type { ObjectGate } from '../auth/object-gate.ts';
import { type RequestToJudge, valuesOf } from '../auth/request-facts.ts';
import type { Clock } from '../common/clock.ts';
import type { Tag } from '../common/object-meta.ts';
import { asksForAcl } from '../s3api/acl-headers.ts';
import type { S3Request } from '../s3api/call.ts';
import { S3Error } from '../s3api/errors.ts';
import type { ConditionKey } from '../s3api/policy/policy.ts';
import type { BucketLookup } from './namespace.ts';

/** Who stands at the door: a request and who sent it. */
export interface Visitor {
  readonly request: S3Request;
  readonly authenticated: Authenticated;
  readonly remoteAddress: () => string | undefined;
}

/** What is to be done, and to what. */
export interface Errand {
  /** IAM's name, such as `s3:GetObject`. */
  readonly action: string;
  readonly bucket: string | undefined;
  readonly key?: string;
  readonly ownerHeader: ExpectedOwnerHeader;
  /** Tags of the object that is there, where they are asked for. */
  readonly tags?: readonly Tag[];
}

/** The header that says whose a bucket must be. */
export type ExpectedOwnerHeader = 'x-amz-expected-bucket-owner' | 'x-amz-source-expected-bucket-owner';

/** Asks for every request whether it may do what it wants, of the buckets as they are now. */
export class Doorkeeper {
  readonly #clock: Clock;
  readonly #buckets: BucketLookup;
  readonly #isSecure: boolean;
  readonly #rules = new AccessControl();

  constructor(clock: Clock, buckets: BucketLookup, isSecure: boolean) {
    this.#clock = clock;
    this.#buckets = buckets;
    this.#isSecure = isSecure;
  }

  /** Returns where the action is allowed, as `AccessControl.authorise` does. AccessDenied, NoSuchBucket. */
  admit(visitor: Visitor, errand: Errand): ObjectGate | undefined {
    const { action, bucket: bucketName, key, ownerHeader, tags } = errand;
    const bucket = bucketName === undefined ? undefined : this.#buckets.get(bucketName);
    const expected = visitor.request.headers[ownerHeader];
    if (expected !== undefined && bucket !== undefined && bucket.owner !== expected) {
      throw new S3Error('AccessDenied');
    }
    const { identity } = visitor.authenticated;
    if (mayOutright(identity, bucket)) return undefined;
    const values = this.#valuesOf(visitor, tags);
    const question = { identity, action, bucket, key, values };
    const gate = this.#rules.authorise(question, bucketName);
    if (action === 's3:PutObject' && asksForAcl(visitor.request.headers)) {
      this.#rules.refuseDenied({ ...question, action: 's3:PutObjectAcl' });
    }
    return gate;
  }

  /** Whether `admit` is to be told the tags of an object. */
  asksForTags(bucketName: string): boolean {
    const bucket = this.#buckets.get(bucketName);
    return bucket?.access?.policy !== undefined && this.#rules.asksForTags(bucket);
  }

  /** What is told of the request is put together when a policy's condition first asks. */
  #valuesOf(visitor: Visitor, objectTags: readonly Tag[] | undefined) {
    const { request, authenticated } = visitor;
    let judged: RequestToJudge | undefined;
    return (key: ConditionKey) => {
      judged ??= {
        identity: authenticated.identity,
        form: authenticated.form,
        headers: request.headers,
        query: request.query,
        remoteAddress: visitor.remoteAddress(),
        isSecure: this.#isSecure,
        nowMs: this.#clock.nowMs(),
        objectTags,
      };
      return valuesOf(judged, key);
    };
  }
}
