import type { ChecksumAlgorithm, ChecksumType, ObjectMeta } from '../common/object-meta.ts';
import type { CallOptions, ListedPrefix, WriteCondition } from './backend.ts';

/**
 * What becomes of the version that a change replaces: `enabled` keeps it; `suspended` keeps it unless it is the null version, and what is
 * written becomes that (S3 User Guide, "Using versioning in S3 buckets").
 */
export type VersioningMode = 'enabled' | 'suspended';

/** What a deletion did. */
export interface Deletion {
  /** Of the delete marker that was made, or of the version that was asked to be deleted. Absent where no version is kept. */
  readonly versionId?: string;
  /** A delete marker was made, or deleted. */
  readonly deleteMarker?: boolean;
}

/** A version of a key in a list, or a delete marker, which has neither size nor ETag to speak of. */
export interface ListedVersion {
  readonly kind: 'version';
  readonly key: string;
  /** `null` for the one that was written while no versions were kept. */
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

export interface ListVersionsOptions extends CallOptions {
  readonly prefix: string;
  /** Any non-empty string. Keys that contain it after the prefix are folded into common prefixes. */
  readonly delimiter?: string;
  /** As `after` of `ListOptions`; with `versionIdMarker` the versions of this very key behind that one come first. */
  readonly keyMarker?: string;
  readonly versionIdMarker?: string;
  /** At most so many entries, versions and common prefixes together; ≥ 1. */
  readonly limit: number;
}

export interface ListVersionsPage {
  /** In UTF-8 byte order of key; the versions of a key from the newest to the oldest. */
  readonly entries: readonly (ListedVersion | ListedPrefix)[];
  /** True exactly if another entry follows the last one. The next page is asked for with the last entry's key and version id as markers. */
  readonly truncated: boolean;
}

/** What a backend offers that keeps versions of objects beside the present one. As in `Backend`, everything may run concurrently. */
export interface BackendVersions {
  /**
   * One version's metadata, the present one's too. Bytes of it are read with `Backend.read`, as long as it is there.
   * Kinds: no-such-version; invalid-version for what is the id of no version anywhere; delete-marker.
   */
  head(key: string, versionId: string, options?: CallOptions): Promise<ObjectMeta>;

  /**
   * Takes one version away for good. Where it was the present one, the newest of the others is from then on. Succeeds also where there is
   * no such version. The condition is about the present version, as S3's is. Kinds: invalid-version, precondition-failed, not-found.
   */
  delete(
    key: string,
    versionId: string,
    options?: CallOptions & { readonly condition?: WriteCondition },
  ): Promise<Deletion>;

  /** A version that is there throughout a sequence of pages appears in it exactly once. Kinds: invalid-version for the marker. */
  list(options: ListVersionsOptions): Promise<ListVersionsPage>;

  /** What the storage itself was set to; absent where changes say it (`capabilities.versioning`). */
  mode?(options?: CallOptions): Promise<VersioningMode | undefined>;
}
