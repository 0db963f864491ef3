import type { Call, S3Response } from '../call.ts';
import { xmlDate } from '../headers.ts';
import { type NameWriter, ownerElement, parseListRequest, prefixElement } from '../listing.ts';
import { bucketOf, parameter } from '../request.ts';
import type { UploadSummary } from '../service.ts';
import { element, optionalElement, rootElement, textElement, xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html */
export async function listMultipartUploads({ request, service }: Call): Promise<S3Response> {
  const bucket = bucketOf(request);
  const { prefix, delimiter, limit, names } = parseListRequest(request, 'max-uploads');
  const keyMarker = parameter(request, 'key-marker');
  // An upload id says where to go on among the uploads of one key, and nothing without that key.
  const uploadIdMarker = keyMarker === undefined ? undefined : parameter(request, 'upload-id-marker');
  const { owner } = await service.getBucket(bucket);
  const { entries, truncated } =
    limit === 0
      ? { entries: [], truncated: false }
      : await service.listUploads(bucket, { prefix, delimiter, keyMarker, uploadIdMarker, limit });
  const last = entries.at(-1);
  const nextKey = last?.kind === 'upload' ? last.upload.key : (last?.key ?? '');
  const nextId = last?.kind === 'upload' ? last.upload.uploadId : '';
  const uploads = entries.filter((entry) => entry.kind === 'upload');
  const prefixes = entries.filter((entry) => entry.kind === 'prefix');
  return xmlResponse(
    rootElement('ListMultipartUploadsResult', [
      textElement('Bucket', bucket),
      names.write('KeyMarker', keyMarker ?? ''),
      textElement('UploadIdMarker', uploadIdMarker ?? ''),
      // S3 tells where the list ends whether or not it goes on there.
      names.write('NextKeyMarker', nextKey),
      textElement('NextUploadIdMarker', nextId),
      prefix === '' ? '' : names.write('Prefix', prefix),
      delimiter === undefined ? '' : names.write('Delimiter', delimiter),
      optionalElement('EncodingType', names.encodingType),
      textElement('MaxUploads', limit),
      textElement('IsTruncated', truncated),
      ...uploads.map(({ upload }) => uploadElement(upload, owner, names)),
      ...prefixes.map(({ key }) => prefixElement(key, names)),
    ]),
  );
}

function uploadElement(upload: UploadSummary, bucketOwner: string, names: NameWriter): string {
  const owner = upload.access?.owner ?? bucketOwner;
  return element('Upload', [
    names.write('Key', upload.key),
    textElement('UploadId', upload.uploadId),
    ownerElement('Initiator', upload.initiator ?? owner),
    ownerElement('Owner', owner),
    textElement('StorageClass', upload.storageClass ?? 'STANDARD'),
    textElement('Initiated', xmlDate(upload.initiatedMs)),
    optionalElement('ChecksumAlgorithm', upload.checksumAlgorithm),
    optionalElement('ChecksumType', upload.checksumType),
  ]);
}
