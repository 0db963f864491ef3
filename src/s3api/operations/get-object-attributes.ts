import type { ObjectMeta } from '../../common/object-meta.ts';
import type { Call, S3Response } from '../call.ts';
import { checksumElements } from '../checksums.ts';
import { invalidArgument, S3Error } from '../errors.ts';
import { type AnswerHeaders, httpDate, type RequestHeaders, versionIdHeader } from '../headers.ts';
import { refuseOnRead } from '../refused-headers.ts';
import { partsClaimed } from '../representation.ts';
import { objectOf, versionIdOf } from '../request.ts';
import { element, optionalElement, rootElement, textElement } from '../xml.ts';

const attributes = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'] as const;
type Attribute = (typeof attributes)[number];

const header = 'x-amz-object-attributes';
const mostParts = 1000;

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html */
export async function getObjectAttributes(call: Call): Promise<S3Response> {
  const { request, service, signal, gate } = call;
  const { headers } = request;
  refuseOnRead(headers);
  const wanted = parseAttributes(headers);
  const { meta, versionId } = await service.headObject(objectOf(request), {
    gate,
    signal,
    versionId: versionIdOf(request),
    checksums: wanted.has('Checksum') || wanted.has('ObjectParts'),
  });
  const body = rootElement('GetObjectAttributesResponse', [
    wanted.has('ETag') ? textElement('ETag', meta.etag) : '',
    wanted.has('Checksum') ? checksumElement(meta) : '',
    wanted.has('ObjectParts') ? await partsElement(call, meta) : '',
    wanted.has('StorageClass') ? textElement('StorageClass', meta.storageClass ?? 'STANDARD') : '',
    wanted.has('ObjectSize') ? textElement('ObjectSize', meta.sizeBytes) : '',
  ]);
  const answered: AnswerHeaders = {
    'content-type': 'application/xml',
    'last-modified': httpDate(meta.lastModifiedMs),
  };
  if (versionId !== undefined) answered[versionIdHeader] = versionId;
  return { status: 200, headers: answered, body };
}

/** InvalidRequest for none, InvalidArgument for a name that S3 does not know. */
function parseAttributes(headers: RequestHeaders): ReadonlySet<Attribute> {
  const names = (headers[header] ?? '').split(',').map((name) => name.trim());
  const given = names.filter((name) => name !== '');
  if (given.length === 0) {
    throw new S3Error('InvalidRequest', {
      message: `The ${header} header specifying the attributes to be retrieved is either missing or empty`,
    });
  }
  const found = given.map((name) => {
    const known = attributes.find((attribute) => attribute === name);
    if (known === undefined) throw invalidArgument(header, name, 'Invalid attribute name specified.');
    return known;
  });
  return new Set(found);
}

/** A composite checksum is shown without the number of parts here. */
function checksumElement({ checksums, checksumType }: ObjectMeta): string {
  if (checksums === undefined || Object.keys(checksums).length === 0) return '';
  const plain = Object.entries(checksums).map(([name, value]) => [name, value.replace(/-\d+$/, '')]);
  return element('Checksum', [
    checksumElements(Object.fromEntries(plain)),
    optionalElement('ChecksumType', checksumType),
  ]);
}

/** Of an object made of parts their number, and the parts themselves where the object's checksum is made of theirs. */
async function partsElement({ request, service, signal }: Call, meta: ObjectMeta): Promise<string> {
  const count = meta.parts?.length ?? (/-\d+$/.test(meta.etag) ? partsClaimed(meta) : undefined);
  if (count === undefined) return '';
  const total = textElement('PartsCount', count);
  if (meta.checksumType !== 'COMPOSITE') return element('ObjectParts', [total]);
  const limit = Math.min(numberIn(request.headers, 'x-amz-max-parts') ?? mostParts, mostParts);
  const afterPartNumber = numberIn(request.headers, 'x-amz-part-number-marker') ?? 0;
  const page = { afterPartNumber, limit, signal };
  const { parts, truncated } =
    limit === 0
      ? { parts: [], truncated: false }
      : await service.listObjectParts(objectOf(request), meta, page);
  return element('ObjectParts', [
    total,
    textElement('PartNumberMarker', afterPartNumber),
    textElement('NextPartNumberMarker', parts.at(-1)?.partNumber ?? 0),
    textElement('MaxParts', limit),
    textElement('IsTruncated', truncated),
    ...parts.map((part) =>
      element('Part', [
        textElement('PartNumber', part.partNumber),
        textElement('Size', part.sizeBytes),
        checksumElements(part.checksums),
      ]),
    ),
  ]);
}

/** S3 passes over what is no number here. */
function numberIn(headers: RequestHeaders, name: string): number | undefined {
  const value = headers[name];
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}
