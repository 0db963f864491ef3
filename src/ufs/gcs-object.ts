import type { ContentHeaders, NewObject, ObjectMeta } from '../common/object-meta.ts';
import { UfsError } from './errors.ts';
import { noGcsAnswer } from './gcs-errors.ts';
import { formatRecord, type GcsRecord, maxMetadataBytes, parseRecord, recordEntry } from './gcs-record.ts';
import { gcsClassOf, s3ClassOf } from './gcs-storage-classes.ts';
import { tagCountOf } from './tags.ts';
import { isEmpty } from './write-rules.ts';

/** An object as the JSON API tells it ("Objects", resource representation); numbers of 64 bits are strings. */
export interface GcsObject {
  readonly name: string;
  readonly generation: string;
  readonly metageneration: string;
  readonly size: string;
  readonly timeCreated: string;
  readonly storageClass?: string;
  readonly md5Hash?: string;
  readonly crc32c?: string;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  readonly contentDisposition?: string;
  readonly cacheControl?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Fields that are asked for. */
export const objectFields =
  'name,generation,metageneration,size,timeCreated,storageClass,md5Hash,crc32c,contentType,contentEncoding,contentLanguage,contentDisposition,cacheControl,metadata';

const nativeHeaders = [
  'contentType',
  'contentEncoding',
  'contentLanguage',
  'contentDisposition',
  'cacheControl',
] as const;

/** What Cloud Storage tells of an object that was written without a type. */
const madeUpType = 'application/octet-stream';

/** What is sent of an object that is to be made. */
export type GcsObjectToMake = Omit<
  GcsObject,
  'name' | 'generation' | 'metageneration' | 'size' | 'timeCreated'
>;

/** What is recorded of an object beside what the client said of it. */
export type Recorded = Pick<GcsRecord, 'stamp' | 'crc32c' | 'etag' | 'checksums' | 'checksumType' | 'parts'>;

/** The resource of an object to be made. Kinds: refused, if its metadata takes more than Cloud Storage holds. */
export function resourceOf(
  about: NewObject,
  recorded: Recorded,
  { backend, key }: { readonly backend: string; readonly key: string },
): GcsObjectToMake {
  const native: Record<string, string> = {};
  const kept: Partial<Record<keyof ContentHeaders, string | null>> = {};
  for (const [name, value] of Object.entries(about.headers) as [keyof ContentHeaders, string][]) {
    const isNative = (nativeHeaders as readonly string[]).includes(name);
    if (isNative && value !== '') native[name] = value;
    else kept[name] = value;
  }
  if (about.headers.contentType === undefined) kept.contentType = null;
  const isOwn = ([name, value]: readonly [string, string]) => value !== '' && name !== recordEntry;
  const metadata = Object.entries(about.userMetadata);
  const own = Object.fromEntries(metadata.filter(isOwn));
  const aside = Object.fromEntries(metadata.filter((entry) => !isOwn(entry)));
  const { storageClass, tags } = about;
  const record: GcsRecord = {
    ...recorded,
    ...(isEmpty(kept) ? {} : { headers: kept }),
    ...(isEmpty(aside) ? {} : { metadata: aside }),
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(tags === undefined || tags.length === 0 ? {} : { tags }),
  };
  const gcsClass = gcsClassOf(storageClass);
  return {
    ...native,
    ...(gcsClass === undefined ? {} : { storageClass: gcsClass }),
    metadata: withRecord(own, record, { backend, key }),
  };
}

/** An object's own metadata and the record. Kinds: refused. */
export function withRecord(
  own: Readonly<Record<string, string>>,
  record: GcsRecord,
  { backend, key }: { readonly backend: string; readonly key: string },
): Record<string, string> {
  const takenBytes = Object.entries(own).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    recordEntry.length,
  );
  const text = formatRecord(record, maxMetadataBytes - takenBytes);
  if (text !== undefined) return { ...own, [recordEntry]: text };
  const message = `metadata and tags take more than the ${maxMetadataBytes} bytes that Cloud Storage holds`;
  throw new UfsError('refused', message, { backend, key, code: 'MetadataTooLarge' });
}

/** The record of an object, of which what depends on the bytes is left out where they are others. */
export function recordOf({ metadata, crc32c }: GcsObject): Partial<GcsRecord> {
  const record = parseRecord(metadata?.[recordEntry]);
  if (!record) return {};
  if (record.crc32c === crc32c) return record;
  const { headers, metadata: aside, storageClass, tags } = record;
  return { headers, metadata: aside, storageClass, tags };
}

/** Kinds: unavailable, for what is no object of Cloud Storage. */
export function metaOf(object: GcsObject, backend: string, key: string): ObjectMeta {
  const sizeBytes = Number(object.size);
  const lastModifiedMs = Date.parse(object.timeCreated);
  const isWhole =
    /^\d+$/.test(object.generation) && /^\d+$/.test(object.size) && Number.isFinite(lastModifiedMs);
  if (!isWhole) throw noGcsAnswer('objects.get', 'generation, size or time', backend, key);
  const record = recordOf(object);
  const { checksums, checksumType, parts, tags, stamp } = record;
  const storageClass = s3ClassOf(object.storageClass, record.storageClass);
  return {
    sizeBytes,
    etag: etagOf(object, record),
    lastModifiedMs,
    generation: object.generation,
    // A generation is never used twice ("Object versioning", version numbers).
    generationSettled: true,
    headers: headersOf(object, record),
    userMetadata: userMetadataOf(object, record),
    ...(storageClass === undefined ? {} : { storageClass }),
    ...checksumsOf(object.crc32c, checksums, checksumType),
    ...tagCountOf(tags),
    ...(parts === undefined ? {} : { parts }),
    ...(stamp === undefined ? {} : { stamp }),
  };
}

/** What multipart acknowledged, or the MD5 of the bytes. A composite object of others has neither, and is told apart by its generation. */
function etagOf({ md5Hash, generation }: GcsObject, { etag }: Partial<GcsRecord>): string {
  if (etag !== undefined) return etag;
  return md5Hash ? Buffer.from(md5Hash, 'base64').toString('hex') : `gcs-${generation}`;
}

function headersOf(object: GcsObject, record: Partial<GcsRecord>): ContentHeaders {
  const headers: Partial<Record<keyof ContentHeaders, string>> = {};
  for (const name of nativeHeaders) {
    const value = object[name];
    const madeUp = name === 'contentType' && value === madeUpType && record.headers?.contentType === null;
    if (value && !madeUp) headers[name] = value;
  }
  for (const [name, value] of Object.entries(record.headers ?? {}) as [
    keyof ContentHeaders,
    string | null,
  ][]) {
    // What Cloud Storage has is later than what was recorded.
    if (value !== null && (headers[name] === undefined || isMadeUp(name, headers[name])))
      headers[name] = value;
  }
  return headers;
}

function isMadeUp(name: string, value: string): boolean {
  return name === 'contentType' && value === madeUpType;
}

function userMetadataOf({ metadata = {} }: GcsObject, record: Partial<GcsRecord>): Record<string, string> {
  const hasRecord = parseRecord(metadata[recordEntry]) !== undefined;
  const shown = Object.entries(metadata).filter(([name]) => name !== recordEntry || !hasRecord);
  // S3's names have no capitals.
  return Object.fromEntries([
    ...Object.entries(record.metadata ?? {}),
    ...shown.map(([name, value]) => [name.toLowerCase(), value] as const),
  ]);
}

/** Those that it was written with, or else the one that Cloud Storage computes of every object. */
function checksumsOf(
  crc32c: string | undefined,
  checksums: ObjectMeta['checksums'],
  checksumType: ObjectMeta['checksumType'],
): Pick<ObjectMeta, 'checksums' | 'checksumType'> {
  if (checksums !== undefined) return { checksums, checksumType: checksumType ?? 'FULL_OBJECT' };
  return crc32c === undefined ? {} : { checksums: { CRC32C: crc32c }, checksumType: 'FULL_OBJECT' };
}
