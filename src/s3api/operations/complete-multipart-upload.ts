import { type ChecksumAlgorithm, type Checksums, checksumAlgorithms } from '../../common/object-meta.ts';
import type { Call, S3Response } from '../call.ts';
import {
  checksumElementName,
  checksumElements,
  isChecksum,
  parseChecksumType,
  parseObjectChecksums,
} from '../checksums.ts';
import { authoriseCondition } from '../condition-rights.ts';
import { naming, parseWriteCondition } from '../conditions.ts';
import { refuseCopySource } from '../copy-source.ts';
import { invalidArgument, S3Error } from '../errors.ts';
import { madeVersionHeaders, quoted, type RequestHeaders } from '../headers.ts';
import { refuseOnWrite } from '../refused-headers.ts';
import { maxPartNumber, objectOf, parsePartNumber, uploadIdOf } from '../request.ts';
import type { CompleteInput } from '../service.ts';
import { ofUpload } from '../upload-id.ts';
import { optionalElement, rootElement, textElement, xmlResponse } from '../xml.ts';
import { leafTexts, parseXml, type XmlElement } from '../xml-reader.ts';

/** Room for 10,000 parts with the longest checksums and generous indentation. */
const maxBodyBytes = 4 * 1024 * 1024;

/** Part, PartNumber, ETag and one checksum of each kind. */
const elementsOfPart = 3 + checksumAlgorithms.length;

type Part = CompleteInput['parts'][number];

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html */
export async function completeMultipartUpload(call: Call): Promise<S3Response> {
  const { request, service, signal } = call;
  refuseOnWrite(request.headers);
  refuseCopySource(request.headers);
  const condition = parseWriteCondition(request.headers);
  const checksums = parseObjectChecksums(request.headers);
  const checksumType = parseChecksumType(request.headers);
  const expectedSizeBytes = parseExpectedSize(request.headers);
  const uploadId = uploadIdOf(request);
  const text = await call.text(maxBodyBytes);
  const parts = await ofUpload(uploadId, async () => parseParts(text));
  const ref = objectOf(request);
  await authoriseCondition(call, ref, condition);
  const input = { uploadId, parts, condition, checksums, checksumType, expectedSizeBytes, signal };
  const meta = await ofUpload(uploadId, () =>
    naming(condition, ref.key, () => service.completeUpload(ref, input)),
  );
  return xmlResponse(
    rootElement('CompleteMultipartUploadResult', [
      textElement('Location', request.baseUrl + request.rawPath),
      textElement('Bucket', ref.bucket),
      textElement('Key', ref.key),
      textElement('ETag', quoted(meta.etag)),
      checksumElements(meta.checksums),
      optionalElement('ChecksumType', meta.checksumType),
    ]),
    madeVersionHeaders(meta),
  );
}

function parseExpectedSize(headers: RequestHeaders): number | undefined {
  const value = headers['x-amz-mp-object-size'];
  if (value === undefined) return undefined;
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw new S3Error('InvalidRequest', {
    message: `Value for x-amz-mp-object-size header is invalid: '${value}'`,
  });
}

/** MalformedXML, InvalidRequest (no body at all), InvalidArgument, InvalidPartOrder. */
function parseParts(body: string): readonly Part[] {
  if (body === '') throw new S3Error('InvalidRequest', { message: 'You must specify at least one part' });
  const root = parseXml(body, 'CompleteMultipartUpload', maxPartNumber * elementsOfPart);
  if (root.children.length === 0 || root.children.length > maxPartNumber) throw new S3Error('MalformedXML');
  const parts = root.children.map(parsePart);
  for (let i = 1; i < parts.length; i++) {
    const before = parts[i - 1]?.partNumber ?? 0;
    if ((parts[i]?.partNumber ?? 0) <= before) throw new S3Error('InvalidPartOrder');
  }
  return parts;
}

const checksumNames = checksumAlgorithms.map(checksumElementName);

function parsePart(element: XmlElement): Part {
  if (element.name !== 'Part') throw new S3Error('MalformedXML');
  const texts: Partial<Record<string, string>> = leafTexts(element, ['PartNumber', 'ETag', ...checksumNames]);
  const { PartNumber: partNumber, ETag: etag } = texts;
  if (partNumber === undefined || etag === undefined) throw new S3Error('MalformedXML');
  if (/^(?:-\d+|0+)$/.test(partNumber.trim())) {
    throw invalidArgument('PartNumber', partNumber.trim(), 'PartNumber must be >= 1');
  }
  return {
    partNumber: parsePartNumber(partNumber.trim()),
    etag: plainTag(etag),
    checksums: parsePartChecksums(texts, partNumber.trim(), plainTag(etag)),
  };
}

function plainTag(text: string): string {
  return text.trim().replace(/^"(.*)"$/, '$1');
}

/** InvalidPart for what is no checksum: no part has it. */
function parsePartChecksums(
  texts: Partial<Record<string, string>>,
  partNumber: string,
  etag: string,
): Checksums {
  const checksums: { [Name in ChecksumAlgorithm]?: string } = {};
  for (const algorithm of checksumAlgorithms) {
    const value = texts[checksumElementName(algorithm)]?.trim();
    if (value === undefined) continue;
    if (!isChecksum(algorithm, value)) {
      throw new S3Error('InvalidPart', { extra: { PartNumber: partNumber, ETag: etag } });
    }
    checksums[algorithm] = value;
  }
  return checksums;
}
