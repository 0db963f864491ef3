import type { ContentHeaders, NewObject, ObjectMeta } from '../common/object-meta.ts';
import { invalidArgument, S3Error } from './errors.ts';

export type RequestHeaders = Readonly<Record<string, string | undefined>>;
export type AnswerHeaders = Record<string, string | number>;

/** The sum of the bytes of all names (without prefix) and values (S3 User Guide, "Working with object metadata"). */
const maxMetadataBytes = 2048;
const metadataPrefix = 'x-amz-meta-';
const maxRedirectBytes = 2048;

const contentHeaders = [
  ['contentType', 'content-type'],
  ['contentEncoding', 'content-encoding'],
  ['contentLanguage', 'content-language'],
  ['contentDisposition', 'content-disposition'],
  ['cacheControl', 'cache-control'],
  ['expires', 'expires'],
  ['websiteRedirectLocation', 'x-amz-website-redirect-location'],
] as const satisfies readonly (readonly [keyof ContentHeaders, string])[];

const storageClasses = new Set([
  'STANDARD',
  'REDUCED_REDUNDANCY',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER',
  'GLACIER_IR',
  'DEEP_ARCHIVE',
]);

/**
 * What a request says about the object it creates. Values are kept as Node gives them, each character one byte, so that
 * they come back byte for byte. MetadataTooLarge, InvalidStorageClass, InvalidRedirectLocation.
 */
export function parseNewObject(headers: RequestHeaders): NewObject {
  return {
    headers: parseContentHeaders(headers),
    userMetadata: parseUserMetadata(headers),
    storageClass: parseStorageClass(headers['x-amz-storage-class']),
  };
}

export function parseContentHeaders(headers: RequestHeaders): ContentHeaders {
  const parsed: { -readonly [Name in keyof ContentHeaders]: string } = {};
  for (const [name, header] of contentHeaders) {
    const value = headers[header];
    if (value !== undefined) parsed[name] = value;
  }
  // An empty one names no type.
  if (parsed.contentType === '') delete parsed.contentType;
  if (parsed.contentEncoding !== undefined) {
    const encoding = withoutAwsChunked(parsed.contentEncoding);
    if (encoding === undefined) delete parsed.contentEncoding;
    else parsed.contentEncoding = encoding;
  }
  checkRedirect(parsed.websiteRedirectLocation);
  return parsed;
}

/**
 * A Content-Encoding without `aws-chunked`, which is the transfer's and not the object's; undefined if nothing else was
 * named (S3 API Reference, "Signature calculations: transferring a payload in multiple chunks").
 */
function withoutAwsChunked(value: string): string | undefined {
  if (!/aws-chunked/i.test(value)) return value;
  const rest = value.split(',').map((coding) => coding.trim());
  const kept = rest.filter((coding) => coding !== '' && coding.toLowerCase() !== 'aws-chunked');
  return kept.length === 0 ? undefined : kept.join(',');
}

function checkRedirect(location: string | undefined): void {
  if (location === undefined) return;
  if (!/^(?:\/|https?:\/\/)/.test(location)) throw new S3Error('InvalidRedirectLocation');
  if (location.length > maxRedirectBytes) {
    throw new S3Error('InvalidRedirectLocation', {
      message: `The length of website redirect location cannot exceed ${maxRedirectBytes} characters.`,
    });
  }
}

function parseUserMetadata(headers: RequestHeaders): Record<string, string> {
  const metadata: Record<string, string> = {};
  let sizeBytes = 0;
  for (const header in headers) {
    const value = headers[header];
    if (value === undefined || !header.startsWith(metadataPrefix)) continue;
    const name = header.slice(metadataPrefix.length);
    sizeBytes += name.length + value.length;
    // A name such as `__proto__` is a name like any other.
    Object.defineProperty(metadata, name, { value, enumerable: true, writable: true, configurable: true });
  }
  if (sizeBytes > maxMetadataBytes) {
    throw new S3Error('MetadataTooLarge', {
      extra: { Size: String(sizeBytes), MaxSizeAllowed: String(maxMetadataBytes) },
    });
  }
  return metadata;
}

/** Undefined for STANDARD, which S3 does not name in answers. InvalidStorageClass. */
export function parseStorageClass(value: string | undefined): string | undefined {
  if (value === undefined || value === 'STANDARD') return undefined;
  if (!storageClasses.has(value)) {
    throw new S3Error('InvalidStorageClass', { extra: { StorageClassRequested: value } });
  }
  return value;
}

const overrides = [
  ['response-content-type', 'content-type'],
  ['response-content-encoding', 'content-encoding'],
  ['response-content-language', 'content-language'],
  ['response-content-disposition', 'content-disposition'],
  ['response-cache-control', 'cache-control'],
  ['response-expires', 'expires'],
] as const;

const overriding: ReadonlySet<string> = new Set(overrides.map(([parameter]) => parameter));

/** The `response-*` parameters of GET and HEAD as the headers they replace. InvalidArgument, also for one that replaces none. */
export function parseOverrides(query: ReadonlyMap<string, string>): AnswerHeaders {
  const headers: AnswerHeaders = {};
  if (query.size === 0) return headers;
  for (const [parameter, value] of query) {
    if (!parameter.startsWith('response-') || overriding.has(parameter)) continue;
    const message = `${parameter} is not in the set of overridable response headers. Please refer to the S3 API documentation for a complete list of overridable response headers.`;
    throw invalidArgument(parameter, value, message);
  }
  for (const [parameter, header] of overrides) {
    const value = query.get(parameter);
    // An empty one overrides nothing.
    if (value === undefined || value === '') continue;
    if (!isHeaderValue(value)) {
      throw invalidArgument(parameter, value, 'Header value cannot be represented using ISO-8859-1.');
    }
    headers[header] = value;
  }
  return headers;
}

/** The characters that a header value may hold (RFC 9110, 5.5). */
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;

function isHeaderValue(value: string): boolean {
  return headerValue.test(value);
}

/**
 * A stored value as a header: as it is, or, where it holds what no header can, as an encoded word
 * (RFC 2047; S3 User Guide, "Working with object metadata", does so for metadata that is not US-ASCII).
 */
function headerText(value: string): string {
  return isHeaderValue(value) ? value : `=?UTF-8?B?${Buffer.from(value).toString('base64')}?=`;
}

/** The names that headers may have (RFC 9110, 5.6.2). */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export function isHeaderName(name: string): boolean {
  return token.test(name);
}

/** ETag, Last-Modified and the version's id: what a 304 carries too (RFC 9110, 15.4.5). */
export function versionHeaders(meta: ObjectMeta): AnswerHeaders {
  const headers: AnswerHeaders = {
    etag: quoted(meta.etag),
    'last-modified': httpDate(meta.lastModifiedMs),
  };
  if (meta.versionId !== undefined) headers[versionIdHeader] = meta.versionId;
  return headers;
}

/** Everything that GET and HEAD say of a version apart from length, range and checksums. */
export function objectHeaders(meta: ObjectMeta): AnswerHeaders {
  const headers = versionHeaders(meta);
  headers['accept-ranges'] = 'bytes';
  headers['content-type'] = 'binary/octet-stream';
  for (const [name, header] of contentHeaders) {
    const value = meta.headers[name];
    if (value !== undefined) headers[header] = headerText(value);
  }
  let missing = 0;
  for (const name in meta.userMetadata) {
    // What a backend holds beyond the names that headers may have cannot be shown.
    if (isHeaderName(name)) headers[metadataPrefix + name] = headerText(meta.userMetadata[name] ?? '');
    else missing++;
  }
  if (missing > 0) headers['x-amz-missing-meta'] = missing;
  if (meta.tagCount !== undefined) headers['x-amz-tagging-count'] = meta.tagCount;
  if (meta.storageClass !== undefined && meta.storageClass !== 'STANDARD') {
    headers['x-amz-storage-class'] = meta.storageClass;
  }
  return headers;
}

export const versionIdHeader = 'x-amz-version-id';

/** What an answer about one version says of which it is; undefined where none are kept. */
export function answeredVersion(versionId: string | undefined): AnswerHeaders {
  return versionId === undefined ? {} : { [versionIdHeader]: versionId };
}

/** What the answer to a write says of the version it made; S3 says nothing of a null version then (S3 API Reference, PutObject). */
export function madeVersionHeaders({ versionId }: Pick<ObjectMeta, 'versionId'>): AnswerHeaders {
  return versionId === undefined || versionId === 'null' ? {} : { [versionIdHeader]: versionId };
}

/** Names when what an answer tells of an object was last known to be the backend's state: RFC 3339, UTC, milliseconds. */
export const validatedHeader = 'x-forebay-validated';

export function validatedText(validatedMs: number): string {
  return new Date(validatedMs).toISOString();
}

export function quoted(etag: string): string {
  return `"${etag}"`;
}

/** RFC 9110, 5.6.7. */
export function httpDate(ms: number): string {
  return new Date(ms).toUTCString();
}

/** As S3 writes times in XML: whole seconds, so that lists, HEAD and copies agree. */
export function xmlDate(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000).toISOString();
}
