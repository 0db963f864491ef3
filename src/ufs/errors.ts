import type { ChecksumAlgorithm, ChecksumType } from '../common/object-meta.ts';

export type UfsErrorKind =
  | 'not-found'
  /** Of one key, there is no version with this id; such an id could be one. */
  | 'no-such-version'
  /** What was given as a version's id is the id of no version anywhere. */
  | 'invalid-version'
  /** The version that was asked for by its id is a delete marker (`marker`). */
  | 'delete-marker'
  | 'no-such-upload'
  | 'invalid-part'
  | 'invalid-part-order'
  | 'part-too-small'
  /** The version asked for is not the present one any more. */
  | 'moved'
  | 'precondition-failed'
  /** A concurrent change got in the way of a conditional one; nothing was changed. */
  | 'conflict'
  /** The backend cannot hold a key of this form. */
  | 'invalid-key'
  /** The backend cannot hold this key beside one that exists (a file where a folder is needed, or the reverse). */
  | 'key-conflict'
  | 'bad-digest'
  /** The call contradicts what its multipart upload was created with, or what was uploaded; `fault` says how. */
  | 'upload-mismatch'
  | 'not-implemented'
  | 'read-only'
  /** The backend refused the mount's own credentials or rights. Never cached; clients are told whose rights they are. */
  | 'denied'
  /** The backend will not do this as it was asked for, now or later; `code` says why. */
  | 'refused'
  | 'no-space'
  | 'throttled'
  | 'unavailable'
  | 'timeout'
  | 'cancelled'
  | 'io';

/** What is wrong with a call for a multipart upload. ETags without quotes, sizes in bytes. */
export type UploadFault =
  | { readonly what: 'part'; readonly partNumber: number; readonly etag: string }
  | {
      readonly what: 'part-too-small';
      readonly partNumber: number;
      readonly etag: string;
      readonly sizeBytes: number;
      readonly leastBytes: number;
    }
  /** The parts have `sizeBytes` together, and not as many as expected. */
  | { readonly what: 'size'; readonly expectedBytes: number; readonly sizeBytes: number }
  /** Another type of checksum is named than the upload was created with. */
  | { readonly what: 'checksum-type'; readonly created: ChecksumType | undefined }
  | { readonly what: 'part-lacks-checksum'; readonly partNumber: number; readonly created: ChecksumAlgorithm }
  /** A part is named with a checksum of an algorithm that is not the upload's. */
  | { readonly what: 'part-other-checksum'; readonly partNumber: number; readonly named: ChecksumAlgorithm }
  /** A part's body comes with a checksum of an algorithm that is not the upload's. */
  | {
      readonly what: 'other-algorithm';
      readonly created: ChecksumAlgorithm;
      readonly sent: ChecksumAlgorithm;
    }
  | { readonly what: 'checksum'; readonly algorithm: ChecksumAlgorithm }
  /** In the storage's own words, which speak of the client's request alone. */
  | { readonly what: 'as-told'; readonly words: string };

/** A version that stands for the absence of the object. */
export interface DeleteMarker {
  /** As clients name it: `null` for a null version. */
  readonly versionId: string;
  readonly lastModifiedMs?: number;
}

/** What went wrong at a backend. `message` may be shown to operators, not to S3 clients. */
export class UfsError extends Error {
  override name = 'UfsError';
  readonly kind: UfsErrorKind;
  readonly backend: string;
  readonly key: string | undefined;
  /** The storage's own word for it, such as S3's error code or the system's. */
  readonly code: string | undefined;
  /** True if the same call may succeed later, and surely had no effect now. */
  readonly retryable: boolean;
  /**
   * Of a failed change: nobody knows whether it took effect, or still will. Of any other error: what it tells may still be changed
   * by such a change, so that it is not to be remembered.
   */
  readonly unresolved: boolean;
  readonly fault: UploadFault | undefined;
  /** With kind `not-found` where a delete marker is the present version, and with kind `delete-marker`. */
  readonly marker: DeleteMarker | undefined;

  constructor(
    kind: UfsErrorKind,
    message: string,
    details: {
      backend: string;
      key?: string;
      code?: string;
      retryable?: boolean;
      unresolved?: boolean;
      fault?: UploadFault;
      marker?: DeleteMarker;
      cause?: unknown;
    },
  ) {
    super(message, { cause: details.cause });
    this.kind = kind;
    this.backend = details.backend;
    this.key = details.key;
    this.code = details.code;
    this.retryable = details.retryable ?? (kind === 'throttled' || kind === 'unavailable');
    this.unresolved = details.unresolved ?? false;
    this.fault = details.fault;
    this.marker = details.marker;
  }
}

/** Whether the version that was asked for cannot be had any more. */
export function isMoved(error: unknown): boolean {
  return error instanceof UfsError && error.kind === 'moved';
}

/** What is asked for; undefined where there is no such object. */
export async function orAbsent<Result>(asked: Promise<Result>): Promise<Result | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof UfsError && error.kind === 'not-found') return undefined;
    throw error;
  }
}
