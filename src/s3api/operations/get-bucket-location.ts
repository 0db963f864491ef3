import type { Call, S3Response } from '../call.ts';
import { bucketOf } from '../request.ts';
import { escapeText, rootElement, xmlResponse } from '../xml.ts';

/** Empty for us-east-1. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html */
export async function getBucketLocation({ request, region, service }: Call): Promise<S3Response> {
  await service.getBucket(bucketOf(request));
  const location = region === 'us-east-1' ? [] : [escapeText(region)];
  return xmlResponse(rootElement('LocationConstraint', location));
}
