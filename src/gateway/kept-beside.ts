import type { ObjectAccess } from '../common/access-control.ts';
import type { Tag } from '../common/object-meta.ts';
import { notImplemented, type S3Error } from '../s3api/errors.ts';
import type { Place } from './namespace.ts';

/**
 * What is kept of an object's access. Where a backend keeps none, every object is its bucket's owner's, so that nothing is lost of what
 * gives no right to anybody else; everything else is NotImplemented.
 */
export function keptAccess(
  { backend, bucket }: Place,
  access: ObjectAccess | undefined,
): ObjectAccess | undefined {
  if (access === undefined || backend.capabilities.objectAcls) return access;
  const isHeld = (access.grants ?? []).every(
    ({ grantee, permission }) =>
      'user' in grantee &&
      (grantee.user === bucket.owner || grantee.user === access.owner) &&
      permission === 'FULL_CONTROL',
  );
  if (!isHeld) throw notImplemented('x-amz-acl');
  return undefined;
}

/** NotImplemented for tags where the storage keeps none. */
export function refuseTags({ backend }: Place, tags: readonly Tag[] | undefined): void {
  if (tags !== undefined && tags.length > 0 && !backend.capabilities.tagging) throw noTags();
}

export function noTags(): S3Error {
  return notImplemented('x-amz-tagging', 'The storage behind this bucket keeps no tags.');
}
