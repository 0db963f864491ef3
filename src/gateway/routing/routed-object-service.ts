import type { BucketAccess, ObjectAccess } from '../../common/access-control.ts';
import type { AtOnce } from '../../common/at-once.ts';
import type { ByteRange } from '../../common/byte-range.ts';
import type { ObjectMeta, Tag, UploadBody } from '../../common/object-meta.ts';
import type { BucketName, ObjectRef, VersionRef } from '../../s3api/names.ts';
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
  PartSummary,
  PutObjectInput,
  ReadObject,
  ReadOptions,
  UploadSummary,
  Versioning,
  WriteCondition,
} from '../../s3api/service.ts';
import type { RoutedWrites } from './routed-writes.ts';

/**
 * The object service of a node in a cluster: changes of an object go to the node that owns it. All else is the local service's, whose
 * metadata and reader go to other nodes themselves.
 */
export class RoutedObjectService implements ObjectService {
  readonly #local: ObjectService;
  readonly #writes: RoutedWrites;

  constructor(local: ObjectService, writes: RoutedWrites) {
    this.#local = local;
    this.#writes = writes;
  }

  listBuckets(caller: Identity): Promise<readonly BucketInfo[]> {
    return this.#local.listBuckets(caller);
  }

  createBucket(caller: Identity, bucket: BucketName, access?: BucketAccess): Promise<void> {
    return this.#local.createBucket(caller, bucket, access);
  }

  getBucket(bucket: BucketName): Promise<BucketInfo> {
    return this.#local.getBucket(bucket);
  }

  putBucketTags(bucket: BucketName, tags: readonly Tag[]): Promise<void> {
    return this.#local.putBucketTags(bucket, tags);
  }

  changeBucketAccess(
    bucket: BucketName,
    change: (present: BucketAccess, bucket: BucketInfo) => BucketAccess,
  ): Promise<void> {
    return this.#local.changeBucketAccess(bucket, change);
  }

  deleteBucket(bucket: BucketName): Promise<void> {
    return this.#local.deleteBucket(bucket);
  }

  getVersioning(bucket: BucketName): Promise<Versioning | undefined> {
    return this.#local.getVersioning(bucket);
  }

  setVersioning(bucket: BucketName, versioning: Versioning): Promise<void> {
    return this.#local.setVersioning(bucket, versioning);
  }

  headObject(ref: ObjectRef, options?: ReadOptions) {
    return this.#local.headObject(ref, options);
  }

  getObject<Selection extends { readonly range?: ByteRange }>(
    ref: ObjectRef,
    select: (found: FoundVersion, part?: PartPlace) => Selection,
    options?: ReadOptions,
  ): AtOnce<ReadObject<Selection>> {
    return this.#local.getObject(ref, select, options);
  }

  listObjectParts(ref: ObjectRef, meta: ObjectMeta, page: Parameters<ObjectService['listObjectParts']>[2]) {
    return this.#local.listObjectParts(ref, meta, page);
  }

  getTags(ref: VersionRef, options?: { signal?: AbortSignal }) {
    return this.#local.getTags(ref, options);
  }

  listObjects(bucket: BucketName, input: ListInput) {
    return this.#local.listObjects(bucket, input);
  }

  listVersions(bucket: BucketName, input: ListVersionsInput) {
    return this.#local.listVersions(bucket, input);
  }

  listParts(ref: ObjectRef, input: Parameters<ObjectService['listParts']>[1]) {
    return this.#local.listParts(ref, input);
  }

  listUploads(bucket: BucketName, input: Parameters<ObjectService['listUploads']>[1]) {
    return this.#local.listUploads(bucket, input);
  }

  putTags(ref: VersionRef, tags: readonly Tag[], { signal }: { signal?: AbortSignal } = {}) {
    return this.#writes.run('putTags', ref, { tags }, { signal }) as Promise<string | undefined>;
  }

  putObject(ref: ObjectRef, { body, signal, ...input }: PutObjectInput): Promise<ObjectMeta> {
    return this.#writes.run('putObject', ref, input, { body, signal }) as Promise<ObjectMeta>;
  }

  deleteObject(
    ref: VersionRef,
    { condition, signal }: { condition?: WriteCondition; signal?: AbortSignal } = {},
  ): Promise<DeletedObject> {
    return this.#writes.run('deleteObject', ref, { condition }, { signal }) as Promise<DeletedObject>;
  }

  copyObject(ref: ObjectRef, { checkSource, signal, ...input }: CopyInput): Promise<ObjectMeta & CopiedFrom> {
    const source = async (meta: ObjectMeta) => {
      await checkSource(meta);
      return undefined;
    };
    const copied = this.#writes.run('copyObject', ref, input, { source, signal });
    return copied as Promise<ObjectMeta & CopiedFrom>;
  }

  async putObjectAccess(
    ref: VersionRef,
    access: ObjectAccess,
    { generation, signal }: { readonly generation: string; readonly signal?: AbortSignal },
  ): Promise<void> {
    await this.#writes.run('putObjectAccess', ref, { access, generation }, { signal });
  }

  createUpload(ref: ObjectRef, input: Parameters<ObjectService['createUpload']>[1]): Promise<UploadSummary> {
    return this.#writes.run('createUpload', ref, input) as Promise<UploadSummary>;
  }

  putPart(
    ref: ObjectRef,
    {
      body,
      signal,
      ...input
    }: { uploadId: string; partNumber: number; body: UploadBody; signal?: AbortSignal },
  ): Promise<PartSummary> {
    return this.#writes.run('putPart', ref, input, { body, signal }) as Promise<PartSummary>;
  }

  copyPart(
    ref: ObjectRef,
    { selectSource, signal, ...input }: CopyPartInput,
  ): Promise<PartSummary & CopiedFrom> {
    const copied = this.#writes.run('copyPart', ref, input, { source: selectSource, signal });
    return copied as Promise<PartSummary & CopiedFrom>;
  }

  completeUpload(ref: ObjectRef, { signal, ...input }: CompleteInput): Promise<ObjectMeta> {
    return this.#writes.run('completeUpload', ref, input, { signal }) as Promise<ObjectMeta>;
  }

  async abortUpload(ref: ObjectRef, uploadId: string): Promise<void> {
    await this.#writes.run('abortUpload', ref, { uploadId });
  }
}
