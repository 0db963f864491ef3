import type { Call, S3Response } from '../call.ts';
import { refuseOnWrite } from '../refused-headers.ts';
import { objectOf, uploadIdOf } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html */
export async function abortMultipartUpload({ request, service }: Call): Promise<S3Response> {
  refuseOnWrite(request.headers);
  await service.abortUpload(objectOf(request), uploadIdOf(request));
  return { status: 204, headers: {} };
}
