import { type ByteRange, rangeLength } from '../common/byte-range.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import { type CacheDirectives, parseCacheControl } from './cache-control.ts';
import type { S3Request } from './call.ts';
import { addChecksumHeaders } from './checksums.ts';
import { checkReadConditions, hasReadConditions, rangeApplies } from './conditions.ts';
import { notImplemented, S3Error } from './errors.ts';
import {
  type AnswerHeaders,
  objectHeaders,
  parseOverrides,
  validatedHeader,
  validatedText,
  versionHeaders,
} from './headers.ts';
import { type AskedRange, askedRange, contentRange, parseRange } from './range.ts';
import { refuseOnRead } from './refused-headers.ts';
import { parameter, parsePartNumber, versionIdOf } from './request.ts';
import type { FoundVersion, PartPlace, ReadOptions } from './service.ts';

/** What a GET or HEAD asks for, as far as it can be known before the object is. */
export interface ReadRequest {
  readonly headers: S3Request['headers'];
  readonly versionId: string | undefined;
  readonly partNumber?: number;
  readonly overrides: AnswerHeaders;
  readonly wantsChecksums: boolean;
  /** How much of a cache the client accepts. */
  readonly cache: CacheDirectives;
  /** As in `ReadOptions`: what the answer takes of the object. */
  readonly checksums: boolean;
  readonly read?: ReadOptions['read'];
}

/** What the answer is for one version of the object. */
export interface Representation {
  readonly status: 200 | 206;
  /** Empty for an empty object. */
  readonly range: ByteRange;
  readonly headers: AnswerHeaders;
}

/** InvalidRequest, InvalidArgument, NotImplemented, NoSuchVersion. */
export function parseReadRequest(request: S3Request): ReadRequest {
  const { headers, query } = request;
  refuseOnRead(headers);
  const rawPartNumber = parameter(request, 'partNumber');
  if (rawPartNumber !== undefined && headers.range !== undefined) {
    throw new S3Error('InvalidRequest', {
      message: 'Cannot specify both Range header and partNumber query parameter',
    });
  }
  const partNumber = rawPartNumber === undefined ? undefined : parsePartNumber(rawPartNumber);
  const wantsChecksums = headers['x-amz-checksum-mode']?.toUpperCase() === 'ENABLED';
  const asked = askedRange(headers.range);
  const mayBeTold = partNumber !== undefined || asked === undefined || headers['if-range'] !== undefined;
  // A condition may end the answer before any byte of the object.
  const read = partNumber === undefined && !hasReadConditions(headers) ? expected(asked) : undefined;
  return {
    headers,
    versionId: versionIdOf(request),
    partNumber,
    overrides: parseOverrides(query),
    wantsChecksums,
    cache: parseCacheControl(headers['cache-control']),
    checksums: wantsChecksums && mayBeTold,
    ...(read === undefined ? {} : { read }),
  };
}

/** InvalidRequest for headers that nobody signed (S3 API Reference, GetObject, "Overriding response header values"). */
export function refuseOverrides({ overrides }: ReadRequest): void {
  if (Object.keys(overrides).length === 0) return;
  throw new S3Error('InvalidRequest', {
    message: 'Request specific response headers cannot be used for anonymous GET requests.',
  });
}

/** Undefined where the object's length decides where it begins. */
function expected(asked: AskedRange | undefined): ReadOptions['read'] {
  if (asked === undefined) return { start: 0 };
  if ('lastBytes' in asked || !Number.isSafeInteger(asked.start)) return undefined;
  const { start, end } = asked;
  return Number.isSafeInteger(end) ? { start, end } : { start };
}

/**
 * Decides conditions, part and range against one version, in the order of RFC 9110, 13.2.2. `asked` is the wanted part's
 * place, of an object whose metadata does not tell it. Every answer, errors among them, says when the version was last known to be
 * the present one (`validatedMs`).
 * NotModified, PreconditionFailed, InvalidRange, InvalidPartNumber.
 */
export function selectRepresentation(
  wanted: ReadRequest,
  found: FoundVersion,
  asked?: PartPlace,
): Representation {
  try {
    return select(wanted, found, asked);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    throw error.withHeaders({ [validatedHeader]: validatedText(found.validatedMs) });
  }
}

function select(wanted: ReadRequest, found: FoundVersion, asked: PartPlace | undefined): Representation {
  const { meta } = found;
  checkReadConditions(wanted.headers, meta, () => notModifiedHeaders(meta));
  const headers: AnswerHeaders = { ...foundHeaders(found) };
  const whole = { start: 0, end: meta.sizeBytes };
  const part =
    wanted.partNumber === undefined ? undefined : (asked?.range ?? partRange(wanted.partNumber, meta));
  const range =
    part ??
    (rangeApplies(wanted.headers, meta) ? parseRange(wanted.headers.range, meta.sizeBytes) : undefined);
  const partsCount = asked?.count ?? meta.parts?.length;
  if (part !== undefined && partsCount !== undefined) headers['x-amz-mp-parts-count'] = partsCount;
  if (wanted.wantsChecksums) {
    // A checksum of the whole would be held against the bytes of a part.
    const told = part ? checksumsOfPart(wanted, meta, asked, part) : isWhole(range, meta) && meta;
    if (told) addChecksumHeaders(headers, told);
  }
  Object.assign(headers, wanted.overrides);
  const served = range ?? whole;
  headers['content-length'] = served.end - served.start;
  if (range === undefined || range.end === range.start) return { status: 200, range: served, headers };
  headers['content-range'] = contentRange(range, meta.sizeBytes);
  return { status: 206, range, headers };
}

/**
 * S3 tells a part's own checksum where that of the object is made of the parts', and otherwise the object's, where the part is all
 * of it.
 */
function checksumsOfPart(
  { partNumber = 0 }: ReadRequest,
  meta: ObjectMeta,
  asked: PartPlace | undefined,
  part: ByteRange,
): Pick<ObjectMeta, 'checksums' | 'checksumType'> | undefined {
  const { checksumType } = meta;
  if (checksumType === 'COMPOSITE') {
    return { checksums: asked?.checksums ?? meta.parts?.[partNumber - 1]?.checksums, checksumType };
  }
  return isWhole(part, meta) ? meta : undefined;
}

function isWhole(range: ByteRange | undefined, meta: ObjectMeta): boolean {
  return range === undefined || rangeLength(range) === meta.sizeBytes;
}

/** What `foundHeaders` gave for versions that somebody still holds: it gives the same again. */
const headersOfFound = new WeakMap<FoundVersion, Readonly<AnswerHeaders>>();

/** What every answer tells of a version. Not to be changed. */
function foundHeaders(found: FoundVersion): Readonly<AnswerHeaders> {
  let headers = headersOfFound.get(found);
  if (!headers) {
    headers = { ...objectHeaders(found.meta), [validatedHeader]: validatedText(found.validatedMs) };
    headersOfFound.set(found, headers);
  }
  return headers;
}

function notModifiedHeaders(meta: ObjectMeta): AnswerHeaders {
  const headers = versionHeaders(meta);
  const all = objectHeaders(meta);
  for (const name of ['cache-control', 'expires']) {
    const value = all[name];
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}

/** How many parts an object was made of, by its ETag; 1 for one that was put at once. */
export function partsClaimed({ etag }: Pick<ObjectMeta, 'etag'>): number {
  return Math.max(1, Number(/-(\d{1,5})$/.exec(etag)?.[1] ?? 1));
}

/** An object that was put at once is its own first part (S3 API Reference, GetObject, partNumber). */
function partRange(partNumber: number, meta: ObjectMeta): ByteRange {
  const { parts } = meta;
  if (parts === undefined) {
    const count = partsClaimed(meta);
    if (partNumber > count) throw noSuchPart(partNumber, count);
    // Made of parts whose sizes nobody knows any more: any range would be a guess.
    if (count > 1) throw notImplemented('partNumber');
    return { start: 0, end: meta.sizeBytes };
  }
  let start = 0;
  for (const [index, part] of parts.entries()) {
    // Parts count from one without gaps here, whatever numbers they were uploaded under.
    if (index + 1 === partNumber) return { start, end: start + part.sizeBytes };
    start += part.sizeBytes;
  }
  throw noSuchPart(partNumber, parts.length);
}

function noSuchPart(partNumber: number, count: number): S3Error {
  return new S3Error('InvalidPartNumber', {
    extra: { PartNumberRequested: String(partNumber), ActualPartCount: String(count) },
  });
}
