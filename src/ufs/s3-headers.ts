import {
  type ChecksumAlgorithm,
  type Checksums,
  type ChecksumType,
  type ContentHeaders,
  checksumAlgorithms,
  type NewObject,
  type ObjectMeta,
  type Tag,
} from '../common/object-meta.ts';
import type { WriteCondition } from './backend.ts';
import type { Deletion } from './backend-versions.ts';
import type { DeleteMarker } from './errors.ts';
import { formatGeneration, isSettled, metadataDigest, type Version } from './s3-generation.ts';
import { nullVersionId } from './version-ids.ts';

/** Names in lower case. Each character of a value is one byte on the wire, as Node gives and takes them. */
export type WireHeaders = Readonly<Record<string, string>>;

const contentHeaderNames = {
  contentType: 'content-type',
  contentEncoding: 'content-encoding',
  contentLanguage: 'content-language',
  contentDisposition: 'content-disposition',
  cacheControl: 'cache-control',
  expires: 'expires',
  websiteRedirectLocation: 'x-amz-website-redirect-location',
} as const satisfies Record<keyof ContentHeaders, string>;

/** MD5 of nothing. Servers over file systems name no ETag of the folders that they show as empty objects. */
export const emptyEtag = '"d41d8cd98f00b204e9800998ecf8427e"';

const metadataPrefix = 'x-amz-meta-';
/** Where a stamp is kept. What clients say under this name is not handed on. */
const stampHeader = `${metadataPrefix}forebay-stamp`;

export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

/** What a client gives with an object, byte for byte, as S3 takes it (S3 API Reference, PutObject). */
export function newObjectHeaders(object: NewObject & { readonly stamp?: string }): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name in contentHeaderNames) {
    const value = object.headers[name as keyof ContentHeaders];
    if (value !== undefined) headers[contentHeaderNames[name as keyof ContentHeaders]] = wireText(value);
  }
  for (const name in object.userMetadata) {
    headers[metadataPrefix + name] = wireText(object.userMetadata[name] as string);
  }
  delete headers[stampHeader];
  if (object.stamp !== undefined) headers[stampHeader] = object.stamp;
  if (object.storageClass !== undefined) headers['x-amz-storage-class'] = object.storageClass;
  if (object.tags?.length) headers['x-amz-tagging'] = tagsText(object.tags);
  return headers;
}

/** As `x-amz-tagging` takes tags: a query string. */
export function tagsText(tags: readonly Tag[]): string {
  return tags.map(({ key, value }) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join('&');
}

/** Text that no header can hold goes as an encoded word (RFC 2047), as S3 itself gives such metadata back. */
function wireText(value: string): string {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value;
  return `=?UTF-8?B?${Buffer.from(value).toString('base64')}?=`;
}

export function conditionHeaders(condition: WriteCondition | undefined): Record<string, string> {
  if (!condition) return {};
  if ('ifNoneMatch' in condition) return { 'if-none-match': '*' };
  return { 'if-match': condition.ifMatch === '*' ? '*' : quotedEtag(condition.ifMatch) };
}

/** ETags are kept as clients see them, without quotes; a weak one keeps its mark. */
export function plainEtag(raw: string): string {
  return raw.replace(/^"(.*)"$/, '$1');
}

export function quotedEtag(etag: string): string {
  return /^(W\/)?".*"$/.test(etag) ? etag : `"${etag}"`;
}

export function checksumsOf(headers: WireHeaders): Checksums {
  const found: Partial<Record<ChecksumAlgorithm, string>> = {};
  for (const algorithm of checksumAlgorithms) {
    const value = headers[checksumHeader(algorithm)];
    if (value !== undefined && value !== '') found[algorithm] = value;
  }
  return found;
}

/** The version that an answer to GET or HEAD speaks of; undefined where it does not say enough to tell versions apart. */
export function versionOf(headers: WireHeaders, sizeBytes: number, digest: string): Version | undefined {
  const rawEtag = headers.etag || (sizeBytes === 0 ? emptyEtag : undefined);
  const lastModifiedMs = Date.parse(headers['last-modified'] ?? '');
  const versionId = headers['x-amz-version-id'];
  if (!rawEtag || Number.isNaN(lastModifiedMs)) return undefined;
  return {
    rawEtag,
    lastModifiedMs,
    sizeBytes,
    metadataDigest: digest,
    // `null` is the one version of a key in a bucket that keeps none: it is overwritten in place.
    ...(versionId && versionId !== 'null' ? { versionId } : {}),
  };
}

/**
 * An object's metadata out of the answer to HEAD, or to a GET of the whole; undefined where it lacks length, ETag or Last-Modified. Of
 * an answer with a part of the object `partOfBytes` is the size of the whole; what checksums it tells may be of that part alone
 * (S3 API Reference, GetObject).
 */
export function parseMeta(headers: WireHeaders, partOfBytes?: number): ObjectMeta | undefined {
  const sizeBytes = partOfBytes ?? parseLength(headers['content-length']);
  if (sizeBytes === undefined) return undefined;
  const about = parseNewObject(headers);
  const version = versionOf(headers, sizeBytes, metadataDigest(about));
  if (!version) return undefined;
  const answeredMs = Date.parse(headers.date ?? '');
  return {
    ...about,
    sizeBytes,
    etag: plainEtag(version.rawEtag),
    lastModifiedMs: version.lastModifiedMs,
    generation: formatGeneration(version),
    generationSettled: isSettled(version, Number.isNaN(answeredMs) ? undefined : answeredMs),
    ...(headers['x-amz-version-id'] ? { versionId: headers['x-amz-version-id'] } : {}),
    ...(headers[stampHeader] === undefined ? {} : { stamp: headers[stampHeader] }),
    ...aboutTags(headers),
    ...(partOfBytes === undefined ? aboutChecksums(headers) : { checksumsUnknown: true }),
  };
}

function aboutTags(headers: WireHeaders): Pick<ObjectMeta, 'tagCount'> {
  const tagCount = parseLength(headers['x-amz-tagging-count']);
  return tagCount ? { tagCount } : {};
}

function aboutChecksums(headers: WireHeaders): Pick<ObjectMeta, 'checksums' | 'checksumType'> {
  const checksums = checksumsOf(headers);
  if (Object.keys(checksums).length === 0) return {};
  return { checksums, checksumType: checksumTypeOf(headers, checksums) };
}

function checksumTypeOf(headers: WireHeaders, checksums: Checksums): ChecksumType {
  const said = headers['x-amz-checksum-type'];
  if (said === 'COMPOSITE' || said === 'FULL_OBJECT') return said;
  return Object.values(checksums).some((value) => /-\d+$/.test(value)) ? 'COMPOSITE' : 'FULL_OBJECT';
}

function parseNewObject(headers: WireHeaders): NewObject {
  const content: { -readonly [Name in keyof ContentHeaders]: string } = {};
  for (const name in contentHeaderNames) {
    const value = headers[contentHeaderNames[name as keyof ContentHeaders]];
    if (value !== undefined) content[name as keyof ContentHeaders] = value;
  }
  if (content.contentEncoding !== undefined) {
    // Some servers keep the transfer's own coding with the object.
    const encoding = withoutAwsChunked(content.contentEncoding);
    if (encoding === undefined) delete content.contentEncoding;
    else content.contentEncoding = encoding;
  }
  const userMetadata: Record<string, string> = {};
  for (const header in headers) {
    if (!header.startsWith(metadataPrefix) || header === stampHeader) continue;
    // A name such as `__proto__` is a name like any other.
    const property = { value: headers[header], enumerable: true, writable: true, configurable: true };
    Object.defineProperty(userMetadata, header.slice(metadataPrefix.length), property);
  }
  const storageClass = namedStorageClass(headers['x-amz-storage-class']);
  return { headers: content, userMetadata, ...(storageClass === undefined ? {} : { storageClass }) };
}

function withoutAwsChunked(value: string): string | undefined {
  if (!/aws-chunked/i.test(value)) return value;
  const codings = value.split(',').map((coding) => coding.trim());
  const kept = codings.filter((coding) => coding !== '' && coding.toLowerCase() !== 'aws-chunked');
  return kept.length === 0 ? undefined : kept.join(',');
}

/** Lists name STANDARD where HEAD names nothing; both are nothing here. */
export function namedStorageClass(value: string | undefined): string | undefined {
  return value === undefined || value === '' || value === 'STANDARD' ? undefined : value;
}

/** What the answer to a DELETE tells of versions. */
export function deletionOf(headers: WireHeaders): Deletion {
  const versionId = headers['x-amz-version-id'];
  return {
    ...(versionId ? { versionId } : {}),
    ...(headers['x-amz-delete-marker'] === 'true' ? { deleteMarker: true } : {}),
  };
}

/** The delete marker that an answer tells of, which is no success then. */
export function markerOf(headers: WireHeaders | undefined): DeleteMarker | undefined {
  if (headers?.['x-amz-delete-marker'] !== 'true') return undefined;
  const lastModifiedMs = Date.parse(headers['last-modified'] ?? '');
  return {
    versionId: headers['x-amz-version-id'] || nullVersionId,
    ...(Number.isNaN(lastModifiedMs) ? {} : { lastModifiedMs }),
  };
}

export function parseLength(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,16}$/.test(value) ? Number(value) : undefined;
}

/** `bytes 0-9/100` as the half-open range and the whole size; undefined for anything else (RFC 9110, 14.4). */
export function parseContentRange(
  value: string | undefined,
): { start: number; end: number; wholeBytes: number } | undefined {
  const match = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/.exec(value ?? '');
  if (!match) return undefined;
  return { start: Number(match[1]), end: Number(match[2]) + 1, wholeBytes: Number(match[3]) };
}
