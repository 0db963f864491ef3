export type UfsErrorKind =
  | 'not-found'
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

  constructor(
    kind: UfsErrorKind,
    message: string,
    details: {
      backend: string;
      key?: string;
      code?: string;
      retryable?: boolean;
      unresolved?: boolean;
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
  }
}
