import type { Call, S3Response } from '../call.ts';
import { bucketOf } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html */
export async function deleteBucketPolicy({ request, service }: Call): Promise<S3Response> {
  await service.changeBucketAccess(bucketOf(request), (present) => ({ ...present, policy: undefined }));
  return { status: 204, headers: {} };
}
