import type { Call } from './call.ts';
import type { ObjectRef } from './names.ts';
import type { WriteCondition } from './service.ts';

/**
 * Whoever writes under the condition that a certain object is there learns whether it is, so that he must be allowed to read it (S3 User
 * Guide, "How to prevent object overwrites with conditional writes"). AccessDenied; NoSuchKey.
 */
export async function authoriseCondition(
  call: Call,
  { bucket, key }: ObjectRef,
  condition: WriteCondition | undefined,
): Promise<void> {
  if (condition === undefined || !('ifMatch' in condition) || condition.ifMatch === '*') return;
  await call.authorise('s3:GetObject', bucket, key);
}
