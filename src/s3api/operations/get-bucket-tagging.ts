import type { Call, S3Response } from '../call.ts';
import { S3Error } from '../errors.ts';
import { bucketOf } from '../request.ts';
import { taggingDocument } from '../tagging.ts';
import { xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html */
export async function getBucketTagging({ request, service }: Call): Promise<S3Response> {
  const { name, tags } = await service.getBucket(bucketOf(request));
  if (tags === undefined) throw new S3Error('NoSuchTagSet', { extra: { BucketName: name } });
  return xmlResponse(taggingDocument(tags));
}
