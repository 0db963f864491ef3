import type { Call, S3Response } from '../call.ts';
import { objectOf, refuseOtherVersions } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html */
export async function deleteObjectTagging({ request, service, signal }: Call): Promise<S3Response> {
  refuseOtherVersions(request.query.get('versionId'));
  await service.putTags(objectOf(request), [], { signal });
  return { status: 204, headers: {} };
}
