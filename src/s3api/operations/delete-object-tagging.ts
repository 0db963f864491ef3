import type { Call, S3Response } from '../call.ts';
import { answeredVersion } from '../headers.ts';
import { objectOf, versionIdOf } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html */
export async function deleteObjectTagging({ request, service, signal }: Call): Promise<S3Response> {
  const ref = { ...objectOf(request), versionId: versionIdOf(request) };
  const versionId = await service.putTags(ref, [], { signal });
  return { status: 204, headers: answeredVersion(versionId) };
}
