import type { Call, S3Response } from '../call.ts';
import { S3Error } from '../errors.ts';
import { bucketOf } from '../request.ts';
import { element, rootElement, textElement, xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html */
export async function getBucketOwnershipControls({ request, service }: Call): Promise<S3Response> {
  const bucket = bucketOf(request);
  const { access } = await service.getBucket(bucket);
  if (access?.ownership === undefined) {
    throw new S3Error('OwnershipControlsNotFoundError', { extra: { BucketName: bucket } });
  }
  const rule = element('Rule', [textElement('ObjectOwnership', access.ownership)]);
  return xmlResponse(rootElement('OwnershipControls', [rule]));
}
