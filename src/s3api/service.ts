import type { BucketAccess, ObjectAccess } from '../common/access-control.ts';
import type { AtOnce } from '../common/at-once.ts';
import type { ByteRange } from '../common/byte-range.ts';
import type { ByteText } from '../common/byte-text.ts';
import type {
  ChecksumAlgorithm,
  Checksums,
  ChecksumType,
  NewObject,
  ObjectMeta,
  ObjectPart,
  Tag,
  UploadBody,
} from '../common/object-meta.ts';
import type { S3Error } from './errors.ts';
import type { BucketName, ObjectRef, VersionRef } from './names.ts';

/** Who asks: an authenticated user, or, with the policy `anonymous` and without a name, nobody knows who. */
export interface Identity {
  readonly userName: string;
  readonly policy: 'admin' | 'readwrite' | 'readonly' | 'anonymous';
  readonly accessKeyId: string;
}

export interface BucketInfo {
  readonly name: BucketName;
  readonly owner: string;
  readonly createdMs: number;
  /** Absent for none. */
  readonly tags?: readonly Tag[];
  /** What was set of it. */
  readonly access?: BucketAccess;
}

/** Where the bytes of an answer came from: `hit` only if no backend byte was read. */
export type CacheStatus = 'hit' | 'miss' | 'partial' | 'bypass';

export interface ReadObject<Selection> extends FoundVersion {
  /** What `select` returned for this version. */
  readonly selection: Selection;
  /** As answers name the version: `null` for the null version. Undefined where none are kept. */
  readonly versionId: string | undefined;
  /**
   * The selected bytes: a Buffer or ByteText if they are at hand and whole, an iterable otherwise, which rejects rather than end short.
   * A Buffer must not be changed; a chunk of an iterable is the caller's until it asks for the next one. Undefined if the selection has
   * no range.
   */
  readonly body: Buffer | ByteText | AsyncIterable<Buffer> | undefined;
  /** Where the Buffer is lent: to be called once nobody reads it any more. */
  readonly giveBack?: () => void;
  readonly cache: CacheStatus;
  /** The worker that served it. */
  readonly owner: string;
}

/** A part's bytes within its object, and how many parts there are. */
export interface PartPlace {
  readonly range: ByteRange;
  readonly count: number;
  /** The part's own, where the storage tells them beside. */
  readonly checksums?: Checksums;
}

/** A version of an object, and when it was last known to be the present one (ms since the Unix epoch). */
export interface FoundVersion {
  readonly meta: ObjectMeta;
  readonly validatedMs: number;
}

/** Whom each version of an object that is to be read is shown to before anything is told of it. */
export interface ReadGate {
  /** Throws AccessDenied unless the caller may have it. */
  admit(meta: Pick<ObjectMeta, 'access' | 'generation'>): void;
  /** As `admit`, of whatever object there is where none has an ACL. */
  admitWithoutAcl(): void;
  /** What the caller is told instead of `error`, which says that there is no object: whoever may not list must not learn so. */
  absent(error: S3Error): S3Error;
}

/** How a reader wants an object read, and how much of the cache it accepts (`Cache-Control` of the request). */
export interface ReadOptions {
  readonly signal?: AbortSignal;
  /** Absent: the caller may read whatever there is. */
  readonly gate?: ReadGate;
  /** The version to be read instead of the present one. It is always asked for at the backend. */
  readonly versionId?: string;
  /** Asks where this part lies, if the object is made of several and its metadata does not tell their sizes. */
  readonly partNumber?: number;
  /** Ask the backend before cached metadata is used. */
  readonly revalidate?: boolean;
  /** Cached metadata counts only if it was validated less than so long ago. */
  readonly maxAgeMs?: number;
  /** What is asked of the backend is not kept. What the cache has is used all the same. */
  readonly noStore?: boolean;
  /** GatewayTimeout rather than ask the backend for anything. */
  readonly onlyIfCached?: boolean;
  /** Whether checksums of the whole object are told, if it has some. */
  readonly checksums?: boolean;
  /** What is going to be read of the object if there is one, whatever it is; without `end` all there is from `start` on. */
  readonly read?: { readonly start: number; readonly end?: number };
}

export type WriteCondition = { readonly ifMatch: string } | { readonly ifNoneMatch: '*' };

export interface PutObjectInput extends NewObject {
  /** Whose it is and whom it is open to; absent: the bucket's owner's alone. NotImplemented where that cannot be kept. */
  readonly access?: ObjectAccess;
  readonly body: UploadBody;
  readonly condition?: WriteCondition;
  readonly signal?: AbortSignal;
}

/** The version that a copy was made of, as answers name it; undefined where none are kept. */
export interface CopiedFrom {
  readonly sourceVersionId?: string;
}

/** What a deletion did; both absent where no versions are kept. */
export interface DeletedObject {
  /** Of the delete marker that was made, or of the version that was to be removed. */
  readonly versionId?: string;
  /** A delete marker was made, or removed. */
  readonly deleteMarker?: boolean;
}

export interface CopyInput {
  readonly source: VersionRef;
  /** Called with the source's present metadata; throws the S3 error if a copy-source condition fails. */
  readonly checkSource: (meta: ObjectMeta) => AtOnce<void>;
  /** Replaces metadata and content headers; absent: the source's own are kept. */
  readonly replace?: NewObject;
  /** Replaces the tags; absent: the source's own are kept. */
  readonly tags?: readonly Tag[];
  /** As of a new object: a copy never takes over its source's. */
  readonly access?: ObjectAccess;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly condition?: WriteCondition;
  readonly signal?: AbortSignal;
}

export interface CopyPartInput {
  readonly source: VersionRef;
  /** As `checkSource`, and names the range to copy (the whole object if undefined). */
  readonly selectSource: (meta: ObjectMeta) => AtOnce<ByteRange | undefined>;
  readonly uploadId: string;
  readonly partNumber: number;
  readonly signal?: AbortSignal;
}

export interface ObjectSummary {
  readonly kind: 'object';
  readonly key: string;
  /** Absent: the bucket's owner. */
  readonly owner?: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly lastModifiedMs: number;
  readonly storageClass?: string;
  readonly checksumAlgorithms?: readonly ChecksumAlgorithm[];
  readonly checksumType?: ChecksumType;
}
export type ListItem = ObjectSummary | { readonly kind: 'prefix'; readonly key: string };

export interface ListInput {
  readonly prefix: string;
  readonly delimiter?: string;
  /** Continue behind this key or common prefix (see `Backend.list`). */
  readonly after?: string;
  /** ≥ 1. */
  readonly limit: number;
  readonly signal?: AbortSignal;
}

/** A version in a list; a delete marker has neither size nor ETag. */
export interface VersionSummary {
  readonly kind: 'version';
  readonly key: string;
  /** `null` for the null version. */
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly deleteMarker: boolean;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly lastModifiedMs: number;
  readonly storageClass?: string;
  readonly checksumAlgorithms?: readonly ChecksumAlgorithm[];
  readonly checksumType?: ChecksumType;
}
export type VersionItem = VersionSummary | { readonly kind: 'prefix'; readonly key: string };

export interface ListVersionsInput {
  readonly prefix: string;
  readonly delimiter?: string;
  /** Continue behind this key or common prefix; with `versionIdMarker`, behind that version of this very key. */
  readonly keyMarker?: string;
  readonly versionIdMarker?: string;
  /** ≥ 1. */
  readonly limit: number;
  readonly signal?: AbortSignal;
}

export type Versioning = 'enabled' | 'suspended';

export interface UploadSummary extends NewObject {
  readonly key: string;
  readonly uploadId: string;
  readonly initiatedMs: number;
  readonly access?: ObjectAccess;
  /** Absent: the bucket's owner, or nobody knows. */
  readonly initiator?: string;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: ChecksumType;
}

export interface PartSummary {
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly lastModifiedMs: number;
  readonly checksums: Checksums;
}

export interface CompleteInput {
  readonly uploadId: string;
  readonly parts: readonly {
    readonly partNumber: number;
    readonly etag: string;
    readonly checksums: Checksums;
  }[];
  readonly condition?: WriteCondition;
  readonly checksums?: Checksums;
  readonly checksumType?: ChecksumType;
  readonly expectedSizeBytes?: number;
  readonly signal?: AbortSignal;
}

/**
 * What the S3 operations are made of. The caller has been authenticated and authorised before; every method rejects with
 * `S3Error` (or, for a fault inside, with what the pipeline answers as InternalError). All may run concurrently.
 */
export interface ObjectService {
  /** The buckets the user owns, in byte order of name. */
  listBuckets(caller: Identity): Promise<readonly BucketInfo[]>;
  /** BucketAlreadyOwnedByYou, BucketAlreadyExists. */
  createBucket(caller: Identity, bucket: BucketName, access?: BucketAccess): Promise<void>;
  /** NoSuchBucket. */
  getBucket(bucket: BucketName): Promise<BucketInfo>;
  /** Replaces all tags of a bucket. NoSuchBucket. */
  putBucketTags(bucket: BucketName, tags: readonly Tag[]): Promise<void>;
  /** Puts what `change` makes of a bucket's settings in their place; what it throws is passed on. NoSuchBucket. */
  changeBucketAccess(
    bucket: BucketName,
    change: (present: BucketAccess, bucket: BucketInfo) => BucketAccess,
  ): Promise<void>;
  /** NoSuchBucket, BucketNotEmpty. */
  deleteBucket(bucket: BucketName): Promise<void>;
  /** Undefined if it was never set. NoSuchBucket. */
  getVersioning(bucket: BucketName): Promise<Versioning | undefined>;
  /** Changes that were under way have ended when it is set. NoSuchBucket, NotImplemented. */
  setVersioning(bucket: BucketName, versioning: Versioning): Promise<void>;

  headObject(
    ref: ObjectRef,
    options?: ReadOptions,
  ): Promise<
    FoundVersion & {
      readonly part?: PartPlace;
      readonly versionId: string | undefined;
      readonly owner: string;
    }
  >;
  /**
   * One version of an object: calls `select` with it, and the part that was asked for (again, with a newer one, if the
   * version moved before the first byte) and opens the range it names. What `select` throws is passed on; an empty
   * range has an empty body. Answers at once where metadata and bytes are in memory, and may throw then; it asks `options` for the
   * signal only if it has to wait.
   */
  getObject<Selection extends { readonly range?: ByteRange }>(
    ref: ObjectRef,
    select: (found: FoundVersion, part?: PartPlace) => Selection,
    options?: ReadOptions,
  ): AtOnce<ReadObject<Selection>>;
  /**
   * The parts of the version that `meta` describes, made of several, in order of number, those after `afterPartNumber`; `limit` ≥ 1.
   * ServiceUnavailable if it is not the present one any more.
   */
  listObjectParts(
    ref: ObjectRef,
    meta: ObjectMeta,
    page: { readonly afterPartNumber: number; readonly limit: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly parts: readonly ObjectPart[]; readonly truncated: boolean }>;
  /**
   * With the version's id, as answers name it. NoSuchKey, NoSuchVersion, MethodNotAllowed of a delete marker, NotImplemented where the
   * storage keeps none.
   */
  getTags(
    ref: VersionRef,
    options?: { signal?: AbortSignal },
  ): Promise<{ readonly tags: readonly Tag[]; readonly versionId?: string }>;
  /** Replaces all tags of a version, which stays the same version, and gives its id as `getTags` does. Fails as that does. */
  putTags(
    ref: VersionRef,
    tags: readonly Tag[],
    options?: { signal?: AbortSignal },
  ): Promise<string | undefined>;
  putObject(ref: ObjectRef, input: PutObjectInput): Promise<ObjectMeta>;
  /** With a version's id that version is removed for good, else the object, or a delete marker is put in its place. */
  deleteObject(
    ref: VersionRef,
    options?: { condition?: WriteCondition; signal?: AbortSignal },
  ): Promise<DeletedObject>;
  copyObject(ref: ObjectRef, input: CopyInput): Promise<ObjectMeta & CopiedFrom>;
  /**
   * Changes whose an object is and whom it is open to; what says nothing makes it its bucket's owner's alone. NoSuchKey; NotImplemented
   * where nothing of the kind can be kept; ServiceUnavailable if it is not of this generation any more.
   */
  putObjectAccess(
    ref: VersionRef,
    access: ObjectAccess,
    options: { readonly generation: string; readonly signal?: AbortSignal },
  ): Promise<void>;
  listObjects(
    bucket: BucketName,
    input: ListInput,
  ): Promise<{ readonly items: readonly ListItem[]; readonly truncated: boolean }>;

  listVersions(
    bucket: BucketName,
    input: ListVersionsInput,
  ): Promise<{ readonly items: readonly VersionItem[]; readonly truncated: boolean }>;

  createUpload(
    ref: ObjectRef,
    input: NewObject & {
      access?: ObjectAccess;
      initiator?: string;
      checksumAlgorithm?: ChecksumAlgorithm;
      checksumType?: ChecksumType;
    },
  ): Promise<UploadSummary>;
  putPart(
    ref: ObjectRef,
    input: { uploadId: string; partNumber: number; body: UploadBody; signal?: AbortSignal },
  ): Promise<PartSummary>;
  copyPart(ref: ObjectRef, input: CopyPartInput): Promise<PartSummary & CopiedFrom>;
  listParts(
    ref: ObjectRef,
    input: { uploadId: string; afterPartNumber?: number; limit: number },
  ): Promise<{
    readonly upload: UploadSummary;
    readonly parts: readonly PartSummary[];
    readonly truncated: boolean;
  }>;
  completeUpload(ref: ObjectRef, input: CompleteInput): Promise<ObjectMeta>;
  abortUpload(ref: ObjectRef, uploadId: string): Promise<void>;
  /**
   * Uploads in order of key, then of upload id, those after the markers. A common prefix given as `keyMarker`, with the same
   * delimiter, continues behind every key that starts with it.
   */
  listUploads(
    bucket: BucketName,
    input: { prefix: string; delimiter?: string; keyMarker?: string; uploadIdMarker?: string; limit: number },
  ): Promise<{
    readonly entries: readonly (
      | { readonly kind: 'upload'; readonly upload: UploadSummary }
      | { readonly kind: 'prefix'; readonly key: string }
    )[];
    readonly truncated: boolean;
  }>;
}
