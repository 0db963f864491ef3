/**
 * Cloud Storage's classes under the names that S3's clients know, by how often an object is meant to be read: at most once a month,
 * a quarter, a year. All of them are read at once, as no class of S3's archives is, so that a foreign ARCHIVE object is no GLACIER one.
 */
const toGcs: Readonly<Record<string, string>> = {
  STANDARD: 'STANDARD',
  REDUCED_REDUNDANCY: 'STANDARD',
  INTELLIGENT_TIERING: 'STANDARD',
  EXPRESS_ONEZONE: 'STANDARD',
  STANDARD_IA: 'NEARLINE',
  ONEZONE_IA: 'NEARLINE',
  GLACIER_IR: 'COLDLINE',
  GLACIER: 'ARCHIVE',
  DEEP_ARCHIVE: 'ARCHIVE',
};

const toS3: Readonly<Record<string, string>> = {
  NEARLINE: 'STANDARD_IA',
  COLDLINE: 'GLACIER_IR',
  ARCHIVE: 'GLACIER_IR',
};

/** The class that an object is to be stored in; undefined: the bucket's own, also for a name that is not known. */
export function gcsClassOf(storageClass: string | undefined): string | undefined {
  if (storageClass === undefined || !Object.hasOwn(toGcs, storageClass)) return undefined;
  return toGcs[storageClass];
}

/** What S3's clients are told of a class; undefined for the standard ones. `asked`: what the object was written with, if it still holds. */
export function s3ClassOf(gcsClass: string | undefined, asked: string | undefined): string | undefined {
  const holds = asked !== undefined && gcsClassOf(asked) === gcsClass;
  if (holds) return asked === 'STANDARD' ? undefined : asked;
  return gcsClass !== undefined && Object.hasOwn(toS3, gcsClass) ? toS3[gcsClass] : undefined;
}
