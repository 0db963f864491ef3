import type { Call, S3Response } from '../call.ts';
import { versionIdHeader } from '../headers.ts';
import { parseReadRequest, selectRepresentation } from '../representation.ts';
import { objectOf } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html */
export async function headObject({ request, service, signal, gate }: Call): Promise<S3Response> {
  const wanted = parseReadRequest(request);
  const found = await service.headObject(objectOf(request), {
    ...wanted.cache,
    gate,
    signal,
    versionId: wanted.versionId,
    partNumber: wanted.partNumber,
    checksums: wanted.checksums,
  });
  const { status, headers } = selectRepresentation(wanted, found, found.part);
  if (found.versionId !== undefined) headers[versionIdHeader] = found.versionId;
  headers['x-forebay-owner'] = found.owner;
  return { status, headers };
}
