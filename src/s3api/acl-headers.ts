import type { Grant, Grantee, Permission } from '../common/access-control.ts';
import { type AclSubject, cannedGrants, groupOfUri } from './acl.ts';
import { invalidArgument, S3Error } from './errors.ts';
import type { RequestHeaders } from './headers.ts';

const grantHeaders = [
  ['x-amz-grant-full-control', 'FULL_CONTROL'],
  ['x-amz-grant-read', 'READ'],
  ['x-amz-grant-read-acp', 'READ_ACP'],
  ['x-amz-grant-write', 'WRITE'],
  ['x-amz-grant-write-acp', 'WRITE_ACP'],
] as const satisfies readonly (readonly [header: string, permission: Permission])[];

/** S3 User Guide, "Access control list (ACL) overview": an ACL holds at most so many grants. */
export const maxGrants = 100;

/** Says whether there is a user of such a name, which is its canonical id. */
export type UserLookup = (name: string) => boolean;

/** Whether the headers ask for an ACL at all. */
export function asksForAcl(headers: RequestHeaders): boolean {
  return headers['x-amz-acl'] !== undefined || hasGrantHeaders(headers);
}

function hasGrantHeaders(headers: RequestHeaders): boolean {
  return grantHeaders.some(([header]) => headers[header] !== undefined);
}

/**
 * The grants that `x-amz-acl` or the `x-amz-grant-*` headers ask for; undefined where they ask for none. Grants that are listed are all
 * there are: the owner is not added. InvalidRequest for both at once, InvalidArgument, UnresolvableGrantByEmailAddress.
 */
export function grantsFromHeaders(
  headers: RequestHeaders,
  subject: AclSubject,
  isUser: UserLookup,
): readonly Grant[] | undefined {
  const canned = headers['x-amz-acl'];
  if (!hasGrantHeaders(headers)) return canned === undefined ? undefined : cannedGrants(canned, subject);
  if (canned !== undefined) {
    throw new S3Error('InvalidRequest', {
      message: 'Specifying both Canned ACLs and Header Grants is not allowed',
    });
  }
  const grants: Grant[] = [];
  for (const [header, permission] of grantHeaders) {
    for (const grantee of granteesOf(header, headers[header], isUser)) grants.push({ grantee, permission });
  }
  if (grants.length > maxGrants) throw new S3Error('MalformedACLError');
  return grants;
}

/** `id="…", uri="…", emailAddress="…"`, the values with or without quotes. */
function granteesOf(header: string, value: string | undefined, isUser: UserLookup): readonly Grantee[] {
  if (value === undefined) return [];
  return value.split(',').map((part) => {
    const match = /^\s*([A-Za-z]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^"']*?))\s*$/.exec(part);
    const kind = match?.[1]?.toLowerCase();
    const named = match?.[2] ?? match?.[3] ?? match?.[4] ?? '';
    if (kind === 'id') return userGrantee(named, isUser, 'id');
    if (kind === 'uri') return groupGrantee(named, 'uri');
    if (kind === 'emailaddress') throw unresolvable(named);
    throw invalidArgument(header, value, 'Argument format not recognized');
  });
}

/** InvalidArgument for a user that is not there; `argument` names it in the answer. */
export function userGrantee(name: string, isUser: UserLookup, argument: string): Grantee {
  if (!isUser(name)) throw invalidArgument(argument, name, 'Invalid id');
  return { user: name };
}

/** InvalidArgument for a group that S3 does not know. */
export function groupGrantee(uri: string, argument: string): Grantee {
  const group = groupOfUri(uri);
  if (group === undefined) throw invalidArgument(argument, uri, 'Invalid group uri');
  return { group };
}

/** Users have no addresses here, so that none of them resolves. */
export function unresolvable(address: string): S3Error {
  return new S3Error('UnresolvableGrantByEmailAddress', { extra: { Email: address } });
}
