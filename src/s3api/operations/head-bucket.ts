import type { Call, S3Response } from '../call.ts';
import { bucketOf } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html */
export async function headBucket({ request, region, service }: Call): Promise<S3Response> {
  await service.getBucket(bucketOf(request));
  return {
    status: 200,
    headers: { 'content-type': 'application/xml', 'x-amz-bucket-region': region },
  };
}
