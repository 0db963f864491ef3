import type { Call, S3Response } from '../call.ts';
import { contentsElements, parseListRequest } from '../listing.ts';
import { bucketOf, parameter } from '../request.ts';
import { optionalElement, rootElement, textElement, xmlResponse } from '../xml.ts';

/** The first version of the list. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html */
export async function listObjects({ request, region, service, signal }: Call): Promise<S3Response> {
  const bucket = bucketOf(request);
  const { prefix, delimiter, limit, names } = parseListRequest(request, 'max-keys');
  const marker = parameter(request, 'marker');
  const { owner } = await service.getBucket(bucket);
  const { items, truncated } =
    limit === 0
      ? { items: [], truncated: false }
      : await service.listObjects(bucket, { prefix, delimiter, after: marker, limit, signal });
  // Without a delimiter the last key is the next marker, and S3 leaves saying so out.
  const last = truncated && delimiter !== undefined ? items.at(-1) : undefined;
  return xmlResponse(
    rootElement('ListBucketResult', [
      textElement('Name', bucket),
      names.write('Prefix', prefix),
      names.write('Marker', marker ?? ''),
      last === undefined ? '' : names.write('NextMarker', last.key),
      textElement('MaxKeys', limit),
      delimiter === undefined ? '' : names.write('Delimiter', delimiter),
      optionalElement('EncodingType', names.encodingType),
      textElement('IsTruncated', truncated),
      ...contentsElements(items, names, owner),
    ]),
    // Not in the reference, but in each of S3's answers (versity/versitygw#1814).
    { 'x-amz-bucket-region': region },
  );
}
