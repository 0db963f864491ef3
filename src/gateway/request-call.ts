import type { Authenticated } from '../auth/authenticate.ts';
import type { ObjectGate } from '../auth/object-gate.ts';
import type { ObjectAccess } from '../common/access-control.ts';
import type { ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
import type { Call, Route, S3Request } from '../s3api/call.ts';
import { S3Error } from '../s3api/errors.ts';
import type { BucketName, ObjectKey, ObjectRef, VersionRef } from '../s3api/names.ts';
import { accessOfNewObject } from '../s3api/new-object-access.ts';
import { bucketOf, versionIdOf } from '../s3api/request.ts';
import type { Identity, ObjectService } from '../s3api/service.ts';
import { actionFor } from '../s3api/versioned-actions.ts';
import { remoteAddressOf } from './carried-request.ts';
import type { Doorkeeper, Errand, Visitor } from './doorkeeper.ts';
import type { IncomingBody } from './incoming-body.ts';
import type { BucketLookup } from './namespace.ts';

export interface RequestCallSettings {
  readonly region: string;
  /** What `x-amz-checksum-*` headers of this request are about. */
  readonly checksumsOf: 'body' | 'object';
  readonly isUser: (name: string) => boolean;
  /** False where nothing can be asked of storages: another thread answers then. */
  readonly reachesStorage: boolean;
  readonly noteFault: (error: S3Error) => void;
}

/** A request as its operation sees it. */
export class RequestCall implements Call, Visitor {
  readonly request: S3Request;
  readonly authenticated: Authenticated;
  readonly service: ObjectService;
  readonly region: string;
  readonly noteFault: (error: S3Error) => void;
  readonly isUser: (name: string) => boolean;
  /** Set by `check`. */
  gate: ObjectGate | undefined = undefined;
  /** Set by `check`. */
  operation: string | undefined = undefined;
  readonly #doorkeeper: Doorkeeper;
  readonly #buckets: BucketLookup;
  readonly #body: IncomingBody;
  readonly #checksumsOf: 'body' | 'object';
  readonly #reachesStorage: boolean;

  constructor(
    request: S3Request,
    authenticated: Authenticated,
    service: ObjectService,
    doorkeeper: Doorkeeper,
    buckets: BucketLookup,
    body: IncomingBody,
    settings: RequestCallSettings,
  ) {
    this.request = request;
    this.authenticated = authenticated;
    this.service = service;
    this.region = settings.region;
    this.noteFault = settings.noteFault;
    this.isUser = settings.isUser;
    this.#checksumsOf = settings.checksumsOf;
    this.#reachesStorage = settings.reachesStorage;
    this.#doorkeeper = doorkeeper;
    this.#buckets = buckets;
    this.#body = body;
  }

  get caller(): Identity {
    return this.authenticated.identity;
  }

  get signal(): AbortSignal {
    return this.#body.signal;
  }

  remoteAddress(): string | undefined {
    return remoteAddressOf(this.#body.request);
  }

  upload(): UploadBody {
    return this.#body.upload();
  }

  text(limitBytes: number): Promise<string> {
    return this.#body.text(limitBytes, this.#checksumsOf);
  }

  newObjectAccess(): ObjectAccess | undefined {
    const { headers } = this.request;
    const name = bucketOf(this.request);
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new S3Error('NoSuchBucket', { extra: { BucketName: name } });
    return accessOfNewObject(headers, this.caller, bucket, this.isUser);
  }

  /**
   * Throws, or rejects, unless the request may do what its route says; leaves in `gate` what is to be asked yet. Undefined where it is
   * decided at once.
   */
  check({ operation, action, asksOfBody }: Route): Promise<void> | undefined {
    const { bucket, key, query } = this.request;
    this.operation = operation;
    if (this.caller.policy === 'anonymous') refuseAnybody(operation, action);
    if (action === undefined) return undefined;
    if (bucket !== undefined && asksOfBody !== undefined && this.#dependsOnBody(bucket, asksOfBody)) {
      this.#doorkeeper.checkOwner(this, bucket);
      return undefined;
    }
    const errand: Errand = {
      action: actionFor(action, this.request),
      bucket,
      key,
      ownerHeader: 'x-amz-expected-bucket-owner',
      versionId: query.size > 0 ? query.get('versionId') : undefined,
    };
    if (bucket !== undefined && key !== undefined && this.#doorkeeper.asksForTags(bucket)) {
      if (!this.#reachesStorage) throw new S3Error('NotImplemented');
      return this.#checkWithTags(errand, { bucket, key });
    }
    this.gate = this.#doorkeeper.admit(this, errand);
    return undefined;
  }

  async authorise(
    action: string,
    bucket: BucketName,
    key?: ObjectKey,
    versionId?: string,
    newTags?: readonly Tag[],
  ): Promise<(meta: ObjectMeta) => void> {
    const isSource = action.startsWith('s3:Get');
    const ownerHeader = isSource ? 'x-amz-source-expected-bucket-owner' : 'x-amz-expected-bucket-owner';
    const tags = key === undefined ? undefined : await this.#tagsOf({ bucket, key, versionId });
    const errand = { action, bucket, key, ownerHeader, versionId, tags, newTags } as const;
    const gate = this.#doorkeeper.admit(this, errand);
    if (gate === undefined) return admitAll;
    // Whether there is one at all is told here to those only who may know.
    const asked = { gate, versionId, signal: this.signal };
    if (key !== undefined) await this.service.headObject({ bucket, key }, asked);
    return (meta) => gate.admit(meta);
  }

  /** Whom a policy lets do something to some keys, or with some tags, can be told for each of them only. */
  #dependsOnBody(bucket: BucketName, asked: 'keys' | 'tags'): boolean {
    if (asked === 'tags') return this.#doorkeeper.asksForNewTags(bucket);
    return this.#buckets.get(bucket)?.access?.policy !== undefined;
  }

  async #checkWithTags(errand: Errand, ref: ObjectRef): Promise<void> {
    this.gate = this.#doorkeeper.admit(this, {
      ...errand,
      tags: await this.#tagsOf({ ...ref, versionId: versionIdOf(this.request) }),
    });
  }

  /** Undefined where no policy asks for them, or none are kept, or there is no such object. */
  async #tagsOf(ref: VersionRef): Promise<readonly Tag[] | undefined> {
    if (!this.#doorkeeper.asksForTags(ref.bucket)) return undefined;
    try {
      return (await this.service.getTags(ref, { signal: this.signal })).tags;
    } catch (error) {
      if (error instanceof S3Error && noTags.has(error.code)) return undefined;
      throw error;
    }
  }
}

/** What says that there are no tags to be told. */
const noTags: ReadonlySet<string> = new Set([
  'InvalidArgument',
  'NoSuchKey',
  'NoSuchVersion',
  'NotImplemented',
  'MethodNotAllowed',
]);

/** What S3 keeps from everybody who does not sign, whatever policies and ACLs say. */
const notForAnybody: ReadonlyMap<string, string> = new Map([
  ['CopyObject', 'Anonymous users cannot copy objects.  Please authenticate.'],
  ['UploadPartCopy', 'Anonymous users cannot copy objects.  Please authenticate.'],
  ['CreateMultipartUpload', 'Anonymous users cannot initiate multipart uploads.  Please authenticate.'],
]);

/** AccessDenied. */
function refuseAnybody(operation: string, action: string | undefined): void {
  const message = notForAnybody.get(operation);
  if (message !== undefined || action === undefined) throw new S3Error('AccessDenied', { message });
}

function admitAll(): void {
  // Nothing is left to be asked.
}
