import { isPrivate } from '../acl.ts';
import { requestedGrants } from '../acl-request.ts';
import type { Call, S3Response } from '../call.ts';
import { S3Error } from '../errors.ts';
import { bucketOf } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html */
export async function putBucketAcl(call: Call): Promise<S3Response> {
  const { request, service } = call;
  const bucket = bucketOf(request);
  const { owner } = await service.getBucket(bucket);
  const requested = await requestedGrants(call, { owner, bucketOwner: owner, of: 'bucket' });
  const grants = isPrivate(requested, owner) ? undefined : requested;
  await service.changeBucketAccess(bucket, (present) => {
    if (present.ownership === 'BucketOwnerEnforced') throw new S3Error('AccessControlListNotSupported');
    return { ...present, grants };
  });
  return { status: 200, headers: {} };
}
