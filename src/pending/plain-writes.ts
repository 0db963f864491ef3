import type { NewObject } from '../common/object-meta.ts';

/** S3 takes no more ("Amazon S3 User Guide", object key naming guidelines), and a mount's prefix comes before. */
const maxKeyBytes = 600;
/** Of S3's 2 KiB for user metadata, the stamp takes some. */
const maxMetadataBytes = 1_800;

/** Whether the storage surely takes a key, so that nothing needs to be asked before an object of that name is acknowledged. */
export function isPlainKey(key: string): boolean {
  return Buffer.byteLength(key) <= maxKeyBytes;
}

/** The same of an object's name and of what is said of it. */
export function isPlainObject(key: string, { storageClass, headers, userMetadata }: NewObject): boolean {
  if (storageClass !== undefined || headers.websiteRedirectLocation !== undefined) return false;
  let bytes = 0;
  for (const [name, value] of Object.entries(userMetadata))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  return bytes <= maxMetadataBytes && isPlainKey(key);
}
