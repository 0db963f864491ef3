import type { ByteRange } from '../../common/byte-range.ts';
import { rangeLength } from '../../common/byte-range.ts';
import type { ObjectMeta } from '../../common/object-meta.ts';
import type { Call, S3Response } from '../call.ts';
import { checkCopySourceConditions } from '../conditions.ts';
import {
  checkCopySize,
  copiedFromHeaders,
  copySourceAction,
  parseCopySource,
  readingSource,
} from '../copy-source.ts';
import type { RequestHeaders } from '../headers.ts';
import { parseCopySourceRange } from '../range.ts';
import { refuseOnWrite } from '../refused-headers.ts';
import { objectOf, parsePartNumber, uploadIdOf } from '../request.ts';
import { ofUpload } from '../upload-id.ts';
import { xmlResponse } from '../xml.ts';
import { copyResult } from './copy-object.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html */
export async function uploadPartCopy(call: Call): Promise<S3Response> {
  const { request, service, signal } = call;
  refuseOnWrite(request.headers);
  const partNumber = parsePartNumber(request.query.get('partNumber') ?? '');
  const source = parseCopySource(request.headers);
  const { versionId } = source;
  const admit = await call.authorise(copySourceAction(source), source.bucket, source.key, versionId);
  const uploadId = uploadIdOf(request);
  const input = {
    source,
    selectSource: (meta: ObjectMeta) => {
      admit(meta);
      return selectSource(request.headers, meta);
    },
    uploadId,
    partNumber,
    signal,
  };
  const part = await ofUpload(uploadId, () =>
    readingSource(() => service.copyPart(objectOf(request), input)),
  );
  return xmlResponse(copyResult('CopyPartResult', part), copiedFromHeaders(part));
}

function selectSource(headers: RequestHeaders, meta: ObjectMeta): ByteRange | undefined {
  checkCopySourceConditions(headers, meta);
  const header = headers['x-amz-copy-source-range'];
  const range = header === undefined ? undefined : parseCopySourceRange(header, meta.sizeBytes);
  checkCopySize(range === undefined ? meta.sizeBytes : rangeLength(range));
  return range;
}
