import type { Grant, GroupName, Permission } from '../common/access-control.ts';
import { invalidArgument } from './errors.ts';

/** The canned ACLs and groups of S3. Source: S3 User Guide, "Access control list (ACL) overview". */

const groupUris: Readonly<Record<GroupName, string>> = {
  AllUsers: 'http://acs.amazonaws.com/groups/global/AllUsers',
  AuthenticatedUsers: 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers',
  LogDelivery: 'http://acs.amazonaws.com/groups/s3/LogDelivery',
};

export function groupUri(group: GroupName): string {
  return groupUris[group];
}

export function groupOfUri(uri: string): GroupName | undefined {
  return (Object.keys(groupUris) as GroupName[]).find((name) => groupUris[name] === uri);
}

/** The canonical id under which EC2 fetches the images that `aws-exec-read` opens to it. No user has such a name here. */
const ec2ImageReader = '6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c';

/** Whom an ACL is about. */
export interface AclSubject {
  /** Whose the bucket or object is. */
  readonly owner: string;
  readonly bucketOwner: string;
  readonly of: 'bucket' | 'object';
}

/** The owner's full control, which a resource has when nothing is said. */
export function privateGrants(owner: string): readonly Grant[] {
  return [{ grantee: { user: owner }, permission: 'FULL_CONTROL' }];
}

/** Whether grants say no more than that the owner has full control. */
export function isPrivate(grants: readonly Grant[], owner: string): boolean {
  const [first] = grants;
  if (grants.length !== 1 || first === undefined || !('user' in first.grantee)) return false;
  return first.grantee.user === owner && first.permission === 'FULL_CONTROL';
}

/** InvalidArgument for a name that S3 does not know, or not for such a resource. */
export function cannedGrants(name: string, subject: AclSubject): readonly Grant[] {
  const added = addedGrants(name, subject);
  if (added === undefined) throw invalidArgument('x-amz-acl', name, '');
  return [...privateGrants(subject.owner), ...added];
}

function addedGrants(name: string, { owner, bucketOwner, of }: AclSubject): readonly Grant[] | undefined {
  const toBucketOwner = (permission: Permission): readonly Grant[] =>
    // Of a bucket S3 passes over what is said of its objects.
    of === 'bucket' || owner === bucketOwner ? [] : [{ grantee: { user: bucketOwner }, permission }];
  switch (name) {
    case 'private':
      return [];
    case 'public-read':
      return toGroup('AllUsers', 'READ');
    case 'public-read-write':
      return toGroup('AllUsers', 'READ', 'WRITE');
    case 'authenticated-read':
      return toGroup('AuthenticatedUsers', 'READ');
    case 'aws-exec-read':
      return [{ grantee: { user: ec2ImageReader }, permission: 'READ' }];
    case 'bucket-owner-read':
      return toBucketOwner('READ');
    case 'bucket-owner-full-control':
      return toBucketOwner('FULL_CONTROL');
    case 'log-delivery-write':
      return of === 'bucket' ? toGroup('LogDelivery', 'WRITE', 'READ_ACP') : undefined;
    default:
      return undefined;
  }
}

function toGroup(group: GroupName, ...granted: readonly Permission[]): readonly Grant[] {
  return granted.map((permission) => ({ grantee: { group }, permission }));
}
