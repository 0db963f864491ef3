import {
  type ChecksumAlgorithm,
  type Checksums,
  type ChecksumType,
  checksumAlgorithms,
  type ObjectMeta,
} from '../common/object-meta.ts';
import { S3Error } from './errors.ts';
import type { AnswerHeaders, RequestHeaders } from './headers.ts';
import { optionalElement } from './xml.ts';

const digestBytes: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
};

/** The algorithms that CRCs of parts can be combined in, so that the whole object has a checksum of its bytes. */
const linear: readonly ChecksumAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME'];

function headerOf(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

/** `ChecksumCRC32` and its like, as elements are called. */
export function checksumElementName(algorithm: ChecksumAlgorithm): string {
  return `Checksum${algorithm}`;
}

/** Base64 of the right length; with `composite`, `-N` may follow. */
export function isChecksum(algorithm: ChecksumAlgorithm, value: string, composite = false): boolean {
  const digest = composite ? value.replace(/-\d{1,5}$/, '') : value;
  const bytes = Buffer.from(digest, 'base64');
  return bytes.length === digestBytes[algorithm] && bytes.toString('base64') === digest;
}

/** The checksum headers of CompleteMultipartUpload: of the object, not of the body. At most one. InvalidRequest. */
export function parseObjectChecksums(headers: RequestHeaders): Checksums {
  const checksums: { [Name in ChecksumAlgorithm]?: string } = {};
  for (const algorithm of checksumAlgorithms) {
    const header = headerOf(algorithm);
    const value = headers[header];
    if (value === undefined) continue;
    if (!isChecksum(algorithm, value, true)) {
      throw new S3Error('InvalidRequest', { message: `Value for ${header} header is invalid.` });
    }
    checksums[algorithm] = value;
  }
  if (Object.keys(checksums).length > 1) {
    throw new S3Error('InvalidRequest', {
      message: 'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    });
  }
  return checksums;
}

/** `x-amz-checksum-algorithm`. InvalidRequest. */
export function parseChecksumAlgorithm(headers: RequestHeaders): ChecksumAlgorithm | undefined {
  const value = headers['x-amz-checksum-algorithm'];
  if (value === undefined) return undefined;
  const upper = value.toUpperCase();
  const algorithm = checksumAlgorithms.find((known) => known === upper);
  if (algorithm === undefined) {
    throw new S3Error('InvalidRequest', {
      message:
        'Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]',
    });
  }
  return algorithm;
}

/** `x-amz-checksum-type`. InvalidRequest. */
export function parseChecksumType(headers: RequestHeaders): ChecksumType | undefined {
  const value = headers['x-amz-checksum-type'];
  if (value === undefined || value === 'FULL_OBJECT' || value === 'COMPOSITE') return value;
  throw new S3Error('InvalidRequest', { message: 'Value for x-amz-checksum-type header is invalid.' });
}

/**
 * Algorithm and type of a new upload: CRC64NVME is always of the whole object, SHA-1 and SHA-256 always of the parts, and
 * the others of the parts unless asked for (S3 User Guide, "Checking object integrity", multipart uploads). InvalidRequest.
 */
export function parseUploadChecksum(headers: RequestHeaders): {
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: ChecksumType;
} {
  const checksumAlgorithm = parseChecksumAlgorithm(headers);
  const asked = parseChecksumType(headers);
  if (checksumAlgorithm === undefined) {
    if (asked === undefined) return {};
    throw new S3Error('InvalidRequest', {
      message: 'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    });
  }
  const checksumType = asked ?? (checksumAlgorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE');
  const possible =
    checksumType === 'COMPOSITE' ? checksumAlgorithm !== 'CRC64NVME' : linear.includes(checksumAlgorithm);
  if (!possible) {
    throw new S3Error('InvalidRequest', {
      message: `The ${checksumType} checksum type cannot be used with the ${checksumAlgorithm.toLowerCase()} checksum algorithm.`,
    });
  }
  return { checksumAlgorithm, checksumType };
}

/** Adds the checksums that are kept with an object. */
export function addChecksumHeaders(
  headers: AnswerHeaders,
  meta: Pick<ObjectMeta, 'checksums' | 'checksumType'>,
): void {
  const { checksums } = meta;
  if (checksums === undefined) return;
  let found = false;
  for (const algorithm of checksumAlgorithms) {
    const value = checksums[algorithm];
    if (value === undefined) continue;
    headers[headerOf(algorithm)] = value;
    found = true;
  }
  if (found && meta.checksumType !== undefined) headers['x-amz-checksum-type'] = meta.checksumType;
}

/** `<ChecksumCRC32>…` and its like, in the order of the algorithms' names. */
export function checksumElements(checksums: Checksums | undefined): string {
  if (checksums === undefined) return '';
  return checksumAlgorithms
    .map((name) => optionalElement(checksumElementName(name), checksums[name]))
    .join('');
}
