import type { Call, S3Response } from '../call.ts';
import { parseCorsXml } from '../cors-xml.ts';
import { bucketOf } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html: a configuration has at most 64 KB. */
const maxBodyBytes = 64 * 1024;

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html */
export async function putBucketCors(call: Call): Promise<S3Response> {
  const cors = parseCorsXml(await call.text(maxBodyBytes));
  await call.service.changeBucketAccess(bucketOf(call.request), (present) => ({ ...present, cors }));
  return { status: 200, headers: {} };
}
