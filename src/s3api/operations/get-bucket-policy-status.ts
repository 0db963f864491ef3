import type { Call, S3Response } from '../call.ts';
import { parsePolicy } from '../policy/parse-policy.ts';
import { bucketOf } from '../request.ts';
import { rootElement, textElement, xmlResponse } from '../xml.ts';
import { policyOf } from './get-bucket-policy.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html */
export async function getBucketPolicyStatus({ request, service }: Call): Promise<S3Response> {
  const bucket = bucketOf(request);
  // Who is named in it was looked at when it was put.
  const { isPublic } = parsePolicy(await policyOf(service, bucket), { bucket, isUser: () => true });
  return xmlResponse(rootElement('PolicyStatus', [textElement('IsPublic', isPublic)]));
}
