import type { Call, S3Response } from '../call.ts';
import { parseUploadChecksum } from '../checksums.ts';
import { refuseCopySource } from '../copy-source.ts';
import { type AnswerHeaders, parseNewObject } from '../headers.ts';
import { refuseOnWrite } from '../refused-headers.ts';
import { objectOf, refuseVersionId } from '../request.ts';
import { parseNewTags } from '../tagging.ts';
import { rootElement, textElement } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html */
export async function createMultipartUpload(call: Call): Promise<S3Response> {
  const { request, service } = call;
  refuseOnWrite(request.headers);
  refuseCopySource(request.headers);
  refuseVersionId(request);
  const checksum = parseUploadChecksum(request.headers);
  const newObject = parseNewObject(request.headers);
  const tags = await parseNewTags(call);
  const ref = objectOf(request);
  const access = call.newObjectAccess();
  const { owner } = await service.getBucket(ref.bucket);
  const initiator = call.caller.userName === owner ? undefined : call.caller.userName;
  const upload = await service.createUpload(ref, { ...newObject, tags, ...checksum, access, initiator });
  const headers: AnswerHeaders = { 'content-type': 'application/xml' };
  if (checksum.checksumAlgorithm !== undefined) {
    headers['x-amz-checksum-algorithm'] = checksum.checksumAlgorithm;
  }
  if (checksum.checksumType !== undefined) headers['x-amz-checksum-type'] = checksum.checksumType;
  const body = rootElement('InitiateMultipartUploadResult', [
    textElement('Bucket', ref.bucket),
    textElement('Key', ref.key),
    textElement('UploadId', upload.uploadId),
  ]);
  return { status: 200, headers, body };
}
