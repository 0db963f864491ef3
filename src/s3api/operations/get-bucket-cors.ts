import type { Call, S3Response } from '../call.ts';
import { corsXml } from '../cors-xml.ts';
import { S3Error } from '../errors.ts';
import { bucketOf } from '../request.ts';
import { xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html */
export async function getBucketCors({ request, service }: Call): Promise<S3Response> {
  const bucket = bucketOf(request);
  const { access } = await service.getBucket(bucket);
  if (access?.cors !== undefined) return xmlResponse(corsXml(access.cors));
  throw new S3Error('NoSuchCORSConfiguration', { extra: { BucketName: bucket } });
}
