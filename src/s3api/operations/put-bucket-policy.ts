import type { Call, S3Response } from '../call.ts';
import { parsePolicy } from '../policy/parse-policy.ts';
import { bucketOf } from '../request.ts';

/** Above what a policy may have, so that one which is somewhat too large is told so. */
const maxBodyBytes = 1024 * 1024;

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html */
export async function putBucketPolicy(call: Call): Promise<S3Response> {
  const bucket = bucketOf(call.request);
  const policy = await call.text(maxBodyBytes);
  // Before the policy, which is about this bucket alone.
  await call.service.getBucket(bucket);
  parsePolicy(policy, { bucket, isUser: call.isUser });
  await call.service.changeBucketAccess(bucket, (present) => ({ ...present, policy }));
  return { status: 204, headers: {} };
}
