import { digestLengths, isChecksumValue } from '../common/checksums.ts';
import { type AnnouncedChecksum, type ChecksumAlgorithm, checksumAlgorithms } from '../common/object-meta.ts';
import { S3Error } from '../s3api/errors.ts';
import type { PayloadMode } from './payload-mode.ts';

/** What a request's headers say about its body: all there is to check, known before any byte is read. */
export interface PayloadSpec {
  /** Bytes of the content, any encoding taken off. */
  readonly sizeBytes: number;
  /** Undefined: the body is the content itself. */
  readonly chunks: { readonly signed: boolean; readonly trailer: boolean } | undefined;
  /** SHA-256 of the whole body in hex, where the signature covers it. */
  readonly sha256: string | undefined;
  readonly contentMd5: Buffer | undefined;
  /** At most one: `value` is base64 out of a header, undefined if it comes in the trailer. */
  readonly checksum: AnnouncedChecksum | undefined;
}

export interface PayloadRules {
  /** Largest content, bytes; above it EntityTooLarge. */
  readonly maximumBytes: number;
  /** Whether a request without any length is refused (uploads) or has no body (requests with a small document). */
  readonly lengthRequired: boolean;
  /**
   * What `x-amz-checksum-*` is over: this request's body, or an object that the body only speaks of
   * (CompleteMultipartUpload), where it is not checked here.
   */
  readonly checksumsOf: 'body' | 'object';
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Pure. MissingContentLength, NotImplemented (a transfer coding, and no length), IncompleteBody (lengths that contradict each other), EntityTooLarge, InvalidDigest,
 * InvalidRequest, MalformedTrailerError.
 * Sources: S3 API Reference, PutObject; S3 User Guide, "Checking object integrity".
 */
export function payloadSpec(headers: Headers, payload: PayloadMode, rules: PayloadRules): PayloadSpec {
  const chunks =
    payload.kind === 'signed-chunks'
      ? { signed: true, trailer: payload.trailer }
      : payload.kind === 'unsigned-chunks'
        ? { signed: false, trailer: true }
        : undefined;
  const sizeBytes = contentSize(headers, chunks !== undefined, rules.lengthRequired);
  if (sizeBytes > rules.maximumBytes) {
    throw new S3Error('EntityTooLarge', {
      extra: { ProposedSize: String(sizeBytes), MaxSizeAllowed: String(rules.maximumBytes) },
    });
  }
  return {
    sizeBytes,
    chunks,
    sha256: payload.kind === 'hashed' ? payload.sha256 : undefined,
    contentMd5: contentMd5(headers),
    checksum: checksum(headers, chunks?.trailer ?? false, rules.checksumsOf),
  };
}

function contentSize(headers: Headers, chunked: boolean, required: boolean): number {
  const encoded = lengthHeader(headers, 'content-length');
  const decoded = lengthHeader(headers, 'x-amz-decoded-content-length');
  // S3 takes a body whose length nobody tells for one in a coding that it does not have (aws/aws-sdk-js-v3#3403).
  if (decoded === undefined && headers['transfer-encoding'] !== undefined) {
    throw new S3Error('NotImplemented', { extra: { Header: 'Transfer-Encoding' } });
  }
  if (chunked) {
    if (decoded === undefined) throw new S3Error('MissingContentLength');
    // The encoding adds at least the line of the last chunk, with its blank line.
    if (encoded !== undefined && encoded < decoded + '0\r\n\r\n'.length) throw new S3Error('IncompleteBody');
    return decoded;
  }
  if (encoded !== undefined && decoded !== undefined && encoded !== decoded) {
    throw new S3Error('IncompleteBody');
  }
  const size = encoded ?? decoded;
  if (size !== undefined) return size;
  // RFC 9112, 6.3: without a length and without a transfer coding there is no body.
  if (required) throw new S3Error('MissingContentLength');
  return 0;
}

function lengthHeader(headers: Headers, name: string): number | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  if (!/^\d{1,15}$/.test(String(value))) throw new S3Error('MissingContentLength');
  return Number(value);
}

function contentMd5(headers: Headers): Buffer | undefined {
  const value = headers['content-md5'];
  if (value === undefined) return undefined;
  const bytes = Buffer.from(String(value), 'base64');
  if (bytes.length !== digestLengths.MD5 || bytes.toString('base64') !== value) {
    throw new S3Error('InvalidDigest', { extra: { 'Content-MD5': String(value) } });
  }
  return bytes;
}

const prefix = 'x-amz-checksum-';
/** Headers that begin alike and carry no checksum. */
const notValues = new Set(['x-amz-checksum-type', 'x-amz-checksum-mode', 'x-amz-checksum-algorithm']);

function checksum(
  headers: Headers,
  trailer: boolean,
  of: PayloadRules['checksumsOf'],
): PayloadSpec['checksum'] {
  const announced = trailerAlgorithms(headers, trailer);
  const found: { algorithm: ChecksumAlgorithm; value: string | undefined }[] = announced.map((algorithm) => ({
    algorithm,
    value: undefined,
  }));
  if (of === 'body') found.push(...headerChecksums(headers));
  if (found.length > 1) {
    throw invalid('Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.');
  }
  if (of === 'body') checkSdkAlgorithm(headers, found[0]?.algorithm);
  return found[0];
}

function headerChecksums(headers: Headers): { algorithm: ChecksumAlgorithm; value: string }[] {
  const found: { algorithm: ChecksumAlgorithm; value: string }[] = [];
  for (const name in headers) {
    if (!name.startsWith(prefix) || notValues.has(name)) continue;
    const algorithm = algorithmNamed(name.slice(prefix.length));
    if (!algorithm) {
      throw invalid('The algorithm type you specified in x-amz-checksum- header is invalid.');
    }
    found.push({ algorithm, value: String(headers[name]) });
  }
  if (found.length === 1) {
    const [{ algorithm, value }] = found as [{ algorithm: ChecksumAlgorithm; value: string }];
    if (!isChecksumValue(algorithm, value)) {
      throw invalid(`Value for ${checksumHeader(algorithm)} header is invalid.`);
    }
  }
  return found;
}

/** The algorithms that `x-amz-trailer` announces. Nothing else can come in a trailer. */
function trailerAlgorithms(headers: Headers, trailer: boolean): ChecksumAlgorithm[] {
  const value = headers['x-amz-trailer'];
  if (value === undefined || value === '') return [];
  // A trailer is announced that cannot come.
  if (!trailer) throw new S3Error('MalformedTrailerError');
  return String(value)
    .split(',')
    .map((item) => {
      const name = item.trim().toLowerCase();
      const algorithm = name.startsWith(prefix) ? algorithmNamed(name.slice(prefix.length)) : undefined;
      if (!algorithm) throw invalid('The value specified in the x-amz-trailer header is not supported');
      return algorithm;
    });
}

function checkSdkAlgorithm(headers: Headers, sent: ChecksumAlgorithm | undefined): void {
  const value = headers['x-amz-sdk-checksum-algorithm'];
  if (value === undefined) return;
  const algorithm = algorithmNamed(String(value));
  if (algorithm && !sent) {
    throw invalid(
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    );
  }
  if (!algorithm || algorithm !== sent) {
    throw invalid('Value for x-amz-sdk-checksum-algorithm header is invalid.');
  }
}

/** `x-amz-checksum-crc32` and so on. */
export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `${prefix}${algorithm.toLowerCase()}`;
}

function algorithmNamed(name: string): ChecksumAlgorithm | undefined {
  const upper = name.toUpperCase();
  return checksumAlgorithms.find((algorithm) => algorithm === upper);
}

function invalid(message: string): S3Error {
  return new S3Error('InvalidRequest', { message });
}
