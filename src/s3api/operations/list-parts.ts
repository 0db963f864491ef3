import type { Call, S3Request, S3Response } from '../call.ts';
import { checksumElements } from '../checksums.ts';
import { invalidArgument } from '../errors.ts';
import { quoted, xmlDate } from '../headers.ts';
import { ownerElement, parseNames } from '../listing.ts';
import { objectOf, parameter, parseLimit, uploadIdOf } from '../request.ts';
import type { PartSummary } from '../service.ts';
import { ofUpload } from '../upload-id.ts';
import { element, optionalElement, rootElement, textElement, xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html */
export async function listParts({ request, service }: Call): Promise<S3Response> {
  const ref = objectOf(request);
  const uploadId = uploadIdOf(request);
  const limit = parseLimit(request, 'max-parts');
  const marker = parseMarker(request);
  const names = parseNames(request);
  // With a limit of none the upload is still looked for.
  const page = { uploadId, afterPartNumber: marker, limit: Math.max(1, limit) };
  const found = await ofUpload(uploadId, () => service.listParts(ref, page));
  const parts = found.parts.slice(0, limit);
  const truncated = limit > 0 && found.truncated;
  const { owner } = await service.getBucket(ref.bucket);
  return xmlResponse(
    rootElement('ListPartsResult', [
      textElement('Bucket', ref.bucket),
      names.write('Key', ref.key),
      textElement('UploadId', uploadId),
      ownerElement('Initiator', found.upload.initiator ?? found.upload.access?.owner ?? owner),
      ownerElement('Owner', found.upload.access?.owner ?? owner),
      textElement('StorageClass', found.upload.storageClass ?? 'STANDARD'),
      textElement('PartNumberMarker', marker),
      textElement('NextPartNumberMarker', parts.at(-1)?.partNumber ?? 0),
      textElement('MaxParts', limit),
      optionalElement('EncodingType', names.encodingType),
      textElement('IsTruncated', truncated),
      optionalElement('ChecksumAlgorithm', found.upload.checksumAlgorithm),
      optionalElement('ChecksumType', found.upload.checksumType),
      ...parts.map(partElement),
    ]),
  );
}

function parseMarker(request: S3Request): number {
  const value = parameter(request, 'part-number-marker') ?? '0';
  if (/^\d{1,10}$/.test(value) && Number(value) <= 2_147_483_647) return Number(value);
  throw invalidArgument(
    'part-number-marker',
    value,
    'Argument part-number-marker must be an integer between 0 and 2147483647',
  );
}

function partElement(part: PartSummary): string {
  return element('Part', [
    textElement('PartNumber', part.partNumber),
    textElement('LastModified', xmlDate(part.lastModifiedMs)),
    textElement('ETag', quoted(part.etag)),
    textElement('Size', part.sizeBytes),
    checksumElements(part.checksums),
  ]);
}
