import type { Call, S3Response } from '../call.ts';
import { versionIdHeader } from '../headers.ts';
import { parseReadRequest, refuseOverrides, selectRepresentation } from '../representation.ts';
import { objectOf } from '../request.ts';
import { hideTagCount } from '../tagging.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html */
export async function headObject(call: Call): Promise<S3Response> {
  const { request, service, signal, gate } = call;
  const wanted = parseReadRequest(request);
  if (call.caller.policy === 'anonymous') refuseOverrides(wanted);
  const found = await service.headObject(objectOf(request), {
    ...wanted.cache,
    gate,
    signal,
    versionId: wanted.versionId,
    partNumber: wanted.partNumber,
    checksums: wanted.checksums,
  });
  const { status, headers } = selectRepresentation(wanted, found, found.part);
  if (found.meta.tagCount !== undefined) hideTagCount(call, headers);
  if (found.versionId !== undefined) headers[versionIdHeader] = found.versionId;
  headers['x-forebay-owner'] = found.owner;
  return { status, headers };
}
