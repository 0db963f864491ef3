import type { Call, S3Response } from '../call.ts';
import { objectOf, versionIdOf } from '../request.ts';
import { taggingDocument } from '../tagging.ts';
import { xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html */
export async function getObjectTagging({ request, service, signal }: Call): Promise<S3Response> {
  const ref = { ...objectOf(request), versionId: versionIdOf(request) };
  return xmlResponse(taggingDocument(await service.getTags(ref, { signal })));
}
