import type { Call, S3Response } from '../call.ts';
import { answeredVersion } from '../headers.ts';
import { objectOf, versionIdOf } from '../request.ts';
import { taggingDocument } from '../tagging.ts';
import { xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html */
export async function getObjectTagging({ request, service, signal }: Call): Promise<S3Response> {
  const ref = { ...objectOf(request), versionId: versionIdOf(request) };
  const { tags, versionId } = await service.getTags(ref, { signal });
  return xmlResponse(taggingDocument(tags), answeredVersion(versionId));
}
