import { createHash } from 'node:crypto';
import type { BucketAccess, ObjectAccess } from '../../../src/common/access-control.ts';
import type { NewObject, ObjectMeta, Tag, UploadBody } from '../../../src/common/object-meta.ts';
import { compareUtf8 } from '../../../src/common/utf8-order.ts';
import { S3Error } from '../../../src/s3api/errors.ts';
import type { BucketName, ObjectRef, VersionRef } from '../../../src/s3api/names.ts';
import type {
  BucketInfo,
  CompleteInput,
  CopyInput,
  CopyPartInput,
  FoundVersion,
  Identity,
  ListInput,
  ListItem,
  ObjectService,
  PartSummary,
  PutObjectInput,
  ReadOptions,
  UploadSummary,
  WriteCondition,
} from '../../../src/s3api/service.ts';
import { foldKeys } from './fold-keys.ts';
import { readAll } from './read-all.ts';

interface Stored {
  readonly meta: ObjectMeta;
  readonly bytes: Buffer;
  readonly tags?: readonly Tag[];
}

interface Bucket {
  info: BucketInfo;
  readonly objects: Map<string, Stored>;
  readonly uploads: Map<string, Upload>;
}

interface Upload {
  readonly summary: UploadSummary;
  readonly parts: Map<number, { summary: PartSummary; bytes: Buffer }>;
}

/** There is one version of each object. */
function refuseOtherVersions({ versionId = 'null' }: { readonly versionId?: string }): void {
  if (versionId !== 'null') throw new S3Error('NoSuchVersion');
}

/** The least that answers as an ObjectService must: plain maps, one object at a time, and a clock that the test sets. */
export class MapObjectService implements ObjectService {
  nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  /** What the operations passed on with their reads, for tests that look. */
  readonly readOptions: ReadOptions[] = [];
  readonly #buckets = new Map<string, Bucket>();
  #count = 0;

  /** The stored object, for tests that look behind the operations. */
  stored(bucket: string, key: string): Stored | undefined {
    return this.#buckets.get(bucket)?.objects.get(key);
  }

  /** Replaces what is known of an object, such as checksums that no operation of this double computes. */
  amend(bucket: string, key: string, change: Partial<ObjectMeta>): void {
    const { objects } = this.#bucket(bucket);
    const { meta, bytes } = this.#object({ bucket: bucket as BucketName, key: key as ObjectRef['key'] });
    objects.set(key, { meta: { ...meta, ...change }, bytes });
  }

  async listBuckets(caller: Identity) {
    const own = [...this.#buckets.values()]
      .map(({ info }) => info)
      .filter((info) => info.owner === caller.userName);
    return own.sort((a, b) => compareUtf8(a.name, b.name));
  }

  async createBucket(caller: Identity, bucket: BucketName, access?: BucketAccess) {
    if (this.#buckets.has(bucket)) throw new S3Error('BucketAlreadyOwnedByYou');
    const info = { name: bucket, owner: caller.userName, createdMs: this.nowMs, access };
    this.#buckets.set(bucket, { info, objects: new Map(), uploads: new Map() });
  }

  async getBucket(bucket: BucketName) {
    return this.#bucket(bucket).info;
  }

  async changeBucketAccess(
    bucket: BucketName,
    change: (present: BucketAccess, bucket: BucketInfo) => BucketAccess,
  ) {
    const found = this.#bucket(bucket);
    found.info = { ...found.info, access: change(found.info.access ?? {}, found.info) };
  }

  async deleteBucket(bucket: BucketName) {
    if (this.#bucket(bucket).objects.size > 0) throw new S3Error('BucketNotEmpty');
    this.#buckets.delete(bucket);
  }

  async headObject(ref: ObjectRef, options: ReadOptions = {}) {
    this.readOptions.push(options);
    refuseOtherVersions(options);
    return { meta: this.#object(ref).meta, versionId: undefined, owner: 'here', validatedMs: this.nowMs };
  }

  async getObject<Selection extends { readonly range?: { start: number; end: number } }>(
    ref: ObjectRef,
    select: (found: FoundVersion) => Selection,
    options: ReadOptions = {},
  ) {
    this.readOptions.push(options);
    refuseOtherVersions(options);
    const { meta, bytes } = this.#object(ref);
    const versionId = undefined;
    const selection = select({ meta, validatedMs: this.nowMs });
    const { range } = selection;
    const body = range && bytes.subarray(range.start, range.end);
    return {
      meta,
      versionId,
      selection,
      body,
      cache: 'hit' as const,
      owner: 'here',
      validatedMs: this.nowMs,
    };
  }

  async listObjectParts(
    _ref: ObjectRef,
    { parts = [] }: ObjectMeta,
    page: { afterPartNumber: number; limit: number },
  ) {
    const rest = parts.filter((part) => part.partNumber > page.afterPartNumber);
    return { parts: rest.slice(0, page.limit), truncated: rest.length > page.limit };
  }

  async getTags(ref: VersionRef) {
    refuseVersion(ref);
    return { tags: this.#object(ref).tags ?? [] };
  }

  async putTags(ref: VersionRef, tags: readonly Tag[]) {
    refuseVersion(ref);
    this.#bucket(ref.bucket).objects.set(ref.key, { ...this.#object(ref), tags });
    return undefined;
  }

  async putBucketTags(bucket: BucketName, tags: readonly Tag[]) {
    const present = this.#bucket(bucket);
    const info = { ...present.info, tags: tags.length === 0 ? undefined : tags };
    this.#buckets.set(bucket, { ...present, info });
  }

  async putObject(ref: ObjectRef, input: PutObjectInput) {
    input.body.need('MD5');
    const bytes = await readAll(input.body);
    this.#check(ref, input.condition);
    return this.#store(ref, bytes, input, { etag: input.body.digest('MD5').toString('hex') });
  }

  async deleteObject(ref: VersionRef, options: { condition?: WriteCondition } = {}) {
    refuseOtherVersions(ref);
    this.#check(ref, options.condition);
    this.#bucket(ref.bucket).objects.delete(ref.key);
    return {};
  }

  async copyObject(ref: ObjectRef, input: CopyInput) {
    refuseOtherVersions(input.source);
    const source = this.#object(input.source);
    await input.checkSource(source.meta);
    this.#check(ref, input.condition);
    const about = { ...(input.replace ?? source.meta), tags: input.tags ?? source.tags };
    return this.#store(ref, source.bytes, about, { etag: source.meta.etag });
  }

  async putObjectAccess(ref: ObjectRef, access: ObjectAccess) {
    this.amend(ref.bucket, ref.key, { access });
  }

  async getVersioning(bucket: BucketName) {
    this.#bucket(bucket);
    return undefined;
  }

  async setVersioning(): Promise<never> {
    throw new S3Error('NotImplemented');
  }

  async listVersions(): Promise<never> {
    throw new S3Error('NotImplemented');
  }

  async listObjects(bucket: BucketName, input: ListInput) {
    const { objects } = this.#bucket(bucket);
    const names = foldKeys([...objects.keys()], input);
    const items = names.slice(0, input.limit).map(({ key, isPrefix }): ListItem => {
      if (isPrefix) return { kind: 'prefix', key };
      const { sizeBytes, etag, lastModifiedMs, storageClass } = this.#object({
        bucket,
        key: key as ObjectRef['key'],
      }).meta;
      return { kind: 'object', key, sizeBytes, etag, lastModifiedMs, storageClass };
    });
    return { items, truncated: names.length > items.length };
  }

  async createUpload(ref: ObjectRef, input: NewObject) {
    const summary = { ...input, key: ref.key, uploadId: `upload-${++this.#count}`, initiatedMs: this.nowMs };
    this.#bucket(ref.bucket).uploads.set(summary.uploadId, { summary, parts: new Map() });
    return summary;
  }

  async putPart(ref: ObjectRef, input: { uploadId: string; partNumber: number; body: UploadBody }) {
    return this.#storePart(ref, input, await readAll(input.body));
  }

  async copyPart(ref: ObjectRef, input: CopyPartInput) {
    const { meta, bytes } = this.#object(input.source);
    const range = (await input.selectSource(meta)) ?? { start: 0, end: meta.sizeBytes };
    return this.#storePart(ref, input, bytes.subarray(range.start, range.end));
  }

  async listParts(ref: ObjectRef, input: { uploadId: string; afterPartNumber?: number; limit: number }) {
    const { summary, parts } = this.#upload(ref, input.uploadId);
    const after = input.afterPartNumber ?? 0;
    const all = [...parts.values()].map((part) => part.summary).filter((part) => part.partNumber > after);
    all.sort((a, b) => a.partNumber - b.partNumber);
    const page = all.slice(0, input.limit);
    return { upload: summary, parts: page, truncated: page.length < all.length };
  }

  async completeUpload(ref: ObjectRef, input: CompleteInput) {
    const { summary, parts } = this.#upload(ref, input.uploadId);
    const chosen = input.parts.map(({ partNumber, etag }) => {
      const part = parts.get(partNumber);
      if (part === undefined || part.summary.etag !== etag) throw new S3Error('InvalidPart');
      return part;
    });
    this.#check(ref, input.condition);
    const digests = Buffer.concat(chosen.map((part) => Buffer.from(part.summary.etag, 'hex')));
    const etag = `${md5(digests)}-${chosen.length}`;
    const bytes = Buffer.concat(chosen.map((part) => part.bytes));
    this.#bucket(ref.bucket).uploads.delete(input.uploadId);
    return this.#store(ref, bytes, summary, {
      etag,
      parts: chosen.map(({ summary: { partNumber, sizeBytes } }) => ({ partNumber, sizeBytes })),
      checksums: input.checksums,
    });
  }

  async abortUpload(ref: ObjectRef, uploadId: string) {
    this.#upload(ref, uploadId);
    this.#bucket(ref.bucket).uploads.delete(uploadId);
  }

  async listUploads(
    bucket: BucketName,
    input: { prefix: string; delimiter?: string; keyMarker?: string; uploadIdMarker?: string; limit: number },
  ) {
    const uploads = [...this.#bucket(bucket).uploads.values()].map(({ summary }) => summary);
    const { keyMarker, uploadIdMarker } = input;
    const sameKey = uploads.filter(
      ({ key, uploadId }) => key === keyMarker && uploadIdMarker !== undefined && uploadId > uploadIdMarker,
    );
    const later = foldKeys(
      uploads.map(({ key }) => key),
      { ...input, after: keyMarker },
    ).flatMap(({ key, isPrefix }) =>
      isPrefix ? [prefixEntry(key)] : uploads.filter((upload) => upload.key === key).map(uploadEntry),
    );
    const all = [...sameKey.map(uploadEntry), ...later];
    return { entries: all.slice(0, input.limit), truncated: all.length > input.limit };
  }

  #bucket(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new S3Error('NoSuchBucket');
    return bucket;
  }

  #object(ref: ObjectRef): Stored {
    const stored = this.#bucket(ref.bucket).objects.get(ref.key);
    if (stored === undefined) throw new S3Error('NoSuchKey');
    return stored;
  }

  #upload(ref: ObjectRef, uploadId: string): Upload {
    const upload = this.#bucket(ref.bucket).uploads.get(uploadId);
    if (upload === undefined || upload.summary.key !== ref.key) throw new S3Error('NoSuchUpload');
    return upload;
  }

  #check(ref: ObjectRef, condition: WriteCondition | undefined): void {
    if (condition === undefined) return;
    const present = this.#bucket(ref.bucket).objects.get(ref.key)?.meta.etag;
    if ('ifNoneMatch' in condition) {
      if (present !== undefined) throw new S3Error('PreconditionFailed');
      return;
    }
    if (present === undefined) throw new S3Error('NoSuchKey');
    if (condition.ifMatch !== '*' && condition.ifMatch !== present) throw new S3Error('PreconditionFailed');
  }

  #store(
    ref: ObjectRef,
    bytes: Buffer,
    from: NewObject,
    rest: Pick<ObjectMeta, 'etag'> & Partial<ObjectMeta>,
  ) {
    const meta: ObjectMeta = {
      sizeBytes: bytes.length,
      lastModifiedMs: this.nowMs,
      generation: String(++this.#count),
      generationSettled: true,
      headers: from.headers,
      userMetadata: from.userMetadata,
      storageClass: from.storageClass,
      ...rest,
    };
    this.#bucket(ref.bucket).objects.set(ref.key, { meta, bytes, tags: from.tags });
    return meta;
  }

  #storePart(ref: ObjectRef, input: { uploadId: string; partNumber: number }, bytes: Buffer): PartSummary {
    const { partNumber } = input;
    const summary = {
      partNumber,
      sizeBytes: bytes.length,
      etag: md5(bytes),
      lastModifiedMs: this.nowMs,
      checksums: {},
    };
    this.#upload(ref, input.uploadId).parts.set(partNumber, { summary, bytes });
    return summary;
  }
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

type UploadEntry = Awaited<ReturnType<ObjectService['listUploads']>>['entries'][number];

function uploadEntry(upload: UploadSummary): UploadEntry {
  return { kind: 'upload', upload };
}

function prefixEntry(key: string): UploadEntry {
  return { kind: 'prefix', key };
}

/** There are no versions here. */
function refuseVersion({ versionId }: VersionRef): void {
  if (versionId !== undefined && versionId !== 'null') throw new S3Error('NoSuchVersion');
}
