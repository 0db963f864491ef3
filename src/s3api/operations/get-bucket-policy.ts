import type { Call, S3Response } from '../call.ts';
import { S3Error } from '../errors.ts';
import type { BucketName } from '../names.ts';
import { bucketOf } from '../request.ts';
import type { ObjectService } from '../service.ts';

/** The document as it was put. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html */
export async function getBucketPolicy({ request, service }: Call): Promise<S3Response> {
  const body = await policyOf(service, bucketOf(request));
  return { status: 200, headers: { 'content-type': 'application/json' }, body };
}

/** NoSuchBucketPolicy. */
export async function policyOf(service: ObjectService, bucket: BucketName): Promise<string> {
  const { access } = await service.getBucket(bucket);
  if (access?.policy !== undefined) return access.policy;
  throw new S3Error('NoSuchBucketPolicy', { extra: { BucketName: bucket } });
}
