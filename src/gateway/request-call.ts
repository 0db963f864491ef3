import { authorise } from '../auth/access.ts';
import type { UploadBody } from '../common/object-meta.ts';
import type { Call, S3Request } from '../s3api/call.ts';
import type { S3Error } from '../s3api/errors.ts';
import type { BucketName, ObjectKey } from '../s3api/names.ts';
import type { Identity, ObjectService } from '../s3api/service.ts';
import type { IncomingBody } from './incoming-body.ts';
import type { BucketLookup } from './namespace.ts';

/** A request as its operation sees it. */
export class RequestCall implements Call {
  readonly request: S3Request;
  readonly caller: Identity;
  readonly service: ObjectService;
  readonly region: string;
  readonly noteFault: (error: S3Error) => void;
  readonly #buckets: BucketLookup;
  readonly #body: IncomingBody;
  /** What `x-amz-checksum-*` headers of this request are about. */
  readonly #checksumsOf: 'body' | 'object';

  constructor(
    request: S3Request,
    caller: Identity,
    service: ObjectService,
    buckets: BucketLookup,
    body: IncomingBody,
    settings: {
      readonly region: string;
      readonly checksumsOf: 'body' | 'object';
      readonly noteFault: (error: S3Error) => void;
    },
  ) {
    this.request = request;
    this.caller = caller;
    this.service = service;
    this.region = settings.region;
    this.noteFault = settings.noteFault;
    this.#checksumsOf = settings.checksumsOf;
    this.#buckets = buckets;
    this.#body = body;
  }

  get signal(): AbortSignal {
    return this.#body.signal;
  }

  upload(): UploadBody {
    return this.#body.upload();
  }

  text(limitBytes: number): Promise<string> {
    return this.#body.text(limitBytes, this.#checksumsOf);
  }

  async authorise(action: string, bucket: BucketName, _key?: ObjectKey): Promise<void> {
    this.check(action, bucket);
  }

  /** As `authorise`, at once: throws. */
  check(action: string, bucket: BucketName | undefined): void {
    authorise(this.caller, action, bucket, this.#buckets);
  }
}
