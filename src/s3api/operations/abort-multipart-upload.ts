import type { Call, S3Response } from '../call.ts';
import { refuseOnWrite } from '../refused-headers.ts';
import { objectOf, uploadIdOf } from '../request.ts';
import { ofUpload } from '../upload-id.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html */
export async function abortMultipartUpload({ request, service }: Call): Promise<S3Response> {
  refuseOnWrite(request.headers);
  const uploadId = uploadIdOf(request);
  await ofUpload(uploadId, () => service.abortUpload(objectOf(request), uploadId));
  return { status: 204, headers: {} };
}
