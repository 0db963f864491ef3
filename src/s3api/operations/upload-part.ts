import type { Call, S3Response } from '../call.ts';
import { addChecksumHeaders } from '../checksums.ts';
import { type AnswerHeaders, quoted } from '../headers.ts';
import { refuseOnWrite } from '../refused-headers.ts';
import { objectOf, parsePartNumber, uploadIdOf } from '../request.ts';
import { openUpload } from '../upload.ts';
import { ofUpload } from '../upload-id.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html */
export async function uploadPart(call: Call): Promise<S3Response> {
  const { request, service, signal } = call;
  refuseOnWrite(request.headers);
  const partNumber = parsePartNumber(request.query.get('partNumber') ?? '');
  const uploadId = uploadIdOf(request);
  const body = openUpload(call);
  const part = await ofUpload(uploadId, () =>
    service.putPart(objectOf(request), { uploadId, partNumber, body, signal }),
  );
  const headers: AnswerHeaders = { etag: quoted(part.etag) };
  addChecksumHeaders(headers, part);
  return { status: 200, headers };
}
