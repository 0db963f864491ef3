import { privateGrants } from '../acl.ts';
import { aclXml } from '../acl-xml.ts';
import type { Call, S3Response } from '../call.ts';
import { bucketOf } from '../request.ts';
import { xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html */
export async function getBucketAcl({ request, service }: Call): Promise<S3Response> {
  const { owner, access } = await service.getBucket(bucketOf(request));
  const enforced = access?.ownership === 'BucketOwnerEnforced';
  return xmlResponse(aclXml(owner, (enforced ? undefined : access?.grants) ?? privateGrants(owner)));
}
