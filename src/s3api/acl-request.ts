import type { Grant } from '../common/access-control.ts';
import type { AclSubject } from './acl.ts';
import { grantsFromHeaders, maxGrants } from './acl-headers.ts';
import { parseAclXml } from './acl-xml.ts';
import type { Call } from './call.ts';
import { S3Error } from './errors.ts';

/** Room for the longest names and URIs. */
const maxBodyBytes = maxGrants * 1024;

/**
 * The grants that a request to put an ACL asks for: canned, one by one in headers, or as a document. MissingSecurityHeader for none of
 * these, UnexpectedContent for a document beside headers, and as `grantsFromHeaders` and `parseAclXml`.
 */
export async function requestedGrants(call: Call, subject: AclSubject): Promise<readonly Grant[]> {
  const fromHeaders = grantsFromHeaders(call.request.headers, subject, call.isUser);
  const body = await call.text(maxBodyBytes);
  if (fromHeaders !== undefined) {
    if (body !== '') throw new S3Error('UnexpectedContent');
    return fromHeaders;
  }
  if (body === '') {
    throw new S3Error('MissingSecurityHeader', { extra: { MissingHeaderName: 'x-amz-acl' } });
  }
  return parseAclXml(body, subject.owner, call.isUser);
}
