import type { Call, S3Response } from '../call.ts';
import { bucketOf } from '../request.ts';
import { rootElement, textElement, xmlResponse } from '../xml.ts';

const statuses = { enabled: 'Enabled', suspended: 'Suspended' } as const;

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html. Nothing is said where it was never set. */
export async function getBucketVersioning({ request, service }: Call): Promise<S3Response> {
  const versioning = await service.getVersioning(bucketOf(request));
  const status = versioning === undefined ? [] : [textElement('Status', statuses[versioning])];
  return xmlResponse(rootElement('VersioningConfiguration', status));
}
