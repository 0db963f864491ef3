import { UserError } from '../auth/user-store.ts';
import { CoordError } from '../coord/store.ts';
import { JobError } from '../jobs/job-error.ts';
import { MountError } from '../mounts/mount-error.ts';
import { PolicyError } from '../mounts/policy-error.ts';
import { S3Error } from '../s3api/errors.ts';
import { UfsError } from '../ufs/errors.ts';
import type { AdminCode } from './failure-codes.ts';

/** What the admin API answers where something is wrong: `{code, message}` with this HTTP status. */
export interface AdminFailure {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** A failure that only the admin API knows. */
export class AdminError extends Error implements AdminFailure {
  override name = 'AdminError';
  readonly status: number;
  readonly code: AdminCode;
  constructor(status: number, code: AdminCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.status = status;
    this.code = code;
  }
}

const byKind: Readonly<
  Record<
    MountError['kind'] | UserError['kind'] | JobError['kind'] | PolicyError['kind'],
    readonly [number, AdminCode]
  >
> = {
  invalid: [400, 'InvalidRequest'],
  'not-found': [404, 'NotFound'],
  exists: [409, 'AlreadyExists'],
  nested: [409, 'MountNotEmpty'],
  conflict: [409, 'Conflict'],
  limit: [409, 'LimitExceeded'],
};

/** Undefined for what nobody foresaw: answered as InternalError, and logged. */
export function toAdminFailure(error: unknown): AdminFailure | undefined {
  if (error instanceof AdminError) return error;
  if (error instanceof S3Error) return { status: error.status, code: error.code, message: error.message };
  if (
    error instanceof MountError ||
    error instanceof UserError ||
    error instanceof JobError ||
    error instanceof PolicyError
  ) {
    const [status, code] = byKind[error.kind];
    return { status, code, message: error.message };
  }
  if (error instanceof CoordError) {
    return { status: 503, code: 'StoreUnavailable', message: error.message };
  }
  if (error instanceof UfsError) return { status: 502, code: 'BackendFailed', message: error.message };
  return fromFastify(error);
}

/** Fastify's own: a body that is too large, no JSON, or against the route's schema. */
function fromFastify(error: unknown): AdminFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  const { statusCode, message } = error as Error & { statusCode?: number };
  if (statusCode === 413) return { status: 413, code: 'BodyTooLarge', message };
  if (statusCode === 415) {
    return { status: 415, code: 'UnsupportedMediaType', message: 'a body must be application/json' };
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return { status: 400, code: 'InvalidRequest', message };
  }
  return undefined;
}
