import { compareUtf8 } from '../../common/utf8-order.ts';
import type { Call, S3Request, S3Response } from '../call.ts';
import { decodeToken, encodeToken } from '../continuation-token.ts';
import { invalidArgument } from '../errors.ts';
import { xmlDate } from '../headers.ts';
import { ownerElement } from '../listing.ts';
import { bucketArn } from '../names.ts';
import { parameter } from '../request.ts';
import type { BucketInfo } from '../service.ts';
import { element, optionalElement, rootElement, textElement, xmlResponse } from '../xml.ts';

const mostBuckets = 10_000;

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html */
export async function listBuckets({ request, caller, region, service }: Call): Promise<S3Response> {
  const prefix = parameter(request, 'prefix');
  const limit = parseMaxBuckets(request);
  const after = parseToken(request);
  const wantedRegion = parameter(request, 'bucket-region') ?? region;
  const all = wantedRegion === region ? await service.listBuckets(caller) : [];
  const buckets = all.filter(
    ({ name }) => name.startsWith(prefix ?? '') && (after === undefined || compareUtf8(name, after) > 0),
  );
  const page = buckets.slice(0, limit);
  const last = page.length < buckets.length ? page.at(-1) : undefined;
  return xmlResponse(
    rootElement('ListAllMyBucketsResult', [
      ownerElement('Owner', caller.userName),
      element(
        'Buckets',
        page.map((bucket) => bucketElement(bucket, region)),
      ),
      last === undefined ? '' : textElement('ContinuationToken', encodeToken(last.name)),
      optionalElement('Prefix', prefix),
    ]),
  );
}

function bucketElement(bucket: BucketInfo, region: string): string {
  return element('Bucket', [
    textElement('Name', bucket.name),
    textElement('CreationDate', xmlDate(bucket.createdMs)),
    textElement('BucketRegion', region),
    textElement('BucketArn', bucketArn(bucket.name)),
  ]);
}

function parseMaxBuckets(request: S3Request): number {
  const value = parameter(request, 'max-buckets');
  if (value === undefined) return mostBuckets;
  const limit = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (limit < 1 || limit > mostBuckets) {
    throw invalidArgument(
      'max-buckets',
      value,
      `Argument max-buckets must be an integer between 1 and ${mostBuckets}`,
    );
  }
  return limit;
}

function parseToken(request: S3Request): string | undefined {
  const token = parameter(request, 'continuation-token');
  const after = token === undefined ? undefined : decodeToken(token);
  if (token !== undefined && after === undefined) {
    throw invalidArgument('continuation-token', token, 'The continuation token provided is incorrect');
  }
  return after;
}
