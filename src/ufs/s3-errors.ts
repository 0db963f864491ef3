import { type DeleteMarker, UfsError, type UfsErrorKind } from './errors.ts';
import { uploadFault } from './s3-upload-faults.ts';
import {
  isRetryable,
  isUndecided,
  joined,
  noAnswerOf,
  type StorageFailure,
  systemCodeOf,
} from './storage-failure.ts';

/** What is known of a failed request beside its error. S3 may say 200 and put an error into the body. */
export interface Failure extends StorageFailure {
  /** The system's word for a fault of the network, such as ECONNREFUSED. */
  readonly systemCode?: string | undefined;
  /** The delete marker that the answer tells of. */
  readonly marker?: DeleteMarker | undefined;
}

/** S3's error codes (S3 API Reference, "Error responses"), those of MinIO and of AWS's common errors among them. */
const kinds: Readonly<Record<string, UfsErrorKind>> = {
  NoSuchKey: 'not-found',
  NotFound: 'not-found',
  NoSuchVersion: 'not-found',
  NoSuchUpload: 'no-such-upload',
  InvalidPart: 'invalid-part',
  InvalidPartOrder: 'invalid-part-order',
  EntityTooSmall: 'part-too-small',
  PreconditionFailed: 'precondition-failed',
  ConditionalRequestConflict: 'conflict',
  OperationAborted: 'conflict',
  KeyTooLongError: 'invalid-key',
  KeyTooLong: 'invalid-key',
  InvalidURI: 'invalid-key',
  InvalidObjectName: 'invalid-key',
  XMinioInvalidObjectName: 'invalid-key',
  XMinioInvalidResourceName: 'invalid-key',
  XMinioObjectExistsAsDirectory: 'key-conflict',
  XMinioParentIsObject: 'key-conflict',
  BadDigest: 'bad-digest',
  InvalidDigest: 'bad-digest',
  XAmzContentSHA256Mismatch: 'bad-digest',
  XAmzContentChecksumMismatch: 'bad-digest',
  NotImplemented: 'not-implemented',
  MethodNotAllowed: 'not-implemented',
  AccessDenied: 'denied',
  AllAccessDisabled: 'denied',
  AccountProblem: 'denied',
  AuthorizationHeaderMalformed: 'denied',
  CredentialsProviderError: 'denied',
  ExpiredToken: 'denied',
  InvalidAccessKeyId: 'denied',
  InvalidToken: 'denied',
  RequestTimeTooSkewed: 'denied',
  SignatureDoesNotMatch: 'denied',
  TokenRefreshRequired: 'denied',
  UnauthorizedAccess: 'denied',
  EntityTooLarge: 'refused',
  InvalidObjectState: 'refused',
  InvalidStorageClass: 'refused',
  MetadataTooLarge: 'refused',
  QuotaExceeded: 'no-space',
  XAmzQuotaExceeded: 'no-space',
  XMinioAdminBucketQuotaExceeded: 'no-space',
  XMinioStorageFull: 'no-space',
  InsufficientStorage: 'no-space',
  SlowDown: 'throttled',
  SlowDownRead: 'throttled',
  SlowDownWrite: 'throttled',
  Busy: 'throttled',
  BandwidthLimitExceeded: 'throttled',
  ProvisionedThroughputExceededException: 'throttled',
  RequestLimitExceeded: 'throttled',
  RequestThrottled: 'throttled',
  ServiceUnavailable: 'throttled',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  TooManyRequests: 'throttled',
  TooManyRequestsException: 'throttled',
  InternalError: 'unavailable',
  InternalFailure: 'unavailable',
  NoSuchBucket: 'unavailable',
  PermanentRedirect: 'unavailable',
  RequestTimeout: 'unavailable',
  TemporaryRedirect: 'unavailable',
  IncompleteBody: 'io',
};

/** Answers without a code that is known: HEAD has no body, and what stands between may answer for itself. */
function kindOfStatus(status: number, { mayHaveChanged }: Failure): UfsErrorKind {
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
    case 412:
      return 'precondition-failed';
    case 416:
      return 'moved';
    case 429:
    case 503:
      // Without S3's word it may be a proxy that says so, of a change that the storage behind it has made.
      return mayHaveChanged ? 'unavailable' : 'throttled';
    case 507:
      return 'no-space';
    default:
      return status >= 400 && status < 500 ? 'refused' : 'unavailable';
  }
}

/** The SDK's error as one of the backend's. Nothing of the SDK's own objects is kept, since they hold requests and headers. */
export function toUfsError(error: unknown, failure: Failure): UfsError {
  if (error instanceof UfsError) return error;
  const { name = '', message = '', code: foundCode, requestId } = describe(error);
  const code = failure.systemCode ?? foundCode;
  const status = failure.status;
  const known = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  const asSaid =
    known ?? (status === undefined || status < 300 ? 'unavailable' : kindOfStatus(status, failure));
  const request = requestId && `request ${requestId}`;
  const text = joined([status, name === 'Error' ? code : name, message, request]);
  if (status === 405 && failure.marker) return deleteMarker(failure, text);
  const { kind, fault } = uploadFault(asSaid, error, failure) ?? { kind: asSaid };
  // An error inside a 200 came after the work had begun.
  const isRefused = (answered: number) => kind === 'throttled' && answered >= 400;
  return new UfsError(kind, `${failure.operation}: ${text}`, {
    backend: failure.backend,
    key: failure.key,
    code: codeOf(name, code, failure),
    retryable: isRetryable(kind, code, failure, isRefused),
    unresolved: failure.mayHaveChanged && isUndecided(code, failure, (answered) => mayBeMade(kind, answered)),
    cause: new Error(text),
    fault,
    ...(kind === 'not-found' && failure.marker ? { marker: failure.marker } : {}),
  });
}

function deleteMarker({ backend, key, marker, operation }: Failure, text: string): UfsError {
  const details = { backend, key, marker, cause: new Error(text) };
  return new UfsError('delete-marker', `${operation}: the version is a delete marker`, details);
}

/** HEAD has no body to tell S3's code in; of 403 it is nearly always this one. */
function codeOf(name: string, code: string | undefined, { operation, status }: Failure): string | undefined {
  if (status === 403 && operation.startsWith('Head') && !Object.hasOwn(kinds, name)) return 'AccessDenied';
  return name === 'Error' || name === '' ? code : name;
}

/** What gave such an answer is no S3 server. */
export const noS3Answer = noAnswerOf('an S3 server', 'NoS3Answer');

/** Whether a change may have been made, or be made yet, that was answered so. */
function mayBeMade(kind: UfsErrorKind, status: number): boolean {
  if (status === 429 && kind === 'unavailable') return true;
  return status >= 500 && kind !== 'throttled' && kind !== 'not-implemented' && kind !== 'no-space';
}

function describe(error: unknown): { name?: string; message?: string; code?: string; requestId?: string } {
  if (typeof error !== 'object' || error === null) return { message: String(error) };
  const { name, message, Code, $metadata } = error as Record<string, unknown> & {
    $metadata?: { requestId?: string };
  };
  const s3Code = typeof Code === 'string' && Code !== '' ? Code : name;
  return {
    name: typeof s3Code === 'string' ? s3Code : undefined,
    message: typeof message === 'string' ? message.slice(0, 500) : undefined,
    code: systemCodeOf(error),
    requestId: $metadata?.requestId,
  };
}
