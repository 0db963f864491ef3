import { S3Error } from '../s3api/errors.ts';
import { UfsError } from '../ufs/errors.ts';

/** Why something failed, for an operator: what the storage has said, where it was the storage. */
export function reasonOf(error: unknown): string {
  if (error instanceof S3Error && error.cause instanceof UfsError) return reasonOf(error.cause);
  if (error instanceof UfsError) return `${error.message} (${error.kind})`;
  return error instanceof Error ? error.message : String(error);
}
