import { assert } from '../common/assert.ts';
import type { S3Request } from './call.ts';
import { invalidArgument, S3Error } from './errors.ts';
import type { BucketName, ObjectRef } from './names.ts';

/** The largest object that one PUT, one part or one copy may carry (S3 User Guide, "Amazon S3 multipart upload limits"). */
export const maxUploadBytes = 5 * 1024 ** 3;
export const maxPartNumber = 10_000;

/** The bucket of a request that a route of scope `bucket` or `object` matched. */
export function bucketOf(request: S3Request): BucketName {
  assert(request.bucket !== undefined, 'a route of a bucket matched a request without one');
  return request.bucket;
}

/** The object of a request that a route of scope `object` matched. */
export function objectOf(request: S3Request): ObjectRef {
  assert(request.key !== undefined, 'a route of an object matched a request without a key');
  return { bucket: bucketOf(request), key: request.key };
}

/** The version that a request is about; undefined: the present one. InvalidArgument for the empty string. */
export function versionIdOf(request: S3Request): string | undefined {
  return parseVersionId(request.query.get('versionId'));
}

/** For what makes a version: nobody says which id it gets. InvalidArgument. */
export function refuseVersionId({ query }: S3Request): void {
  const versionId = query.size === 0 ? undefined : query.get('versionId');
  if (versionId === undefined) return;
  throw invalidArgument('versionId', versionId, 'This operation does not accept a version-id.');
}

/** As `versionIdOf`, of an id that was found elsewhere. Whether it is one the storage knows. */
export function parseVersionId(versionId: string | undefined): string | undefined {
  if (versionId === '') {
    throw invalidArgument('versionId', '', 'Version id cannot be the empty string');
  }
  return versionId;
}

/** InvalidArgument unless the parameter is a decimal number from 1 to 10,000. */
export function parsePartNumber(value: string): number {
  const partNumber = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (partNumber < 1 || partNumber > maxPartNumber) {
    throw invalidArgument(
      'partNumber',
      value,
      `Part number must be an integer between 1 and ${maxPartNumber}, inclusive`,
    );
  }
  return partNumber;
}

/** Of a request that a route with an upload's id matched. NoSuchUpload for the empty string. */
export function uploadIdOf({ query }: S3Request): string {
  const uploadId = query.get('uploadId') ?? '';
  if (uploadId === '') throw new S3Error('NoSuchUpload', { extra: { UploadId: '' } });
  return uploadId;
}

/** For what makes a whole object: a part whose upload was forgotten must not become one. InvalidArgument. */
export function refusePartNumber({ query }: S3Request): void {
  if (query.size === 0 || !query.has('partNumber')) return;
  // S3 gives the parameter's name for its value here.
  const message = 'This operation does not accept partNumber without uploadId';
  throw invalidArgument('partNumber', 'partNumber', message);
}

/** The value of a query parameter, an empty one being the same as none. */
export function parameter(request: S3Request, name: string): string | undefined {
  return request.query.get(name) || undefined;
}

/** A count such as `max-keys`: the most that S3 gives at once unless the client wants fewer. InvalidArgument. */
export function parseLimit(request: S3Request, name: string, most = 1000): number {
  const value = parameter(request, name);
  if (value === undefined) return most;
  if (!/^-?\d{1,10}$/.test(value) || Math.abs(Number(value)) > 2_147_483_647) {
    throw invalidArgument(name, value, `Provided ${name} not an integer or within integer range`);
  }
  if (Number(value) < 0) {
    // S3 writes this one of its parameters in its own way here.
    const shown = name === 'max-keys' ? 'maxKeys' : name;
    throw invalidArgument(shown, value, `Argument ${shown} must be an integer between 0 and 2147483647`);
  }
  return Math.min(Number(value), most);
}
