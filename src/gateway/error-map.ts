import { unreachable } from '../common/assert.ts';
import { CoordError } from '../coord/store.ts';
import { S3Error } from '../s3api/errors.ts';
import { httpDate, validatedHeader, validatedText } from '../s3api/headers.ts';
import { type DeleteMarker, UfsError } from '../ufs/errors.ts';
import { AbsentError, WorkerError } from '../worker/reader.ts';
import { uploadError } from './upload-errors.ts';

/** The one translation of a fault inside into the error an S3 client gets. The cause is kept for the log, never sent. */
export function toS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  if (error instanceof UfsError) return fromUfsError(error);
  if (error instanceof AbsentError) return absent(error);
  if (error instanceof WorkerError) return fromWorkerError(error);
  if (error instanceof CoordError) return fromCoordError(error);
  return new S3Error('InternalError', { cause: error });
}

function absent(cause: AbsentError): S3Error {
  return new S3Error('NoSuchKey', {
    headers: { [validatedHeader]: validatedText(cause.validatedMs), ...markerHeaders(cause.marker) },
    cause,
  });
}

/** S3 User Guide, "Working with delete markers". */
function markerHeaders(marker: DeleteMarker | undefined): Record<string, string> {
  if (!marker) return {};
  const { versionId, lastModifiedMs } = marker;
  return {
    'x-amz-delete-marker': 'true',
    'x-amz-version-id': versionId,
    ...(lastModifiedMs === undefined ? {} : { 'last-modified': httpDate(lastModifiedMs) }),
  };
}

function fromWorkerError(cause: WorkerError): S3Error {
  switch (cause.kind) {
    case 'overloaded':
    case 'closed':
      return new S3Error('SlowDown', { cause });
    case 'not-cached':
      return new S3Error('GatewayTimeout', { cause });
    default:
      return unreachable(cause.kind);
  }
}

/** A later try may go well, unless the store itself is damaged. Across a network this one may have gone well too, unheard. */
function fromCoordError(cause: CoordError): S3Error {
  switch (cause.kind) {
    case 'unavailable':
    case 'locked':
    case 'lease-lost':
      return new S3Error('ServiceUnavailable', {
        message: 'Buckets cannot be changed at the moment. Please try again.',
        cause,
      });
    case 'corrupt':
      return new S3Error('InternalError', { cause });
    default:
      return unreachable(cause.kind);
  }
}

/** What a storage may say of a request that is the client's to mend. Other words of it could be about the gateway's own requests. */
const handedOn = [
  'EntityTooLarge',
  'InvalidEncryptionAlgorithmError',
  'InvalidObjectState',
  'InvalidRedirectLocation',
  'InvalidStorageClass',
  'MetadataTooLarge',
] as const;

function isHandedOn(code: string): code is (typeof handedOn)[number] {
  return handedOn.some((one) => one === code);
}

function fromUfsError(cause: UfsError): S3Error {
  switch (cause.kind) {
    case 'not-found':
      return new S3Error('NoSuchKey', { headers: markerHeaders(cause.marker), cause });
    case 'no-such-version':
      return new S3Error('NoSuchVersion', { cause });
    case 'invalid-version':
      return new S3Error('InvalidArgument', { message: 'Invalid version id specified', cause });
    case 'delete-marker':
      return new S3Error('MethodNotAllowed', {
        extra: { ResourceType: 'DeleteMarker' },
        headers: { allow: 'DELETE', ...markerHeaders(cause.marker) },
        cause,
      });
    case 'no-such-upload':
      return new S3Error('NoSuchUpload', { cause });
    case 'invalid-part':
      return uploadError('InvalidPart', cause);
    case 'invalid-part-order':
      return new S3Error('InvalidPartOrder', { cause });
    case 'part-too-small':
      return uploadError('EntityTooSmall', cause);
    case 'upload-mismatch':
      return uploadError('InvalidRequest', cause);
    case 'precondition-failed':
      return new S3Error('PreconditionFailed', { cause });
    case 'conflict':
      return new S3Error('ConditionalRequestConflict', { cause });
    case 'bad-digest':
      return uploadError('BadDigest', cause);
    case 'invalid-key':
      return new S3Error('InvalidArgument', {
        message: `This key cannot be stored under this mount: ${cause.message}`,
        cause,
      });
    case 'key-conflict':
      return new S3Error('InvalidArgument', {
        message: `This key cannot be stored under this mount beside one that exists: ${cause.message}`,
        cause,
      });
    case 'not-implemented':
      return new S3Error('NotImplemented', { cause });
    case 'read-only':
      return new S3Error('AccessDenied', { message: 'This bucket is mounted read-only.', cause });
    case 'throttled':
      return new S3Error('SlowDown', { cause });
    case 'cancelled':
      return new S3Error('RequestTimeout', { cause });
    case 'moved':
      return new S3Error('ServiceUnavailable', {
        message: 'The object kept changing while it was read. Please retry.',
        cause,
      });
    case 'no-space':
      return new S3Error('ServiceUnavailable', { message: 'The storage behind this bucket is full.', cause });
    case 'unavailable':
    case 'timeout':
      return new S3Error('ServiceUnavailable', {
        message: 'The storage behind this bucket cannot be reached.',
        cause,
      });
    case 'denied':
      // Not the client's own rights, but the client's to know: another try will go the same way.
      return new S3Error(cause.code === 'AccessDenied' ? 'AccessDenied' : 'InternalError', {
        message: 'The storage behind this bucket refused the credentials of its mount.',
        cause,
      });
    case 'refused':
      return new S3Error(cause.code !== undefined && isHandedOn(cause.code) ? cause.code : 'InternalError', {
        cause,
      });
    case 'io':
      return new S3Error('InternalError', { cause });
    default:
      return unreachable(cause.kind);
  }
}
