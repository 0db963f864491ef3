import type { BucketAccess, ObjectAccess } from '../common/access-control.ts';
import { isPrivate } from './acl.ts';
import { asksForAcl, grantsFromHeaders, type UserLookup } from './acl-headers.ts';
import { S3Error } from './errors.ts';
import type { RequestHeaders } from './headers.ts';
import type { Identity } from './service.ts';

/**
 * Whose an object is going to be that `caller` writes into a bucket, and whom the request opens it to; undefined: the bucket's owner's
 * alone. What an admin or nobody known writes is the bucket's owner's. AccessControlListNotSupported, and as `grantsFromHeaders`.
 */
export function accessOfNewObject(
  headers: RequestHeaders,
  caller: Identity,
  bucket: { readonly owner: string; readonly access?: BucketAccess },
  isUser: UserLookup,
): ObjectAccess | undefined {
  const { owner: bucketOwner, access } = bucket;
  const canned = headers['x-amz-acl'];
  if (access?.ownership === 'BucketOwnerEnforced') {
    if (asksForAcl(headers) && canned !== 'bucket-owner-full-control') {
      throw new S3Error('AccessControlListNotSupported');
    }
    return undefined;
  }
  const handsOver = access?.ownership === 'BucketOwnerPreferred' && canned === 'bucket-owner-full-control';
  const isOwn = caller.policy === 'admin' || caller.policy === 'anonymous' || handsOver;
  const owner = isOwn ? bucketOwner : caller.userName;
  const grants = grantsFromHeaders(headers, { owner, bucketOwner, of: 'object' }, isUser);
  return objectAccess(owner, bucketOwner, grants);
}

/** As it is kept: undefined where nothing differs from what every object is. */
export function objectAccess(
  owner: string,
  bucketOwner: string,
  grants: ObjectAccess['grants'],
): ObjectAccess | undefined {
  const kept = grants === undefined || isPrivate(grants, owner) ? undefined : grants;
  if (owner === bucketOwner && kept === undefined) return undefined;
  return {
    ...(owner === bucketOwner ? {} : { owner }),
    ...(kept === undefined ? {} : { grants: kept }),
  };
}
