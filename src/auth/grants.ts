import type { Grant, Permission } from '../common/access-control.ts';
import type { Identity } from '../s3api/service.ts';

/**
 * What permissions in a bucket's ACL allow. Who may write objects may also end and look at unfinished uploads of others, as he could
 * replace what they make. Source: S3 User Guide, "Access control list (ACL) overview", "Mapping of ACL permissions and access policy
 * permissions".
 */
export const bucketPermissions: ReadonlyMap<string, Permission> = new Map<string, Permission>([
  ['s3:ListBucket', 'READ'],
  ['s3:ListBucketVersions', 'READ'],
  ['s3:ListBucketMultipartUploads', 'READ'],
  ['s3:PutObject', 'WRITE'],
  ['s3:DeleteObject', 'WRITE'],
  ['s3:AbortMultipartUpload', 'WRITE'],
  ['s3:ListMultipartUploadParts', 'WRITE'],
  ['s3:GetBucketAcl', 'READ_ACP'],
  ['s3:PutBucketAcl', 'WRITE_ACP'],
]);

/** What permissions in an object's ACL allow: nothing about these is decided before the object is known. */
export const objectPermissions: ReadonlyMap<string, Permission> = new Map<string, Permission>([
  ['s3:GetObject', 'READ'],
  ['s3:GetObjectVersion', 'READ'],
  ['s3:GetObjectAttributes', 'READ'],
  ['s3:GetObjectVersionAttributes', 'READ'],
  ['s3:GetObjectAcl', 'READ_ACP'],
  ['s3:GetObjectVersionAcl', 'READ_ACP'],
  ['s3:PutObjectAcl', 'WRITE_ACP'],
  ['s3:PutObjectVersionAcl', 'WRITE_ACP'],
]);

/** Whether one of the grants gives somebody a permission. */
export function isGranted(
  grants: readonly Grant[] | undefined,
  identity: Identity,
  wanted: Permission,
): boolean {
  return (grants ?? []).some(
    (grant) =>
      (grant.permission === wanted || grant.permission === 'FULL_CONTROL') && isMeant(grant, identity),
  );
}

function isMeant({ grantee }: Grant, { policy, userName }: Identity): boolean {
  if ('user' in grantee) return policy !== 'anonymous' && grantee.user === userName;
  switch (grantee.group) {
    case 'AllUsers':
      return true;
    case 'AuthenticatedUsers':
      return policy !== 'anonymous';
    default:
      return false;
  }
}
