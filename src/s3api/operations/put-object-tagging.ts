import type { Call, S3Response } from '../call.ts';
import { objectOf, versionIdOf } from '../request.ts';
import { maxTaggingBytes, objectTagRules, parseTagging } from '../tagging.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html */
export async function putObjectTagging(call: Call): Promise<S3Response> {
  const { request, service, signal } = call;
  const ref = { ...objectOf(request), versionId: versionIdOf(request) };
  const tags = parseTagging(await call.text(maxTaggingBytes), objectTagRules);
  await service.putTags(ref, tags, { signal });
  return { status: 200, headers: {} };
}
