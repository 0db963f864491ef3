import type { Authenticated } from '../auth/authenticate.ts';
import { objectPermissions } from '../auth/grants.ts';
import { JudgedVersionGate } from '../auth/judged-version-gate.ts';
import type { OperationGate } from '../auth/object-gate.ts';
import type { ObjectAccess } from '../common/access-control.ts';
import type { ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
import type { Call, Route, S3Request } from '../s3api/call.ts';
import { S3Error } from '../s3api/errors.ts';
import type { BucketName, ObjectKey, VersionRef } from '../s3api/names.ts';
import { accessOfNewObject } from '../s3api/new-object-access.ts';
import { bucketOf, versionIdOf } from '../s3api/request.ts';
import type { Identity, ObjectService } from '../s3api/service.ts';
import { actionFor } from '../s3api/versioned-actions.ts';
import { remoteAddressOf, tlsVersionOf } from './carried-request.ts';
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
  gate: OperationGate | undefined = undefined;
  /** Set by `check`. */
  operation: string | undefined = undefined;
  /** Those that the policy was asked with. */
  #judgedTags: readonly Tag[] | undefined = undefined;
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

  tlsVersion(): string | undefined {
    return tlsVersionOf(this.#body.request);
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
      const versionId = versionIdOf(this.request);
      return this.#gateFor(errand, { bucket, key, versionId }).then(
        (gate) => {
          this.gate = gate;
        },
        (refusal: unknown) => this.#admitInitiator(errand, refusal),
      );
    }
    try {
      this.gate = this.#doorkeeper.admit(this, errand);
    } catch (refusal) {
      if (!ofInitiators.has(errand.action) || !this.#reachesStorage) throw refusal;
      return this.#admitInitiator(errand, refusal);
    }
    return undefined;
  }

  /**
   * Who began an upload may look at its parts and end it, unless a policy denies it (S3 User Guide, "Multipart upload API and
   * permissions"). Rejects with `refusal` for everybody else.
   */
  async #admitInitiator(errand: Errand, refusal: unknown): Promise<void> {
    const { bucket, key, query } = this.request;
    const { policy, userName } = this.caller;
    const uploadId = query.get('uploadId');
    const isTold = refusal instanceof S3Error && refusal.code === 'AccessDenied' && policy !== 'anonymous';
    if (!isTold || !ofInitiators.has(errand.action) || !bucket || !key || !uploadId) throw refusal;
    const { upload } = await this.service.listParts({ bucket, key }, { uploadId, limit: 1 }).catch(() => {
      // Whether there is such an upload is not for everybody to know.
      throw refusal;
    });
    if (upload.initiator !== userName) throw refusal;
    const tags = (await this.#tagsOf({ bucket, key }))?.tags;
    this.gate = this.#doorkeeper.admit(this, { ...errand, tags, isInitiator: true });
  }

  /** Whether the caller may read the tags of the object that is read, and so know how many there are. */
  mayReadTags(): boolean {
    const { bucket, key, query } = this.request;
    const action = actionFor('s3:GetObjectTagging', this.request);
    const versionId = query.size > 0 ? query.get('versionId') : undefined;
    const ownerHeader = 'x-amz-expected-bucket-owner';
    const tags = this.#judgedTags;
    return this.#doorkeeper.admits(this, { action, bucket, key, ownerHeader, versionId, tags });
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
    const errand = { action, bucket, key, ownerHeader, versionId, newTags } as const;
    const gate = await this.#gateFor(errand, key === undefined ? undefined : { bucket, key, versionId });
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

  /** Whom each version is to be shown to yet. `ref`: whose tags may be asked for. */
  async #gateFor(errand: Errand, ref: VersionRef | undefined): Promise<OperationGate | undefined> {
    const judged = ref && (await this.#tagsOf(ref));
    this.#judgedTags = judged?.tags;
    const gate = this.#doorkeeper.admit(this, { ...errand, tags: judged?.tags });
    // What changes an object does so whatever is in its place by then.
    return judged && objectPermissions.has(errand.action)
      ? new JudgedVersionGate(gate, judged.generation)
      : gate;
  }

  /** Undefined where no policy asks for them, or none are kept; empty where there is no such object. */
  async #tagsOf(ref: VersionRef): Promise<JudgedTags | undefined> {
    if (!this.#doorkeeper.asksForTags(ref.bucket)) return undefined;
    try {
      for (let attempt = 1; attempt <= attempts; attempt++) {
        const generation = await this.#generationOf(ref);
        const { tags } = await this.service.getTags(ref, { signal: this.signal });
        if (generation === (await this.#generationOf(ref))) return { tags, generation };
      }
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      if (error.code === 'NotImplemented') return undefined;
      if (noObject.has(error.code)) return {};
      throw error;
    }
    throw new S3Error('SlowDown');
  }

  async #generationOf({ bucket, key, versionId }: VersionRef): Promise<string> {
    const asked = { signal: this.signal, revalidate: true, versionId };
    return (await this.service.headObject({ bucket, key }, asked)).meta.generation;
  }
}

/** What the initiator of an upload may do with it. */
const ofInitiators: ReadonlySet<string> = new Set(['s3:AbortMultipartUpload', 's3:ListMultipartUploadParts']);

/** The tags of one version; neither where there is none. */
interface JudgedTags {
  readonly tags?: readonly Tag[];
  readonly generation?: string;
}

/** An object that is replaced while its tags are asked for is asked again. */
const attempts = 4;

/** What says that there is no object to have tags. */
const noObject: ReadonlySet<string> = new Set([
  'InvalidArgument',
  'NoSuchKey',
  'NoSuchVersion',
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
  if (message !== undefined || action === undefined) {
    throw new S3Error('AccessDenied', { message, refusal: { rule: 'anonymous-owns-nothing', action } });
  }
}

function admitAll(): void {
  // Nothing is left to be asked.
}
