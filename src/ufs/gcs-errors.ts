import { UfsError, type UfsErrorKind } from './errors.ts';
import { isDistrust, unreached } from './network-faults.ts';

/** What is known of a failed request beside its error. */
export interface GcsFailure {
  readonly backend: string;
  readonly key: string | undefined;
  /** The method of the JSON API, for messages. */
  readonly operation: string;
  /** Undefined where no answer came. */
  readonly status: number | undefined;
  /** True of a request that changes something and may have done so. */
  readonly mayHaveChanged: boolean;
}

/** What Cloud Storage said instead of doing what it was asked for. */
export class GcsRefusal extends Error {
  readonly reason: string;

  /** `reason`: the API's own word for it ("HTTP status and error codes for JSON"). */
  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Reasons that say more than their status does ("HTTP status and error codes for JSON"). */
const kindsOfReasons: Readonly<Record<string, UfsErrorKind>> = {
  rateLimitExceeded: 'throttled',
  userRateLimitExceeded: 'throttled',
  quotaExceeded: 'no-space',
  objectUnderActiveHold: 'refused',
  retentionPolicyNotMet: 'refused',
  accountDisabled: 'denied',
  uploadTooLarge: 'refused',
  cloudKmsCannotChangeKeyName: 'refused',
};

function kindOfStatus(status: number, { mayHaveChanged }: GcsFailure): UfsErrorKind {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return 'denied';
    case 404:
      return 'not-found';
    case 405:
    case 501:
      return 'not-implemented';
    case 408:
      return 'unavailable';
    case 409:
      return 'conflict';
    // Of 304 as an answer to a precondition on reading: the version is another.
    case 304:
    case 412:
      return 'precondition-failed';
    case 416:
      return 'moved';
    case 429:
      return 'throttled';
    case 503:
      // Cloud Storage says it of itself and of requests it was too busy for; of a change nobody knows whether it was made.
      return mayHaveChanged ? 'unavailable' : 'throttled';
    default:
      return status >= 400 && status < 500 ? 'refused' : 'unavailable';
  }
}

/** Any failure as one of the backend's. Nothing of the library's own objects is kept, since they hold requests and tokens. */
export function toGcsError(error: unknown, failure: GcsFailure): UfsError {
  if (error instanceof UfsError) return error;
  const { status, backend, key, operation } = failure;
  const reason = error instanceof GcsRefusal ? error.reason : '';
  const system = systemCodeOf(error);
  const message = error instanceof Error ? error.message.slice(0, 500) : String(error);
  const kind = kindOf(reason, message, failure);
  const text = [status, reason || system, message]
    .filter((part) => part !== undefined && part !== '')
    .join(' ');
  return new UfsError(kind, `${operation}: ${text}`, {
    backend,
    key,
    code: reason || system,
    retryable: isRetryable(kind, system, failure),
    unresolved: failure.mayHaveChanged && isUndecided(kind, system, failure),
    cause: new Error(text),
  });
}

function kindOf(reason: string, message: string, failure: GcsFailure): UfsErrorKind {
  const { status } = failure;
  if (status === undefined) return 'unavailable';
  if (Object.hasOwn(kindsOfReasons, reason)) return kindsOfReasons[reason] as UfsErrorKind;
  // An object that is not there and a bucket that is not there have one status and one reason.
  if (status === 404 && /bucket does not exist/i.test(message)) return 'unavailable';
  return kindOfStatus(status, failure);
}

/** What gave such an answer is no Cloud Storage: what it says of success or of emptiness counts for nothing. */
export function noGcsAnswer(
  operation: string,
  lacks: string,
  backend: string,
  key?: string,
  unresolved = false,
): UfsError {
  const message = `${operation}: the answer lacks ${lacks}, so that it is not one of Cloud Storage`;
  return new UfsError('unavailable', message, {
    backend,
    key,
    code: 'NoGcsAnswer',
    retryable: false,
    unresolved,
  });
}

/** True only where nothing can have changed. */
function isRetryable(kind: UfsErrorKind, code: string | undefined, failure: GcsFailure): boolean {
  if ((kind !== 'throttled' && kind !== 'unavailable') || isDistrust(code) || failure.status === 404)
    return false;
  if (!failure.mayHaveChanged) return true;
  if (failure.status === undefined) return code !== undefined && unreached.has(code);
  return kind === 'throttled';
}

/** Whether a change may have been made, or be made yet: the storage did not say that it refused it. */
function isUndecided(kind: UfsErrorKind, code: string | undefined, { status }: GcsFailure): boolean {
  if (status === undefined) return code === undefined || !(unreached.has(code) || isDistrust(code));
  if (status < 300) return true;
  return (status >= 500 || status === 408) && kind !== 'not-implemented' && kind !== 'throttled';
}

function systemCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  const found = typeof code === 'string' ? code : cause?.code;
  return typeof found === 'string' ? found : undefined;
}
