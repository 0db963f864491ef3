import type { Call, S3Request, S3Response } from '../call.ts';
import { decodeToken, encodeToken } from '../continuation-token.ts';
import { invalidArgument } from '../errors.ts';
import { contentsElements, parseListRequest } from '../listing.ts';
import { bucketOf, parameter } from '../request.ts';
import { optionalElement, rootElement, textElement, xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
export async function listObjectsV2({ request, region, service, signal }: Call): Promise<S3Response> {
  checkListType(request);
  const bucket = bucketOf(request);
  const { prefix, delimiter, limit, names } = parseListRequest(request, 'max-keys');
  const token = request.query.get('continuation-token');
  const startAfter = parameter(request, 'start-after');
  // A token leads on from where the page before it ended, which is never before `start-after`.
  const after = token === undefined ? startAfter : parseToken(token);
  const fetchOwner = parameter(request, 'fetch-owner')?.toLowerCase() === 'true';
  const bucketInfo = fetchOwner || limit === 0 ? await service.getBucket(bucket) : undefined;
  const { items, truncated } =
    limit === 0
      ? { items: [], truncated: false }
      : await service.listObjects(bucket, { prefix, delimiter, after, limit, signal });
  const last = truncated ? items.at(-1) : undefined;
  return xmlResponse(
    rootElement('ListBucketResult', [
      textElement('Name', bucket),
      names.write('Prefix', prefix),
      optionalElement('ContinuationToken', token),
      last === undefined ? '' : textElement('NextContinuationToken', encodeToken(last.key)),
      startAfter === undefined ? '' : names.write('StartAfter', startAfter),
      textElement('KeyCount', items.length),
      textElement('MaxKeys', limit),
      delimiter === undefined ? '' : names.write('Delimiter', delimiter),
      optionalElement('EncodingType', names.encodingType),
      textElement('IsTruncated', truncated),
      ...contentsElements(items, names, fetchOwner ? bucketInfo?.owner : undefined),
    ]),
    // Not in the reference, but in each of S3's answers (versity/versitygw#1814).
    { 'x-amz-bucket-region': region },
  );
}

function checkListType(request: S3Request): void {
  const listType = request.query.get('list-type') ?? '';
  if (listType !== '2')
    throw invalidArgument('list-type', listType, 'Invalid List Type specified in Request');
}

function parseToken(token: string): string {
  const after = decodeToken(token);
  if (after === undefined) {
    throw invalidArgument('continuation-token', token, 'The continuation token provided is incorrect');
  }
  return after;
}
