import { errorCodes, type S3ErrorCode } from '../../s3api/error-codes.ts';
import { S3Error } from '../../s3api/errors.ts';
import { type DeleteMarker, UfsError, type UfsErrorKind, type UploadFault } from '../../ufs/errors.ts';
import { AbsentError, WorkerError, type WorkerErrorKind } from '../../worker/reader.ts';
import { toS3Error } from '../error-map.ts';

/** An error as one node tells another. Stacks and causes stay in the log of the node where they came about. */
export type WireError =
  | {
      readonly type: 's3';
      readonly code: string;
      readonly message: string;
      readonly extra?: Readonly<Record<string, string>>;
      readonly headers?: Readonly<Record<string, string | number>>;
    }
  | { readonly type: 'absent'; readonly validatedMs: number; readonly marker?: DeleteMarker }
  | { readonly type: 'worker'; readonly kind: WorkerErrorKind; readonly message: string }
  | {
      readonly type: 'ufs';
      readonly kind: UfsErrorKind;
      readonly message: string;
      readonly code?: string;
      readonly retryable: boolean;
      readonly unresolved: boolean;
      readonly fault?: UploadFault;
      readonly marker?: DeleteMarker;
    };

export function toWire(error: unknown): WireError {
  if (error instanceof AbsentError) {
    return { type: 'absent', validatedMs: error.validatedMs, marker: error.marker };
  }
  if (error instanceof UfsError) {
    const { kind, message, code, retryable, unresolved, fault, marker } = error;
    return { type: 'ufs', kind, message, code, retryable, unresolved, fault, marker };
  }
  if (error instanceof WorkerError) return { type: 'worker', kind: error.kind, message: error.message };
  const { code, message, extra, headers } = toS3Error(error);
  return { type: 's3', code, message, extra, headers };
}

/** What an error names. */
export interface Named {
  readonly backend: { readonly uri: string };
  readonly path: string;
}

/** The error as it would have come about here. */
export function fromWire(error: WireError, target: Named): Error {
  switch (error.type) {
    case 'absent':
      return new AbsentError(target, error.validatedMs, error.marker);
    case 'worker':
      return new WorkerError(error.kind, error.message);
    case 'ufs': {
      const { kind, message, ...details } = error;
      return new UfsError(kind, message, { ...details, backend: target.backend.uri, key: target.path });
    }
    default:
      return s3ErrorFrom(error);
  }
}

/** As a client is told it. */
export function s3ErrorFrom(error: WireError): S3Error {
  if (error.type !== 's3') return toS3Error(fromWire(error, elsewhere));
  const { code, message, extra, headers } = error;
  return new S3Error(isCode(code) ? code : 'InternalError', { message, extra, headers });
}

const elsewhere: Named = { backend: { uri: 'of another node' }, path: '' };

function isCode(code: string): code is S3ErrorCode {
  return Object.hasOwn(errorCodes, code);
}
