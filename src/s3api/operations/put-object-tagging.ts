import type { Call, S3Response } from '../call.ts';
import { objectOf, refuseOtherVersions } from '../request.ts';
import { maxTaggingBytes, objectTagRules, parseTagging } from '../tagging.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html */
export async function putObjectTagging(call: Call): Promise<S3Response> {
  const { request, service, signal } = call;
  refuseOtherVersions(request.query.get('versionId'));
  const tags = parseTagging(await call.text(maxTaggingBytes), objectTagRules);
  await service.putTags(objectOf(request), tags, { signal });
  return { status: 200, headers: {} };
}
