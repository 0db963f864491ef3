import type { Call, S3Response } from '../call.ts';
import { authoriseCondition } from '../condition-rights.ts';
import { naming, parseWriteCondition } from '../conditions.ts';
import { notImplemented } from '../errors.ts';
import { type AnswerHeaders, versionIdHeader } from '../headers.ts';
import { refuseOnWrite } from '../refused-headers.ts';
import { objectOf, versionIdOf } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html */
export async function deleteObject(call: Call): Promise<S3Response> {
  const { request, service, signal } = call;
  refuseOnWrite(request.headers);
  const ref = { ...objectOf(request), versionId: versionIdOf(request) };
  // Of an object that is to be deleted only If-Match can be asked.
  if (request.headers['if-none-match'] !== undefined) throw notImplemented('If-None-Match');
  const condition = parseWriteCondition(request.headers);
  await authoriseCondition(call, ref, condition);
  const { versionId, deleteMarker } = await naming(condition, ref.key, () =>
    service.deleteObject(ref, { condition, signal }),
  );
  const headers: AnswerHeaders = {};
  if (deleteMarker) headers['x-amz-delete-marker'] = 'true';
  if (versionId !== undefined) headers[versionIdHeader] = versionId;
  return { status: 204, headers };
}
