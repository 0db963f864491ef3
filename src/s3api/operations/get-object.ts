import { type AtOnce, isPending } from '../../common/at-once.ts';
import type { Call, S3Response } from '../call.ts';
import { parseReadRequest, type Representation, selectRepresentation } from '../representation.ts';
import { objectOf } from '../request.ts';
import type { FoundVersion, PartPlace, ReadObject } from '../service.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html */
export function getObject(call: Call): AtOnce<S3Response> {
  const { request, service } = call;
  const wanted = parseReadRequest(request);
  const { revalidate, maxAgeMs, noStore, onlyIfCached } = wanted.cache;
  const read = service.getObject(
    objectOf(request),
    (found: FoundVersion, part?: PartPlace) => selectRepresentation(wanted, found, part),
    {
      revalidate,
      maxAgeMs,
      noStore,
      onlyIfCached,
      partNumber: wanted.partNumber,
      checksums: wanted.checksums,
      read: wanted.read,
      // Made when it is asked for: an answer that is at hand needs none.
      get signal() {
        return call.signal;
      },
    },
  );
  return isPending(read) ? read.then(answer) : answer(read);
}

function answer({ selection, body, giveBack, cache, owner }: ReadObject<Representation>): S3Response {
  const { status, headers } = selection;
  headers['x-forebay-cache'] = cache;
  headers['x-forebay-owner'] = owner;
  return { status, headers, body, giveBack };
}
