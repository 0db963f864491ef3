import type { Call, S3Response } from '../call.ts';
import { bucketOf } from '../request.ts';
import { bucketTagRules, maxTaggingBytes, parseTagging } from '../tagging.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html */
export async function putBucketTagging(call: Call): Promise<S3Response> {
  const tags = parseTagging(await call.text(maxTaggingBytes), bucketTagRules);
  await call.service.putBucketTags(bucketOf(call.request), tags);
  return { status: 204, headers: {} };
}
