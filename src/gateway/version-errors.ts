import { S3Error } from '../s3api/errors.ts';
import type { ObjectRef } from '../s3api/names.ts';
import { UfsError } from '../ufs/errors.ts';

/** An error about a version that was asked for by its id, with the fields that S3 gives. */
export function ofVersion(error: S3Error, ref: ObjectRef, versionId: string): S3Error {
  const { code, headers, cause } = error;
  if (code === 'NoSuchVersion' || code === 'NoSuchKey') {
    return new S3Error('NoSuchVersion', { extra: { Key: ref.key, VersionId: versionId }, headers, cause });
  }
  if (!(cause instanceof UfsError) || cause.kind !== 'invalid-version') return error;
  const extra = { ArgumentName: 'versionId', ArgumentValue: versionId };
  return new S3Error(code, { message: error.message, extra, headers, cause });
}
