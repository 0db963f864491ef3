import { requestedGrants } from '../acl-request.ts';
import type { Call, S3Response } from '../call.ts';
import { S3Error } from '../errors.ts';
import { objectAccess } from '../new-object-access.ts';
import { objectOf, refuseOtherVersions } from '../request.ts';

/** Whose the object is does not change. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html */
export async function putObjectAcl(call: Call): Promise<S3Response> {
  const { request, service, signal } = call;
  refuseOtherVersions(request.query.get('versionId'));
  const ref = objectOf(request);
  const bucket = await service.getBucket(ref.bucket);
  if (bucket.access?.ownership === 'BucketOwnerEnforced') throw new S3Error('AccessControlListNotSupported');
  const { meta } = await service.headObject(ref, { signal });
  const owner = meta.access?.owner ?? bucket.owner;
  const grants = await requestedGrants(call, { owner, bucketOwner: bucket.owner, of: 'object' });
  const access = objectAccess(owner, bucket.owner, grants) ?? {};
  // What takes its place meanwhile may be somebody else's, who alone may say this of it.
  await service.putObjectAccess(ref, access, { generation: meta.generation, signal });
  return { status: 200, headers: {} };
}
