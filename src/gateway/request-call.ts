import type { Authenticated } from '../auth/authenticate.ts';
import type { ObjectGate } from '../auth/object-gate.ts';
import type { ObjectAccess } from '../common/access-control.ts';
import type { ObjectMeta, UploadBody } from '../common/object-meta.ts';
import type { Call, Route, S3Request } from '../s3api/call.ts';
import { S3Error } from '../s3api/errors.ts';
import type { BucketName, ObjectKey } from '../s3api/names.ts';
import { accessOfNewObject } from '../s3api/new-object-access.ts';
import { bucketOf } from '../s3api/request.ts';
import type { Identity, ObjectService } from '../s3api/service.ts';
import { actionFor } from '../s3api/versioned-actions.ts';
import { remoteAddressOf } from './carried-request.ts';
import type { Doorkeeper, Visitor } from './doorkeeper.ts';
import type { IncomingBody } from './incoming-body.ts';
import type { BucketLookup } from './namespace.ts';

export interface RequestCallSettings {
  readonly region: string;
  /** What `x-amz-checksum-*` headers of this request are about. */
  readonly checksumsOf: 'body' | 'object';
  readonly isUser: (name: string) => boolean;
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
  readonly #doorkeeper: Doorkeeper;
  readonly #buckets: BucketLookup;
  readonly #body: IncomingBody;
  readonly #checksumsOf: 'body' | 'object';

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

  /** Throws unless the request may do what its route says; leaves in `gate` what is to be asked yet. */
  check({ action, asksEachKey }: Route): void {
    const { bucket, key } = this.request;
    if (action === undefined) {
      if (this.caller.policy === 'anonymous') throw new S3Error('AccessDenied');
      return;
    }
    // Whom a policy lets do something to some keys can be told for each of them only.
    if (asksEachKey && bucket !== undefined && this.#buckets.get(bucket)?.access?.policy !== undefined)
      return;
    const wanted = actionFor(action, this.request);
    this.gate = this.#doorkeeper.admit(this, wanted, bucket, key, 'x-amz-expected-bucket-owner');
  }

  async authorise(
    action: string,
    bucket: BucketName,
    key?: ObjectKey,
    versionId?: string,
  ): Promise<(meta: ObjectMeta) => void> {
    const isOwn = bucket === this.request.bucket && !action.startsWith('s3:Get');
    const header = isOwn ? 'x-amz-expected-bucket-owner' : 'x-amz-source-expected-bucket-owner';
    const gate = this.#doorkeeper.admit(this, action, bucket, key, header);
    if (gate === undefined) return admitAll;
    // Whether there is one at all is told here to those only who may know.
    const asked = { gate, versionId, signal: this.signal };
    if (key !== undefined) await this.service.headObject({ bucket, key }, asked);
    return (meta) => gate.admit(meta);
  }
}

function admitAll(): void {
  // Nothing is left to be asked.
}
