import type { Call, S3Response } from '../call.ts';
import { answeredVersion } from '../headers.ts';
import { objectOf, versionIdOf } from '../request.ts';
import { maxTaggingBytes, objectTagRules, parseTagging } from '../tagging.ts';
import { actionFor } from '../versioned-actions.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html */
export async function putObjectTagging(call: Call): Promise<S3Response> {
  const { request, service, signal } = call;
  const ref = { ...objectOf(request), versionId: versionIdOf(request) };
  const tags = parseTagging(await call.text(maxTaggingBytes), objectTagRules);
  const { bucket, key, versionId } = ref;
  await call.authorise(actionFor('s3:PutObjectTagging', request), bucket, key, versionId, tags);
  const changed = await service.putTags(ref, tags, { signal });
  return { status: 200, headers: answeredVersion(changed) };
}
