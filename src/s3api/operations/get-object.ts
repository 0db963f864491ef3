import type { Call, S3Response } from '../call.ts';
import { parseReadRequest, selectRepresentation } from '../representation.ts';
import { objectOf } from '../request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html */
export async function getObject({ request, service, signal }: Call): Promise<S3Response> {
  const wanted = parseReadRequest(request);
  const { selection, body, giveBack, cache, owner } = await service.getObject(
    objectOf(request),
    (found, part) => selectRepresentation(wanted, found, part),
    { ...wanted.cache, signal, partNumber: wanted.partNumber },
  );
  const { status, headers } = selection;
  headers['x-forebay-cache'] = cache;
  headers['x-forebay-owner'] = owner;
  return { status, headers, body, giveBack };
}
