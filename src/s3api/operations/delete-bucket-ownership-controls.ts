import type { Call, S3Response } from '../call.ts';
import { bucketOf } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html */
export async function deleteBucketOwnershipControls({ request, service }: Call): Promise<S3Response> {
  await service.changeBucketAccess(bucketOf(request), (present) => ({ ...present, ownership: undefined }));
  return { status: 204, headers: {} };
}
