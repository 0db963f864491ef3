import { createHash } from 'node:crypto';
import type { ObjectMeta } from '../common/object-meta.ts';

/**
 * What names one version at an S3 backend (consistency rule 6): ETag, Last-Modified, size, versionId, and a digest of the
 * metadata, since two versions of the same bytes within one second differ in nothing else.
 */
export interface Version {
  /** As the backend writes it, with its quotes. */
  readonly rawEtag: string;
  readonly lastModifiedMs: number;
  readonly sizeBytes: number;
  readonly metadataDigest: string;
  /** Where the bucket keeps versions. Such a version can be read after it was overwritten. */
  readonly versionId?: string;
  /** The null version of a bucket that may hold others beside it. It is overwritten in place, and is no part of the token. */
  readonly isNull?: true;
}

const longest = 256;

/** The version as an opaque token of at most 256 characters. */
export function formatGeneration(version: Version): string {
  const { rawEtag, lastModifiedMs, sizeBytes, metadataDigest, versionId } = version;
  const fields = [rawEtag, String(lastModifiedMs), String(sizeBytes), metadataDigest, versionId ?? ''];
  const text = fields.map(encodeURIComponent).join('|');
  // An id that long is told apart by its digest, and is not read by it.
  return text.length <= longest ? text : `#${createHash('sha256').update(text).digest('base64url')}`;
}

/** Undefined for a token that names no version that could be asked for. */
export function parseGeneration(generation: string): Version | undefined {
  const fields = generation.split('|');
  if (fields.length !== 5) return undefined;
  const [rawEtag, modified, size, metadataDigest, versionId] = fields.map(decodeURIComponent) as [
    string,
    string,
    string,
    string,
    string,
  ];
  return {
    rawEtag,
    lastModifiedMs: Number(modified),
    sizeBytes: Number(size),
    metadataDigest,
    ...(versionId === '' ? {} : { versionId }),
  };
}

/** A digest of what a client said of the object; not of what a backend may change by itself, such as the storage class. */
export function metadataDigest({
  headers,
  userMetadata,
}: Pick<ObjectMeta, 'headers' | 'userMetadata'>): string {
  const sorted = (record: object) => Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([sorted(headers), sorted(userMetadata)]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

/** Whether two answers that name the version carry the same bytes: what a weak ETag does not promise (RFC 9110, 8.8.1). */
export function isExact({ rawEtag, versionId }: Pick<Version, 'rawEtag' | 'versionId'>): boolean {
  return !isWeak(rawEtag) || versionId !== undefined;
}

export function isWeak(rawEtag: string): boolean {
  return rawEtag.startsWith('W/');
}

const md5Etag = /^"?[0-9a-f]{32}(-\d{1,5})?"?$/i;

/**
 * Whether no later change can leave the generation as it is.
 *
 * Last-Modified counts whole seconds, so within a second only the ETag tells two versions apart. An ETag of MD5's form is
 * either made of the bytes (then the same ETag is the same bytes), or drawn anew for each object (SSE-KMS). A
 * versionId is never used twice. Any other ETag could be a counter or a time, and is trusted once the backend's own clock
 * (`answeredMs`, its Date header) has left the second behind. A weak ETag alone cannot be asked for with If-Match, and is never trusted.
 */
export function isSettled(version: Version, answeredMs: number | undefined): boolean {
  if (!isExact(version)) return false;
  if (version.versionId !== undefined || md5Etag.test(version.rawEtag)) return true;
  return answeredMs !== undefined && answeredMs - version.lastModifiedMs >= 2_000;
}
