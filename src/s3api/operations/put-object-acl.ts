import { requestedGrants } from '../acl-request.ts';
import type { Call, S3Response } from '../call.ts';
import { S3Error } from '../errors.ts';
import { type AnswerHeaders, versionIdHeader } from '../headers.ts';
import { objectAccess } from '../new-object-access.ts';
import { objectOf, versionIdOf } from '../request.ts';

/** Whose the object is does not change. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html */
export async function putObjectAcl(call: Call): Promise<S3Response> {
  const { request, service, signal, gate } = call;
  const ref = objectOf(request);
  const asked = versionIdOf(request);
  const bucket = await service.getBucket(ref.bucket);
  const { meta, versionId } = await service
    .headObject(ref, { gate, signal, versionId: asked })
    .catch((error: unknown) => {
      throw ofMarker(error);
    });
  if (bucket.access?.ownership === 'BucketOwnerEnforced') throw new S3Error('AccessControlListNotSupported');
  const owner = meta.access?.owner ?? bucket.owner;
  const grants = await requestedGrants(call, { owner, bucketOwner: bucket.owner, of: 'object' });
  const access = objectAccess(owner, bucket.owner, grants) ?? {};
  // What takes its place meanwhile may be somebody else's, who alone may say this of it.
  await service.putObjectAccess({ ...ref, versionId: asked }, access, {
    generation: meta.generation,
    signal,
  });
  const named: AnswerHeaders = versionId === undefined ? {} : { [versionIdHeader]: versionId };
  return { status: 200, headers: named };
}

/** Where the present version is a delete marker there is something to be changed, but nothing of it can be (S3 User Guide, "Working with delete markers"). */
function ofMarker(error: unknown): unknown {
  if (!(error instanceof S3Error) || error.code !== 'NoSuchKey') return error;
  if (error.headers['x-amz-delete-marker'] === undefined) return error;
  const headers = { allow: 'DELETE', ...error.headers };
  return new S3Error('MethodNotAllowed', { extra: { ResourceType: 'DeleteMarker' }, headers, cause: error });
}
