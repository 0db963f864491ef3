import { createHash } from 'node:crypto';
import { combineCrcs } from '../common/checksum-combine.ts';
import { digestOf, isCrc } from '../common/checksums.ts';
import type { ChecksumAlgorithm, Checksums, ChecksumType, ObjectMeta } from '../common/object-meta.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import type {
  CompleteOptions,
  CompletePart,
  ListedPrefix,
  ListUploadsOptions,
  ListUploadsPage,
  UploadedPart,
  UploadInfo,
} from './backend.ts';
import { UfsError, type UfsErrorKind, type UploadFault } from './errors.ts';
import { commonPrefixOf, lowerBound } from './grouping.ts';
import { defaultChecksumAlgorithm } from './write-rules.ts';

/** S3's least size of every part but the last (Amazon S3 multipart upload limits), bytes. */
export const minPartSizeBytes = 5 * 1024 * 1024;

/**
 * The stored parts that a client names, in its order. Kinds: invalid-part-order, invalid-part (unknown, another ETag or
 * checksum, or none named), part-too-small, bad-digest, upload-mismatch.
 */
export function chooseParts<Part extends UploadedPart>(
  stored: ReadonlyMap<number, Part>,
  named: readonly CompletePart[],
  { backend, upload, minSizeBytes }: { backend: string; upload: UploadInfo; minSizeBytes: number },
): Part[] {
  const fail = (kind: UfsErrorKind, message: string, fault?: UploadFault) =>
    new UfsError(kind, message, { backend, key: upload.key, fault });
  if (named.length === 0) throw fail('invalid-part', 'no part is named');
  const chosen: Part[] = [];
  let previous = 0;
  for (const one of named) {
    const { partNumber, etag } = one;
    if (partNumber <= previous) throw fail('invalid-part-order', `part ${partNumber} follows ${previous}`);
    previous = partNumber;
    const part = stored.get(partNumber);
    if (part?.etag !== etag) {
      const fault = { what: 'part', partNumber, etag } as const;
      throw fail('invalid-part', `part ${partNumber} has another ETag, or is not there`, fault);
    }
    const wrong = wrongChecksum(upload, part, one);
    if (wrong) throw fail(wrong.kind, `part ${partNumber} is named with a wrong checksum`, wrong.fault);
    chosen.push(part);
  }
  for (const { partNumber, etag, sizeBytes } of chosen.slice(0, -1)) {
    if (sizeBytes >= minSizeBytes) continue;
    const leastBytes = minSizeBytes;
    const fault = { what: 'part-too-small', partNumber, etag, sizeBytes, leastBytes } as const;
    throw fail('part-too-small', `part ${partNumber} has ${sizeBytes} bytes`, fault);
  }
  return chosen;
}

/**
 * What is wrong with the checksums that a part is named with. The parts of an upload with a composite checksum are each named with
 * theirs (S3 API Reference, CompleteMultipartUpload). Those of an upload without an algorithm may be named with what they came with.
 */
function wrongChecksum(
  { checksumAlgorithm: created, checksumType }: UploadInfo,
  part: UploadedPart,
  { partNumber, etag, checksums }: CompletePart,
): { kind: UfsErrorKind; fault: UploadFault } | undefined {
  const named = Object.keys(checksums) as ChecksumAlgorithm[];
  const unlike = { kind: 'invalid-part', fault: { what: 'part', partNumber, etag } } as const;
  if (created === undefined) {
    return named.every((name) => checksums[name] === part.checksums[name]) ? undefined : unlike;
  }
  const other = named.find((name) => name !== created);
  if (other) return { kind: 'bad-digest', fault: { what: 'part-other-checksum', partNumber, named: other } };
  if (named.length > 0) return checksums[created] === part.checksums[created] ? undefined : unlike;
  if ((checksumType ?? defaultChecksumType(created)) === 'FULL_OBJECT') return undefined;
  return { kind: 'upload-mismatch', fault: { what: 'part-lacks-checksum', partNumber, created } };
}

/** The ETag of a multipart object: the MD5 of its parts' MD5s, and their count. */
export function multipartEtag(parts: readonly UploadedPart[]): string {
  const hash = createHash('md5');
  for (const part of parts) hash.update(Buffer.from(part.etag, 'hex'));
  return `${hash.digest('hex')}-${parts.length}`;
}

/** What kind of checksum an upload ends with if its creator did not say (S3 User Guide, "Checking object integrity"). */
export function defaultChecksumType(algorithm: ChecksumAlgorithm): ChecksumType {
  return algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE';
}

/** One checksum of the whole object out of its parts' checksums; undefined if a part lacks it or the kind cannot be had so. */
export function checksumOfParts(
  parts: readonly UploadedPart[],
  algorithm: ChecksumAlgorithm,
  type: ChecksumType,
): string | undefined {
  const pieces: { crc: Buffer; sizeBytes: number }[] = [];
  for (const { checksums, sizeBytes } of parts) {
    const value = checksums[algorithm];
    if (value === undefined) return undefined;
    pieces.push({ crc: Buffer.from(value, 'base64'), sizeBytes });
  }
  if (type === 'COMPOSITE') {
    const digest = digestOf(algorithm, Buffer.concat(pieces.map((piece) => piece.crc)));
    return `${digest.toString('base64')}-${parts.length}`;
  }
  return isCrc(algorithm) ? combineCrcs(algorithm, pieces).toString('base64') : undefined;
}

/** What completing an upload finds out before anything is changed. */
export interface CompletionPlan<Part> {
  readonly parts: readonly Part[];
  readonly sizeBytes: number;
  readonly etag: string;
  readonly checksums?: Checksums;
  readonly checksumType?: ChecksumType;
}

/**
 * Checks a Complete against the stored parts. `digestAll` reads the parts' bytes through, which is needed only where the client
 * expects a checksum that the parts were not stored with. Kinds as `Backend.completeUpload`.
 */
export async function planCompletion<Part extends UploadedPart>(
  upload: UploadInfo,
  stored: ReadonlyMap<number, Part>,
  named: readonly CompletePart[],
  options: CompleteOptions,
  context: { readonly backend: string; readonly minSizeBytes: number },
  digestAll: (parts: readonly Part[], algorithm: ChecksumAlgorithm) => Promise<string>,
): Promise<CompletionPlan<Part>> {
  const { backend } = context;
  const fail = (kind: UfsErrorKind, message: string, fault: UploadFault) =>
    new UfsError(kind, message, { backend, key: upload.key, fault });
  const created = upload.checksumAlgorithm;
  const type = upload.checksumType ?? (created && defaultChecksumType(created));
  if (options.checksumType !== undefined && options.checksumType !== type) {
    const fault = { what: 'checksum-type', created: type } as const;
    throw fail('upload-mismatch', `the upload was not created for ${options.checksumType}`, fault);
  }
  const parts = chooseParts(stored, named, { ...context, upload });
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  const expectedBytes = options.expectedSizeBytes;
  if (expectedBytes !== undefined && expectedBytes !== sizeBytes) {
    const fault = { what: 'size', expectedBytes, sizeBytes } as const;
    throw fail('upload-mismatch', `the parts have ${sizeBytes} bytes, not ${expectedBytes}`, fault);
  }
  const algorithm = created ?? defaultChecksumAlgorithm;
  const value = checksumOfParts(parts, algorithm, type ?? 'FULL_OBJECT');
  for (const [name, expected] of Object.entries(options.checksums ?? {})) {
    const wanted = name as ChecksumAlgorithm;
    const known = wanted === algorithm ? value : undefined;
    const found = known ?? (created === undefined ? await digestAll(parts, wanted) : undefined);
    // A client may leave out the count behind a composite checksum.
    if (found !== undefined && (found === expected || found.replace(/-\d+$/, '') === expected)) continue;
    const fault = { what: 'checksum', algorithm: created ?? wanted } as const;
    throw fail('bad-digest', `the ${wanted} of the object is not the expected one`, fault);
  }
  return {
    parts,
    sizeBytes,
    etag: multipartEtag(parts),
    ...(value === undefined
      ? {}
      : { checksums: { [algorithm]: value }, checksumType: type ?? 'FULL_OBJECT' }),
  };
}

/** The parts as an object's metadata lists them. */
export function objectParts(parts: readonly UploadedPart[]): NonNullable<ObjectMeta['parts']> {
  return parts.map(({ partNumber, sizeBytes, checksums }) => ({
    partNumber,
    sizeBytes,
    ...(Object.keys(checksums).length > 0 ? { checksums } : {}),
  }));
}

/** One page of stored parts, by number. */
export function pageParts<Part extends Pick<UploadedPart, 'partNumber'>>(
  stored: Iterable<Part>,
  { afterPartNumber = 0, limit }: { readonly afterPartNumber?: number; readonly limit: number },
): { parts: Part[]; truncated: boolean } {
  const rest = [...stored]
    .filter((part) => part.partNumber > afterPartNumber)
    .sort((a, b) => a.partNumber - b.partNumber);
  return { parts: rest.slice(0, limit), truncated: rest.length > limit };
}

/** One page of the uploads that are under way; see `ListUploadsOptions`. */
export function pageUploads(uploads: readonly UploadInfo[], options: ListUploadsOptions): ListUploadsPage {
  const order = (a: UploadInfo, b: UploadInfo) =>
    compareUtf8(a.key, b.key) || (a.uploadId < b.uploadId ? -1 : 1);
  return pageSortedUploads([...uploads].sort(order), options);
}

/** The same of uploads that are in order of key and id already; looks at no more of them than it needs. */
export function pageSortedUploads<Upload extends Pick<UploadInfo, 'key' | 'uploadId'>>(
  sorted: readonly Upload[],
  { prefix, delimiter, keyMarker, uploadIdMarker, limit }: Omit<ListUploadsOptions, 'signal'>,
): { entries: ({ kind: 'upload'; upload: Upload } | ListedPrefix)[]; truncated: boolean } {
  const isAfter = (upload: Upload) => {
    if (keyMarker === undefined) return true;
    const order = compareUtf8(upload.key, keyMarker);
    return order > 0 || (order === 0 && uploadIdMarker !== undefined && upload.uploadId > uploadIdMarker);
  };
  const entries: ({ kind: 'upload'; upload: Upload } | ListedPrefix)[] = [];
  let lastPrefix: string | undefined;
  const from = keyMarker !== undefined && compareUtf8(keyMarker, prefix) > 0 ? keyMarker : prefix;
  const first = lowerBound(sorted.length, (index) => compareUtf8((sorted[index] as Upload).key, from) < 0);
  for (let index = first; index < sorted.length; index++) {
    const upload = sorted[index] as Upload;
    if (!upload.key.startsWith(prefix)) break;
    const folded = commonPrefixOf(upload.key, prefix, delimiter);
    if (folded === undefined) {
      if (!isAfter(upload)) continue;
    } else if (folded === lastPrefix || (keyMarker !== undefined && compareUtf8(folded, keyMarker) <= 0)) {
      continue;
    }
    if (entries.length === limit) return { entries, truncated: true };
    lastPrefix = folded;
    entries.push(folded === undefined ? { kind: 'upload', upload } : { kind: 'prefix', key: folded });
  }
  return { entries, truncated: false };
}
