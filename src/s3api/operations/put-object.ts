import type { Call, S3Response } from '../call.ts';
import { addChecksumHeaders } from '../checksums.ts';
import { authoriseCondition } from '../condition-rights.ts';
import { naming, parseWriteCondition } from '../conditions.ts';
import { type AnswerHeaders, madeVersionHeaders, parseNewObject, quoted } from '../headers.ts';
import { refuseOnWrite } from '../refused-headers.ts';
import { objectOf, refusePartNumber, refuseVersionId } from '../request.ts';
import { parseNewTags } from '../tagging.ts';
import { openUpload } from '../upload.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html */
export async function putObject(call: Call): Promise<S3Response> {
  const { request, service, signal } = call;
  refuseOnWrite(request.headers);
  refuseVersionId(request);
  refusePartNumber(request);
  const condition = parseWriteCondition(request.headers);
  const newObject = parseNewObject(request.headers);
  const tags = await parseNewTags(call);
  const access = call.newObjectAccess();
  await authoriseCondition(call, objectOf(request), condition);
  const body = openUpload(call);
  const input = { ...newObject, tags, access, condition, body, signal };
  const write = () => service.putObject(objectOf(request), input);
  const meta = await naming(condition, objectOf(request).key, write);
  const headers: AnswerHeaders = { etag: quoted(meta.etag), ...madeVersionHeaders(meta) };
  addChecksumHeaders(headers, meta);
  return { status: 200, headers };
}
