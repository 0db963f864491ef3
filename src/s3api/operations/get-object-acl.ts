import { privateGrants } from '../acl.ts';
import { aclXml } from '../acl-xml.ts';
import type { Call, S3Response } from '../call.ts';
import { objectOf, refuseOtherVersions } from '../request.ts';
import { xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html */
export async function getObjectAcl({ request, service, signal }: Call): Promise<S3Response> {
  refuseOtherVersions(request.query.get('versionId'));
  const ref = objectOf(request);
  const bucket = await service.getBucket(ref.bucket);
  const { meta } = await service.headObject(ref, { signal });
  const kept = bucket.access?.ownership === 'BucketOwnerEnforced' ? undefined : meta.access;
  const owner = kept?.owner ?? bucket.owner;
  return xmlResponse(aclXml(owner, kept?.grants ?? privateGrants(owner)));
}
