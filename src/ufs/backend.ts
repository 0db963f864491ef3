import type { ObjectAccess } from '../common/access-control.ts';
import type { ByteRange } from '../common/byte-range.ts';
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
import type { BackendCapabilities, ProbedAbilities } from './backend-capabilities.ts';
import type { FencedBackend } from './backend-fence.ts';
import type { BackendVersions, Deletion, VersioningMode } from './backend-versions.ts';
import type { ReachStep } from './reach-step.ts';

export type { BackendCapabilities, ProbedAbilities } from './backend-capabilities.ts';

/** A condition on the object that a change replaces. ETags without quotes; `*` is any object that exists. */
export type WriteCondition = { readonly ifMatch: string } | { readonly ifNoneMatch: '*' };

export interface CallOptions {
  /** Ends the work at the backend too; the call then rejects with kind `cancelled`. */
  readonly signal?: AbortSignal;
}

export interface PutOptions extends CallOptions, NewObject {
  readonly condition?: WriteCondition;
  /** Passed over where the backend keeps none (`objectAcls`). */
  readonly access?: ObjectAccess;
  /** Kept with the object and told as `ObjectMeta.stamp`: printable ASCII, at most 200 characters. Where `capabilities.stamps`. */
  readonly stamp?: string;
  /** What becomes of the version that is replaced; absent: it goes, unless it was made to stay. */
  readonly versioning?: VersioningMode;
  /**
   * Runs after the last byte was checked and written and before the object becomes visible, once for each attempt to make it
   * so; a rejection gives the upload up and is passed on.
   */
  readonly beforeCommit?: () => Promise<void>;
}

export interface ProbeOptions extends CallOptions {
  /** How long each call of the probe may take; `signal` is for the whole. */
  readonly callTimeoutMs?: number;
}

export interface ListOptions extends CallOptions {
  readonly prefix: string;
  /** Any non-empty string. Keys that contain it after the prefix are folded into common prefixes. */
  readonly delimiter?: string;
  /**
   * Only entries after this one, in UTF-8 byte order: keys greater than it, and common prefixes greater than it that are
   * not themselves a prefix of it together with the delimiter (S3's marker and start-after).
   * A common prefix P given as `after` continues behind every key that starts with P.
   */
  readonly after?: string;
  /** At most so many entries, objects and common prefixes together; ≥ 1. */
  readonly limit: number;
}

export interface ListedObject {
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
/** Its key ends with the delimiter. */
export interface ListedPrefix {
  readonly kind: 'prefix';
  readonly key: string;
}
export type ListEntry = ListedObject | ListedPrefix;

export interface ListPage {
  /** In UTF-8 byte order of `key`. */
  readonly entries: readonly ListEntry[];
  /** True exactly if another entry follows the last one. The next page is asked for with `after` = the last entry's key. */
  readonly truncated: boolean;
}

export interface CreateUploadOptions extends CallOptions, NewObject {
  /** Of the object that is going to be made of it. */
  readonly access?: ObjectAccess;
  /** As in `PutOptions`. Where `capabilities.uploadStamps`. */
  readonly stamp?: string;
  /** Who begins it, if not the bucket's owner. Kept where `capabilities.objectAcls`. */
  readonly initiator?: string;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: ChecksumType;
}

/** What was said of an upload when it was created. */
export interface UploadInfo extends NewObject {
  readonly key: string;
  readonly uploadId: string;
  readonly initiatedMs: number;
  readonly access?: ObjectAccess;
  readonly stamp?: string;
  readonly initiator?: string;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: ChecksumType;
}

export interface UploadedPart {
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly lastModifiedMs: number;
  readonly checksums: Checksums;
}

/** A part as a client names it when it completes an upload. */
export interface CompletePart {
  readonly partNumber: number;
  readonly etag: string;
  readonly checksums: Checksums;
}

export interface CompleteOptions extends CallOptions {
  readonly condition?: WriteCondition;
  /** As in `PutOptions`. */
  readonly versioning?: VersioningMode;
  readonly beforeCommit?: () => Promise<void>;
  /** Checksum of the whole object that the client expects (FULL_OBJECT), or of its parts' checksums (COMPOSITE). */
  readonly checksums?: Checksums;
  readonly checksumType?: ChecksumType;
  /** Size of the whole object that the client expects (`x-amz-mp-object-size`), bytes. */
  readonly expectedSizeBytes?: number;
}

export interface ListPartsPage {
  readonly upload: UploadInfo;
  readonly parts: readonly UploadedPart[];
  readonly truncated: boolean;
}

export interface ListUploadsOptions extends CallOptions {
  readonly prefix: string;
  readonly delimiter?: string;
  /** Only uploads of keys after this one, or of this key with an upload id after `uploadIdMarker`. */
  readonly keyMarker?: string;
  readonly uploadIdMarker?: string;
  readonly limit: number;
}

export interface ListUploadsPage {
  /** Ordered by key, then by upload id. A common prefix stands where its keys would. */
  readonly entries: readonly ({ readonly kind: 'upload'; readonly upload: UploadInfo } | ListedPrefix)[];
  readonly truncated: boolean;
}

/** What is to be read of an object whose length is not known yet; without `end`, all there is from `start` on. */
export type OpenRange = Pick<ByteRange, 'start'> & Partial<Pick<ByteRange, 'end'>>;

/** A version of an object, and bytes of it that are on their way. */
export interface OpenedObject {
  readonly meta: ObjectMeta;
  /** What it has of the range that was asked for; empty where none of it is on its way. */
  readonly range: ByteRange;
  /**
   * The bytes of a part of `range`, as `Backend.read` gives those of a version. Called once at most, and not after `close`; what it
   * returns is iterated at once.
   */
  read(range: ByteRange, options?: CallOptions): AsyncIterable<Buffer>;
  /** Ends it, at the storage too. To be called when nothing more is wanted of it, whether it was read or not. */
  close(): void;
}

/** A part's bytes within its object, and how many parts there are. */
export interface PartPlace {
  readonly range: ByteRange;
  readonly count: number;
  /** The part's own, where the storage tells them beside. */
  readonly checksums?: Checksums;
}

export interface VersionOptions extends CallOptions {
  /** Of a backend with `versions`; absent: the present one. */
  readonly versionId?: string;
}

/** What is to be kept about an object from now on; what is absent stays as it is. */
export interface ObjectChange {
  readonly tags?: readonly Tag[];
  /** What says nothing takes away what was kept. Where `capabilities.objectAcls`. */
  readonly access?: ObjectAccess;
  /** The present version must be this one, otherwise `moved`. */
  readonly generation?: string;
}

export interface ObjectPartsOptions extends CallOptions {
  readonly afterPartNumber: number;
  /** ≥ 1. */
  readonly limit: number;
}

export interface ObjectPartsPage {
  readonly parts: readonly ObjectPart[];
  readonly truncated: boolean;
}

export interface CopyOptions extends CallOptions {
  /** The source must still have this generation, otherwise `moved`. */
  readonly sourceGeneration: string;
  /** The version that is to be copied, of a backend with `versions`; absent: the present one. */
  readonly sourceVersionId?: string;
  /** Replaces headers and metadata (MetadataDirective REPLACE) but not the tags; absent: the source's own are kept. */
  readonly replace?: NewObject;
  /** Replaces the tags; absent: the source's own are kept. */
  readonly tags?: readonly Tag[];
  /** Of the copy, which never takes over the source's. */
  readonly access?: ObjectAccess;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly condition?: WriteCondition;
  /** As in `PutOptions`. */
  readonly versioning?: VersioningMode;
  readonly beforeCommit?: () => Promise<void>;
}

export interface DeleteOptions extends CallOptions {
  readonly condition?: WriteCondition;
  /** As in `PutOptions`: a delete marker takes the place of what is kept; and where there is something to delete. */
  readonly versioning?: VersioningMode;
  readonly beforeCommit?: () => Promise<void>;
}

/**
 * Storage below: a flat space of keys (any UTF-8 string of 1–1,600 bytes) and immutable versions of objects.
 * Every method may run concurrently with every other, for one key too, and rejects with `UfsError` only, or as it is with what an
 * `UploadBody` or `beforeCommit` rejects with. A change that has returned is durable and visible.
 */
export interface Backend extends FencedBackend {
  /** The mount's URI without credentials, for messages. */
  readonly uri: string;
  readonly capabilities: BackendCapabilities;

  /** The present version's metadata; always asked of the storage itself. Kinds: not-found, with `marker` where that is a delete marker. */
  head(key: string, options?: CallOptions): Promise<ObjectMeta>;

  /**
   * What `head` tells, and bytes of that very version, by one question instead of two. `signal` counts until the answer begins. Absent
   * where nothing is gained by it. Kinds: as head.
   */
  open?(key: string, range: OpenRange, options?: CallOptions): Promise<OpenedObject>;

  /**
   * Exactly the bytes of `range` of the version `meta` describes, in order, in chunks of any size up to 1 MiB.
   * Never gives a byte of another version: rejects with `moved` (before or between chunks) if the version cannot be had any more;
   * a short read is `io`. A buffer given out is not written to again. Ending the iteration early frees what it holds.
   * `range` lies within the object and is not empty.
   */
  read(key: string, meta: ObjectMeta, range: ByteRange, options?: CallOptions): AsyncIterable<Buffer>;

  /**
   * Keeps a version readable, though it be replaced or deleted meanwhile, until the returned function is called (once; it does not
   * fail). Reads nothing. Absent where the storage offers nothing of the kind. Kinds: moved, if it is not the present version any more.
   */
  pin?(key: string, meta: ObjectMeta, options?: CallOptions): Promise<() => Promise<void>>;

  /**
   * Stores the body and makes it visible in one step; nothing is visible, and nothing is left behind, if it rejects.
   * Kinds: precondition-failed, conflict, invalid-key, key-conflict, no-space, read-only.
   */
  put(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta>;

  /** Succeeds also where there was nothing, unless the condition says otherwise. Kinds: precondition-failed, not-found (with a condition only). */
  delete(key: string, options?: DeleteOptions): Promise<Deletion>;

  /** Exactly where `capabilities.versions` says so. */
  readonly versions?: BackendVersions;

  /** One page of what is there now. A key present throughout a sequence of pages appears in it exactly once. */
  list(options: ListOptions): Promise<ListPage>;

  /** A copy inside this backend. Kinds: as put, and moved, not-found for the source. */
  copy(sourceKey: string, key: string, options: CopyOptions): Promise<ObjectMeta>;

  /** A version's tags; always asked of the storage itself. Where `capabilities.tagging`. Kinds: not-found, no-such-version. */
  getTags?(key: string, options?: VersionOptions): Promise<readonly Tag[]>;

  /**
   * Changes what is kept about an object without making another version of it: its bytes, its generation, ETag and times stay.
   * Gives its metadata as they are then. Where `capabilities.tagging` or `objectAcls`. Kinds: not-found,
   * no-such-version, moved.
   */
  amend?(key: string, change: ObjectChange, options?: VersionOptions): Promise<ObjectMeta>;

  createUpload(key: string, options: CreateUploadOptions): Promise<UploadInfo>;
  /** Kinds: no-such-upload. Storing a part again replaces it. */
  putPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UploadBody,
    options?: CallOptions,
  ): Promise<UploadedPart>;
  /** Parts in order of number, those after `afterPartNumber`. Kinds: no-such-upload. */
  listParts(
    key: string,
    uploadId: string,
    options: CallOptions & { readonly afterPartNumber?: number; readonly limit: number },
  ): Promise<ListPartsPage>;
  /**
   * Makes the object of the named parts visible in one step. Called again after it succeeded, it succeeds with the same
   * answer as long as the object it made is still the present one.
   * Kinds: no-such-upload, invalid-part, invalid-part-order, part-too-small, bad-digest, precondition-failed, conflict.
   */
  completeUpload(
    key: string,
    uploadId: string,
    parts: readonly CompletePart[],
    options?: CompleteOptions,
  ): Promise<ObjectMeta>;
  /** Kinds: no-such-upload. */
  abortUpload(key: string, uploadId: string, options?: CallOptions): Promise<void>;
  listUploads(options: ListUploadsOptions): Promise<ListUploadsPage>;

  /**
   * Where a part lies in a multipart object, of a backend whose `head` does not tell `parts`; parts count from one without gaps.
   * `count` is their number. Kinds: moved; invalid-part if there are not so many.
   */
  findPart?(key: string, meta: ObjectMeta, partNumber: number, options?: CallOptions): Promise<PartPlace>;

  /**
   * Parts of a multipart object in order of number, those after `afterPartNumber`, with their checksums; of a backend whose `head` does
   * not tell `parts`. Kinds: moved.
   */
  listObjectParts?(key: string, meta: ObjectMeta, options: ObjectPartsOptions): Promise<ObjectPartsPage>;

  /** Goes the way to the storage step by step, up to the first that fails. Absent where the way is no network. */
  reach?(options?: CallOptions): AsyncIterable<ReachStep>;

  /**
   * Tries what the storage decides by itself, with objects whose keys begin with `key` and that are removed again. Absent
   * where nothing depends on what the storage behind is. Kinds: those of put and delete.
   */
  probe?(key: string, options?: ProbeOptions): Promise<ProbedAbilities>;

  /** Frees what the backend holds open, once the changes under way have ended. No call is made after it. */
  close(): Promise<void>;
}
