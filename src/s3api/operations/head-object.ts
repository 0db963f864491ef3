import type { Call, S3Response } from '../call.ts';
import { parseReadRequest, selectRepresentation } from '../representation.ts';
import { objectOf } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html */
export async function headObject({ request, service, signal }: Call): Promise<S3Response> {
  const wanted = parseReadRequest(request);
  const { meta, part, owner } = await service.headObject(objectOf(request), {
    signal,
    revalidate: wanted.revalidate,
    partNumber: wanted.partNumber,
  });
  const { status, headers } = selectRepresentation(wanted, meta, part);
  headers['x-forebay-owner'] = owner;
  return { status, headers };
}
