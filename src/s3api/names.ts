import { S3Error } from './errors.ts';

declare const bucketBrand: unique symbol;
declare const keyBrand: unique symbol;

/** A bucket name that `parseBucketName` found valid. */
export type BucketName = string & { readonly [bucketBrand]: true };
/** A key of 1–1,024 bytes of valid UTF-8, decoded. */
export type ObjectKey = string & { readonly [keyBrand]: true };

export interface ObjectRef {
  readonly bucket: BucketName;
  readonly key: ObjectKey;
}

/** An object, or one version of it. */
export interface VersionRef extends ObjectRef {
  readonly versionId?: string;
}

export const maxKeyBytes = 1024;

const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
const bucketPattern = new RegExp(`^(?=.{3,63}$)${label}(?:\\.${label})*$`);
/** An IPv4 address, a reserved prefix, a reserved suffix. */
const unusableName =
  /^(?:xn--|sthree-|amzn-s3-demo-|\d{1,3}(?:\.\d{1,3}){3}$)|(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/;

/**
 * Whether S3 lets a general purpose bucket have this name: 3–63 of `a-z`, `0-9`, `.` and `-`, every label beginning and
 * ending with a letter or digit, not like an IPv4 address, none of the reserved prefixes and suffixes
 * (S3 User Guide, "General purpose bucket naming rules").
 */
export function isBucketName(name: string): name is BucketName {
  return bucketPattern.test(name) && !unusableName.test(name);
}

/** As S3 names a bucket in policies, and in answers about it. */
export function bucketArn(bucket: BucketName): string {
  return `arn:aws:s3:::${bucket}`;
}

/** InvalidBucketName. */
export function parseBucketName(name: string): BucketName {
  if (!isBucketName(name)) throw new S3Error('InvalidBucketName', { extra: { BucketName: name } });
  return name;
}

/** A decoded, not empty key. KeyTooLongError. */
export function parseObjectKey(key: string): ObjectKey {
  // One UTF-16 unit is at most three bytes, so that most keys need no counting.
  if (key.length * 3 > maxKeyBytes) {
    const sizeBytes = Buffer.byteLength(key);
    if (sizeBytes > maxKeyBytes) {
      throw new S3Error('KeyTooLongError', {
        extra: { Size: String(sizeBytes), MaxSizeAllowed: String(maxKeyBytes) },
      });
    }
  }
  return key as ObjectKey;
}
