import { type Grant, type Grantee, permissions } from '../common/access-control.ts';
import { groupUri } from './acl.ts';
import { groupGrantee, maxGrants, type UserLookup, unresolvable, userGrantee } from './acl-headers.ts';
import { S3Error } from './errors.ts';
import { ownerElement } from './listing.ts';
import { element, rootElement, textElement } from './xml.ts';
import { leafTexts, parseXml, type XmlElement } from './xml-reader.ts';

/** Of each grant: itself, grantee, id, name, permission; and the owner's. */
const maxElements = maxGrants * 6 + 8;

/**
 * The grants of an AccessControlPolicy, which must be of that owner. MalformedACLError; AccessDenied for another owner; InvalidArgument;
 * UnresolvableGrantByEmailAddress. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html
 */
export function parseAclXml(body: string, owner: string, isUser: UserLookup): readonly Grant[] {
  const { ownerId, grants } = readPolicy(body);
  if (ownerId !== owner) {
    userGrantee(ownerId, isUser, 'CanonicalUser/ID');
    throw new S3Error('AccessDenied');
  }
  return grants.map((grant) => parseGrant(grant, isUser));
}

/** MalformedACLError where the document is not of the form that S3's schema gives it. */
function readPolicy(body: string): { readonly ownerId: string; readonly grants: readonly XmlElement[] } {
  try {
    const root = parseXml(body, 'AccessControlPolicy', maxElements);
    const owner = only(root, 'Owner');
    const list = only(root, 'AccessControlList');
    const { ID: ownerId } = leafTexts(owner, ['ID', 'DisplayName']);
    if (ownerId === undefined || root.children.length > 2 || list.children.length > maxGrants) {
      throw new S3Error('MalformedACLError');
    }
    if (list.children.some(({ name }) => name !== 'Grant')) throw new S3Error('MalformedACLError');
    return { ownerId: ownerId.trim(), grants: list.children };
  } catch (error) {
    throw asAclError(error);
  }
}

function parseGrant(grant: XmlElement, isUser: UserLookup): Grant {
  try {
    const grantee = only(grant, 'Grantee');
    const text = only(grant, 'Permission').text.trim();
    const permission = permissions.find((known) => known === text);
    if (permission === undefined) throw new S3Error('MalformedACLError');
    return { grantee: parseGrantee(grantee, isUser), permission };
  } catch (error) {
    throw asAclError(error);
  }
}

/** Its `xsi:type` says no more than which of the elements is there. */
function parseGrantee(grantee: XmlElement, isUser: UserLookup): Grantee {
  const { ID, URI, EmailAddress } = leafTexts(grantee, ['ID', 'DisplayName', 'URI', 'EmailAddress']);
  if (ID !== undefined) return userGrantee(ID.trim(), isUser, 'CanonicalUser/ID');
  if (URI !== undefined) return groupGrantee(URI.trim(), 'Group/URI');
  if (EmailAddress !== undefined) throw unresolvable(EmailAddress.trim());
  throw new S3Error('MalformedACLError');
}

function only(parent: XmlElement, name: string): XmlElement {
  const [found, ...more] = parent.children.filter((child) => child.name === name);
  if (found === undefined || more.length > 0) throw new S3Error('MalformedACLError');
  return found;
}

function asAclError(error: unknown): unknown {
  const isMalformed = error instanceof S3Error && error.code === 'MalformedXML';
  return isMalformed ? new S3Error('MalformedACLError', { cause: error }) : error;
}

const schemaInstance = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';

/** The AccessControlPolicy of a bucket or object. */
export function aclXml(owner: string, grants: readonly Grant[]): string {
  return rootElement('AccessControlPolicy', [
    ownerElement('Owner', owner),
    element(
      'AccessControlList',
      grants.map(({ grantee, permission }) =>
        element('Grant', [granteeElement(grantee), textElement('Permission', permission)]),
      ),
    ),
  ]);
}

function granteeElement(grantee: Grantee): string {
  const isUser = 'user' in grantee;
  const inside = isUser
    ? textElement('ID', grantee.user) + textElement('DisplayName', grantee.user)
    : textElement('URI', groupUri(grantee.group));
  return `<Grantee ${schemaInstance} xsi:type="${isUser ? 'CanonicalUser' : 'Group'}">${inside}</Grantee>`;
}
