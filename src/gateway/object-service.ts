import type { BucketAccess, ObjectAccess } from '../common/access-control.ts';
import type { AtOnce } from '../common/at-once.ts';
import type { ByteRange } from '../common/byte-range.ts';
import { inOrder } from '../common/in-order.ts';
import { nothing } from '../common/nothing.ts';
import type {
  ChecksumAlgorithm,
  ChecksumType,
  NewObject,
  ObjectMeta,
  Tag,
  UploadBody,
} from '../common/object-meta.ts';
import type { S3Error } from '../s3api/errors.ts';
import type { BucketName, ObjectRef, VersionRef } from '../s3api/names.ts';
import type {
  BucketInfo,
  CompleteInput,
  CopiedFrom,
  CopyInput,
  CopyPartInput,
  DeletedObject,
  FoundVersion,
  Identity,
  ListInput,
  ListVersionsInput,
  ObjectService,
  PartPlace,
  PutObjectInput,
  ReadObject,
  ReadOptions,
  Versioning,
  WriteCondition,
} from '../s3api/service.ts';
import type { ObjectChange } from '../ufs/backend.ts';
import { pageParts } from '../ufs/multipart-rules.ts';
import { PlainBody } from '../ufs/plain-body.ts';
import { copyChecksum } from '../ufs/write-rules.ts';
import type { MetadataSource, RangeReader } from '../worker/reader.ts';
import { Amendments, tagsOfVersion } from './amendments.ts';
import type { BucketGate } from './bucket-gate.ts';
import type { Buckets } from './buckets.ts';
import { Deletions } from './deletions.ts';
import { toS3Error } from './error-map.ts';
import { keptAccess, noTags, refuseTags } from './kept-beside.ts';
import { Listings } from './listings.ts';
import type { Namespace, Place } from './namespace.ts';
import { ObjectReads, type ObjectReadsSettings } from './object-reads.ts';
import { ofVersion } from './version-errors.ts';

/** The S3 operations' object service over mounts, the worker's cache and the backends. */
export class GatewayObjectService implements ObjectService {
  readonly #namespace: Namespace;
  readonly #buckets: Buckets;
  readonly #gate: BucketGate;
  readonly #metadata: MetadataSource;
  readonly #amendments: Amendments;
  readonly #deletions: Deletions;
  readonly #listings: Listings;
  readonly #reads: ObjectReads;

  constructor(
    namespace: Namespace,
    buckets: Buckets,
    gate: BucketGate,
    metadata: MetadataSource,
    reader: RangeReader,
    settings: ObjectReadsSettings,
  ) {
    this.#namespace = namespace;
    this.#buckets = buckets;
    this.#gate = gate;
    this.#metadata = metadata;
    this.#amendments = new Amendments(metadata);
    this.#deletions = new Deletions(metadata);
    this.#listings = new Listings(namespace);
    this.#reads = new ObjectReads(namespace, metadata, reader, settings);
  }

  listBuckets(caller: Identity): Promise<readonly BucketInfo[]> {
    return this.#buckets.ownedBy(caller);
  }

  createBucket(caller: Identity, bucket: BucketName, access?: BucketAccess): Promise<void> {
    return this.#buckets.create(caller, bucket, access);
  }

  changeBucketAccess(
    bucket: BucketName,
    change: (present: BucketAccess, bucket: BucketInfo) => BucketAccess,
  ): Promise<void> {
    return this.#buckets.changeAccess(bucket, change);
  }

  getBucket(bucket: BucketName): Promise<BucketInfo> {
    return this.#buckets.info(bucket);
  }

  deleteBucket(bucket: BucketName): Promise<void> {
    return this.#buckets.delete(bucket);
  }

  getVersioning(bucket: BucketName): Promise<Versioning | undefined> {
    return this.#buckets.versioning(bucket);
  }

  setVersioning(bucket: BucketName, versioning: Versioning): Promise<void> {
    return this.#buckets.setVersioning(bucket, versioning);
  }

  headObject(ref: ObjectRef, options?: ReadOptions) {
    return this.#reads.headObject(ref, options);
  }

  getObject<Selection extends { readonly range?: ByteRange }>(
    ref: ObjectRef,
    select: (found: FoundVersion, part?: PartPlace) => Selection,
    options?: ReadOptions,
  ): AtOnce<ReadObject<Selection>> {
    return this.#reads.getObject(ref, select, options);
  }

  async listObjectParts(
    ref: ObjectRef,
    meta: ObjectMeta,
    page: { afterPartNumber: number; limit: number; signal?: AbortSignal },
  ) {
    try {
      const { backend, path } = await this.#namespace.locate(ref.bucket, ref.key);
      if (meta.parts) return pageParts(meta.parts, page);
      if (!backend.listObjectParts) return { parts: [], truncated: false };
      return await backend.listObjectParts(path, meta, page);
    } catch (error) {
      throw toS3Error(error);
    }
  }

  async getTags(ref: VersionRef, { signal }: { signal?: AbortSignal } = {}) {
    try {
      const place = await this.#namespace.locate(ref.bucket, ref.key);
      if (!place.backend.capabilities.tagging || !place.backend.getTags) throw noTags();
      return await tagsOfVersion(place, { versionId: ref.versionId, signal });
    } catch (error) {
      throw ofRef(error, ref);
    }
  }

  async putTags(
    ref: VersionRef,
    tags: readonly Tag[],
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<string | undefined> {
    return this.#amend(
      ref,
      (place) => {
        if (!place.backend.capabilities.tagging || !place.backend.amend) throw noTags();
        return { tags };
      },
      signal,
    );
  }

  putBucketTags(bucket: BucketName, tags: readonly Tag[]): Promise<void> {
    return this.#buckets.putTags(bucket, tags);
  }

  async putObject(ref: ObjectRef, input: PutObjectInput): Promise<ObjectMeta> {
    return this.#change(ref, (place, beforeCommit) => {
      refuseTags(place, input.tags);
      return this.#reads.takingIn(place, input.body, (body) =>
        this.#metadata.write(place, (checkStill) =>
          place.backend.put(place.path, body, {
            ...newObject(input),
            access: keptAccess(place, input.access),
            condition: input.condition,
            versioning: place.versioning,
            signal: input.signal,
            beforeCommit: inOrder(beforeCommit, checkStill),
          }),
        ),
      );
    });
  }

  async deleteObject(
    ref: VersionRef,
    options: { condition?: WriteCondition; signal?: AbortSignal } = {},
  ): Promise<DeletedObject> {
    return this.#change(ref, async (place, beforeCommit) => {
      const { versionId } = ref;
      if (versionId !== undefined)
        return this.#deletions.removeVersion(place, { ...ref, versionId }, options);
      // A marker must not land in a bucket that is gone, and nothing may go for good where versions are kept by now.
      await beforeCommit();
      return this.#deletions.remove(place, options);
    });
  }

  async copyObject(ref: ObjectRef, input: CopyInput): Promise<ObjectMeta & CopiedFrom> {
    return this.#change(ref, (place, beforeCommit) =>
      this.#reads.fromSource(input.source, async (source, meta, sourceVersionId) => {
        await input.checkSource(meta);
        refuseTags(place, input.tags);
        const access = keptAccess(place, input.access);
        const { condition, signal } = input;
        const made = await this.#metadata.write(place, async (checkStill) => {
          const versioning = place.versioning;
          const common = {
            condition,
            access,
            signal,
            beforeCommit: inOrder(beforeCommit, checkStill),
            versioning,
          };
          if (source.backend === place.backend && place.backend.capabilities.serverSideCopy) {
            return place.backend.copy(source.path, place.path, {
              ...common,
              sourceGeneration: meta.generation,
              sourceVersionId: input.source.versionId,
              replace: input.replace,
              tags: input.tags,
              checksumAlgorithm: input.checksumAlgorithm,
            });
          }
          const whole = { start: 0, end: meta.sizeBytes };
          const body = this.#bodyOf(source, meta, whole, input.signal);
          body.need(copyChecksum(meta, input.checksumAlgorithm));
          const tags =
            input.tags ??
            (meta.tagCount
              ? (await tagsOfVersion(source, { versionId: input.source.versionId, signal })).tags
              : undefined);
          refuseTags(place, tags);
          const about = { ...newObject(input.replace ?? meta), tags };
          return place.backend.put(place.path, body, { ...about, ...common });
        });
        return { ...made, sourceVersionId };
      }),
    );
  }

  async putObjectAccess(
    ref: VersionRef,
    access: ObjectAccess,
    { generation, signal }: { readonly generation: string; readonly signal?: AbortSignal },
  ): Promise<void> {
    await this.#amend(
      ref,
      (place) => {
        const kept = keptAccess(place, access);
        return kept === undefined || !place.backend.amend ? undefined : { access: kept, generation };
      },
      signal,
    );
  }

  /** `change` says what is kept then of the version; undefined: what is there already. */
  async #amend(
    ref: VersionRef,
    change: (place: Place) => ObjectChange | undefined,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    try {
      return await this.#change(ref, async (place, beforeCommit) => {
        const wanted = change(place);
        if (wanted === undefined) return undefined;
        await beforeCommit();
        return this.#amendments.amend(place, wanted, { versionId: ref.versionId, signal });
      });
    } catch (error) {
      throw ofRef(error, ref);
    }
  }

  listObjects(bucket: BucketName, input: ListInput) {
    return this.#listings.objects(bucket, input);
  }

  listVersions(bucket: BucketName, input: ListVersionsInput) {
    return this.#listings.versions(bucket, input);
  }

  async createUpload(
    ref: ObjectRef,
    input: NewObject & {
      access?: ObjectAccess;
      initiator?: string;
      checksumAlgorithm?: ChecksumAlgorithm;
      checksumType?: ChecksumType;
    },
  ) {
    return this.#change(ref, async (place, beforeCommit) => {
      refuseTags(place, input.tags);
      await beforeCommit();
      return place.backend.createUpload(place.path, {
        ...newObject(input),
        access: keptAccess(place, input.access),
        initiator: input.initiator,
        checksumAlgorithm: input.checksumAlgorithm,
        checksumType: input.checksumType,
      });
    });
  }

  async putPart(
    ref: ObjectRef,
    input: { uploadId: string; partNumber: number; body: UploadBody; signal?: AbortSignal },
  ) {
    return this.#change(ref, (place) =>
      place.backend.putPart(place.path, input.uploadId, input.partNumber, input.body, {
        signal: input.signal,
      }),
    );
  }

  async copyPart(ref: ObjectRef, input: CopyPartInput) {
    return this.#change(ref, (place) =>
      this.#reads.fromSource(input.source, async (source, meta, sourceVersionId) => {
        const range = (await input.selectSource(meta)) ?? { start: 0, end: meta.sizeBytes };
        const body = this.#bodyOf(source, meta, range, input.signal);
        const { uploadId, partNumber, signal } = input;
        const part = await place.backend.putPart(place.path, uploadId, partNumber, body, { signal });
        return { ...part, sourceVersionId };
      }),
    );
  }

  async listParts(ref: ObjectRef, input: { uploadId: string; afterPartNumber?: number; limit: number }) {
    try {
      const place = await this.#namespace.locate(ref.bucket, ref.key);
      return await place.backend.listParts(place.path, input.uploadId, input);
    } catch (error) {
      throw toS3Error(error);
    }
  }

  async completeUpload(ref: ObjectRef, input: CompleteInput): Promise<ObjectMeta> {
    return this.#change(ref, (place, beforeCommit) =>
      this.#metadata.write(place, (checkStill) =>
        place.backend.completeUpload(place.path, input.uploadId, input.parts, {
          condition: input.condition,
          checksums: input.checksums,
          checksumType: input.checksumType,
          expectedSizeBytes: input.expectedSizeBytes,
          versioning: place.versioning,
          signal: input.signal,
          beforeCommit: inOrder(beforeCommit, checkStill),
        }),
      ),
    );
  }

  async abortUpload(ref: ObjectRef, uploadId: string): Promise<void> {
    await this.#change(ref, (place) => place.backend.abortUpload(place.path, uploadId));
  }

  listUploads(
    bucket: BucketName,
    input: { prefix: string; delimiter?: string; keyMarker?: string; uploadIdMarker?: string; limit: number },
  ) {
    return this.#listings.uploads(bucket, input);
  }

  /** Runs a change: it calls the hook when the bytes are in and not visible yet, which keeps it apart from deletions of its bucket and changes of mounts. */
  async #change<T>(
    ref: ObjectRef,
    change: (place: Place, beforeCommit: () => Promise<void>) => Promise<T>,
  ): Promise<T> {
    let leave: (() => void) | undefined;
    try {
      const place = await this.#namespace.locateForWrite(ref.bucket, ref.key);
      return await change(place, async () => {
        leave ??= await this.#gate.enterCommit(ref.bucket);
        this.#namespace.checkStill(place, ref.bucket, ref.key);
      });
    } catch (error) {
      throw toS3Error(error);
    } finally {
      leave?.();
    }
  }

  #bodyOf(source: Place, meta: ObjectMeta, range: ByteRange, signal: AbortSignal | undefined): PlainBody {
    const sizeBytes = range.end - range.start;
    const chunks = sizeBytes === 0 ? nothing() : source.backend.read(source.path, meta, range, { signal });
    return new PlainBody(chunks, sizeBytes);
  }
}

function newObject({ headers, userMetadata, storageClass, tags }: NewObject): NewObject {
  return { headers, userMetadata, storageClass, tags };
}

/** Names the key, or the version of it, that is not there. */
function ofRef(error: unknown, ref: VersionRef): S3Error {
  const mapped = toS3Error(error);
  if (ref.versionId !== undefined) return ofVersion(mapped, ref, ref.versionId);
  return mapped.code === 'NoSuchKey' ? mapped.withExtra({ Key: ref.key }) : mapped;
}
