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
