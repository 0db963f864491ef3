import type { Call, S3Response } from '../call.ts';
import { bucketOf } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html */
export async function deleteBucketTagging({ request, service }: Call): Promise<S3Response> {
  await service.putBucketTags(bucketOf(request), []);
  return { status: 204, headers: {} };
}
