import type { Call, S3Response } from '../call.ts';
import { bucketOf } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html */
export async function deleteBucket({ request, service }: Call): Promise<S3Response> {
  await service.deleteBucket(bucketOf(request));
  return { status: 204, headers: {} };
}
