import { type BucketAccess, objectOwnerships } from '../common/access-control.ts';
import { isPrivate } from './acl.ts';
import { grantsFromHeaders, type UserLookup } from './acl-headers.ts';
import { invalidArgument, S3Error } from './errors.ts';
import type { RequestHeaders } from './headers.ts';

/**
 * What the headers of a request to create a bucket set of it; undefined: nothing. InvalidArgument, InvalidBucketAclWithObjectOwnership,
 * and as `grantsFromHeaders`.
 */
export function accessOfNewBucket(
  headers: RequestHeaders,
  owner: string,
  isUser: UserLookup,
): BucketAccess | undefined {
  const header = headers['x-amz-object-ownership'];
  const ownership = objectOwnerships.find((known) => known === header);
  if (header !== undefined && ownership === undefined) {
    const message = `Invalid x-amz-object-ownership header: ${header}`;
    throw invalidArgument('x-amz-object-ownership', header, message);
  }
  const requested = grantsFromHeaders(headers, { owner, bucketOwner: owner, of: 'bucket' }, isUser);
  const grants = requested === undefined || isPrivate(requested, owner) ? undefined : requested;
  if (ownership === 'BucketOwnerEnforced' && grants !== undefined) {
    throw new S3Error('InvalidBucketAclWithObjectOwnership');
  }
  if (ownership === undefined && grants === undefined) return undefined;
  return { ...(ownership === undefined ? {} : { ownership }), ...(grants === undefined ? {} : { grants }) };
}
