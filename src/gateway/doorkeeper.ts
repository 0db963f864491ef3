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
  /** S3's name of what is asked for; undefined until that is known. */
  readonly operation: string | undefined;
  readonly remoteAddress: () => string | undefined;
  /** Such as `1.3`; undefined without TLS. */
  readonly tlsVersion: () => string | undefined;
}

/** What is to be done, and to what. */
export interface Errand {
  /** IAM's name, such as `s3:GetObject`. */
  readonly action: string;
  readonly bucket: string | undefined;
  readonly key?: string;
  readonly ownerHeader: ExpectedOwnerHeader;
  readonly versionId?: string;
  /** It is on an unfinished upload that the visitor began. */
  readonly isInitiator?: boolean;
  /** Tags of the object that is there, where they are asked for. */
  readonly tags?: readonly Tag[];
  /** Tags that the request's body gives the object. */
  readonly newTags?: readonly Tag[];
}

/** The header that says whose a bucket must be. */
export type ExpectedOwnerHeader = 'x-amz-expected-bucket-owner' | 'x-amz-source-expected-bucket-owner';

export interface DoorkeeperSettings {
  readonly region: string;
  readonly scheme: 'http' | 'https';
}

/** Asks for every request whether it may do what it wants, of the buckets as they are now. */
export class Doorkeeper {
  readonly #clock: Clock;
  readonly #buckets: BucketLookup;
  readonly #settings: DoorkeeperSettings;
  readonly #rules = new AccessControl();

  constructor(clock: Clock, buckets: BucketLookup, settings: DoorkeeperSettings) {
    this.#clock = clock;
    this.#buckets = buckets;
    this.#settings = settings;
  }

  /** Returns where the action is allowed, as `AccessControl.authorise` does. AccessDenied, NoSuchBucket. */
  admit(visitor: Visitor, errand: Errand): ObjectGate | undefined {
    const { action, bucket: bucketName, key, isInitiator, ownerHeader } = errand;
    const bucket = bucketName === undefined ? undefined : this.#buckets.get(bucketName);
    refuseOthers(visitor, ownerHeader, bucket);
    const { identity } = visitor.authenticated;
    if (mayOutright(identity, bucket)) return undefined;
    const values = this.#valuesOf(visitor, errand, bucket?.owner);
    const question = { identity, action, bucket, key, isInitiator, values };
    const gate = this.#rules.authorise(question, bucketName);
    if (action === 's3:PutObject' && asksForAcl(visitor.request.headers)) {
      this.#rules.refuseDenied({ ...question, action: 's3:PutObjectAcl' });
    }
    return gate;
  }

  /** Whether `admit` would let the visitor do it outright. */
  admits(visitor: Visitor, errand: Errand): boolean {
    try {
      return this.admit(visitor, errand) === undefined;
    } catch (error) {
      if (error instanceof S3Error) return false;
      throw error;
    }
  }

  /** AccessDenied where the bucket is not whose the request says. For what asks about each key for itself. */
  checkOwner(visitor: Visitor, bucketName: string): void {
    refuseOthers(visitor, 'x-amz-expected-bucket-owner', this.#buckets.get(bucketName));
  }

  /** Whether `admit` is to be told the tags of an object. */
  asksForTags(bucketName: string): boolean {
    const bucket = this.#buckets.get(bucketName);
    return bucket?.access?.policy !== undefined && this.#rules.asksForTags(bucket);
  }

  /** Whether `admit` is to be told the tags that a request's body holds. */
  asksForNewTags(bucketName: string): boolean {
    const bucket = this.#buckets.get(bucketName);
    return bucket?.access?.policy !== undefined && this.#rules.asksForNewTags(bucket);
  }

  /** What is told of the request is put together when a policy's condition first asks. */
  #valuesOf(visitor: Visitor, errand: Errand, bucketOwner: string | undefined) {
    const { request, authenticated, operation } = visitor;
    const { action, versionId, tags: objectTags, newTags } = errand;
    let judged: RequestToJudge | undefined;
    return (key: ConditionKey) => {
      judged ??= {
        identity: authenticated.identity,
        form: authenticated.form,
        headers: request.headers,
        query: request.query,
        remoteAddress: visitor.remoteAddress(),
        tlsVersion: visitor.tlsVersion(),
        isSecure: this.#settings.scheme === 'https',
        nowMs: this.#clock.nowMs(),
        region: this.#settings.region,
        operation,
        action,
        bucketOwner,
        versionId,
        signedAt: authenticated.chunkSigning?.amzDate,
        newTags,
        objectTags,
      };
      return valuesOf(judged, key);
    };
  }
}

/** AccessDenied. */
function refuseOthers(
  { request }: Visitor,
  header: ExpectedOwnerHeader,
  bucket: { readonly owner: string } | undefined,
): void {
  const expected = request.headers[header];
  if (expected !== undefined && bucket !== undefined && bucket.owner !== expected) {
    throw new S3Error('AccessDenied', { refusal: { rule: 'expected-bucket-owner' } });
  }
}
