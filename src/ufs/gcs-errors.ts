import { UfsError, type UfsErrorKind } from './errors.ts';
import {
  isRetryable,
  isUndecided,
  joined,
  noAnswerOf,
  type StorageFailure,
  systemCodeOf,
} from './storage-failure.ts';

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

function kindOfStatus(status: number, { mayHaveChanged }: StorageFailure): UfsErrorKind {
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
export function toGcsError(error: unknown, failure: StorageFailure): UfsError {
  if (error instanceof UfsError) return error;
  const { status, backend, key, operation } = failure;
  const reason = error instanceof GcsRefusal ? error.reason : '';
  const system = systemCodeOf(error);
  const message = error instanceof Error ? error.message.slice(0, 500) : String(error);
  const kind = kindOf(reason, message, failure);
  const text = joined([status, reason || system, message]);
  const mayBeMade = (answered: number) =>
    (answered >= 500 || answered === 408) && kind !== 'not-implemented' && kind !== 'throttled';
  return new UfsError(kind, `${operation}: ${text}`, {
    backend,
    key,
    code: reason || system,
    // A bucket that is not there does not come by itself.
    retryable: status !== 404 && isRetryable(kind, system, failure, () => kind === 'throttled'),
    unresolved: failure.mayHaveChanged && isUndecided(system, failure, mayBeMade),
    cause: new Error(text),
  });
}

function kindOf(reason: string, message: string, failure: StorageFailure): UfsErrorKind {
  const { status } = failure;
  if (status === undefined) return 'unavailable';
  if (Object.hasOwn(kindsOfReasons, reason)) return kindsOfReasons[reason] as UfsErrorKind;
  // An object that is not there and a bucket that is not there have one status and one reason.
  if (status === 404 && /bucket does not exist/i.test(message)) return 'unavailable';
  return kindOfStatus(status, failure);
}

/** What gave such an answer is no Cloud Storage. */
export const noGcsAnswer = noAnswerOf('Cloud Storage', 'NoGcsAnswer');
