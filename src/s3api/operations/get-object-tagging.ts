import type { Call, S3Response } from '../call.ts';
import { objectOf, refuseOtherVersions } from '../request.ts';
import { taggingDocument } from '../tagging.ts';
import { xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html */
export async function getObjectTagging({ request, service, signal }: Call): Promise<S3Response> {
  refuseOtherVersions(request.query.get('versionId'));
  return xmlResponse(taggingDocument(await service.getTags(objectOf(request), { signal })));
}
