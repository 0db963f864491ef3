import type { Call, S3Response } from '../call.ts';
import { bucketOf } from '../request.ts';
import { rootElement, xmlResponse } from '../xml.ts';

/**
 * What S3 says of a bucket whose versioning was never set; clients ask before they list or delete.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html
 */
export async function getBucketVersioning({ request, service }: Call): Promise<S3Response> {
  await service.getBucket(bucketOf(request));
  return xmlResponse(rootElement('VersioningConfiguration', []));
}
