import { describe, expect, test } from '@jest/globals';
import type { Grant } from '../../src/common/access-control.ts';
import { cannedGrants, isPrivate, privateGrants } from '../../src/s3api/acl.ts';
import { grantsFromHeaders } from '../../src/s3api/acl-headers.ts';
import { aclXml, parseAclXml } from '../../src/s3api/acl-xml.ts';
import { accessOfNewObject } from '../../src/s3api/new-object-access.ts';

const isUser = (name: string) => ['ann', 'bob'].includes(name);
const grants: readonly Grant[] = [
  { grantee: { user: 'ann' }, permission: 'FULL_CONTROL' },
  { grantee: { group: 'LogDelivery' }, permission: 'READ_ACP' },
];

test('an ACL that is shown can be put again as it is', () => {
  expect(parseAclXml(aclXml('ann', grants), 'ann', isUser)).toEqual(grants);
  expect(parseAclXml(aclXml('ann', []), 'ann', isUser)).toEqual([]);
});

test('an ACL may come with white space, namespaces and names of users that nobody looks at', () => {
  const body = `<?xml version="1.0"?>
    <s3:AccessControlPolicy xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/">
      <s3:Owner><s3:ID> ann </s3:ID><s3:DisplayName>Ann</s3:DisplayName></s3:Owner>
      <s3:AccessControlList>
        <s3:Grant>
          <s3:Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">
            <s3:ID>bob</s3:ID><s3:DisplayName>somebody else</s3:DisplayName>
          </s3:Grantee>
          <s3:Permission>WRITE</s3:Permission>
        </s3:Grant>
      </s3:AccessControlList>
    </s3:AccessControlPolicy>`;
  expect(parseAclXml(body, 'ann', isUser)).toEqual([{ grantee: { user: 'bob' }, permission: 'WRITE' }]);
});

test('an ACL of more than a hundred grants is malformed', () => {
  const many = (count: number) => aclXml('ann', Array(count).fill(grants[0]));
  expect(parseAclXml(many(100), 'ann', isUser)).toHaveLength(100);
  expect(() => parseAclXml(many(101), 'ann', isUser)).toThrow(
    expect.objectContaining({ code: 'MalformedACLError' }),
  );
});

describe('grants in headers', () => {
  const subject = { owner: 'ann', bucketOwner: 'ann', of: 'object' } as const;
  const parse = (value: string) => grantsFromHeaders({ 'x-amz-grant-read': value }, subject, isUser);
  test.each(['id="bob"', 'id=bob', "id='bob'", ' ID = "bob" '])('are read as %s', (value) => {
    expect(parse(value)).toEqual([{ grantee: { user: 'bob' }, permission: 'READ' }]);
  });

  test('are listed one by one', () => {
    expect(parse('id=bob, uri=http://acs.amazonaws.com/groups/global/AllUsers')).toEqual([
      { grantee: { user: 'bob' }, permission: 'READ' },
      { grantee: { group: 'AllUsers' }, permission: 'READ' },
    ]);
  });

  test('are none where there are no such headers', () => {
    expect(grantsFromHeaders({}, subject, isUser)).toBeUndefined();
  });
});

test('an ACL is private if its owner has full control, and nobody else anything', () => {
  expect(isPrivate(privateGrants('ann'), 'ann')).toBe(true);
  expect(isPrivate(privateGrants('bob'), 'ann')).toBe(false);
  expect(isPrivate(grants, 'ann')).toBe(false);
  expect(isPrivate([], 'ann')).toBe(false);
  expect(isPrivate([{ grantee: { user: 'ann' }, permission: 'READ' }], 'ann')).toBe(false);
});

describe('a canned ACL', () => {
  test('of another’s object opens it to the bucket’s owner', () => {
    const subject = { owner: 'bob', bucketOwner: 'ann', of: 'object' } as const;
    expect(cannedGrants('bucket-owner-read', subject)).toEqual([
      { grantee: { user: 'bob' }, permission: 'FULL_CONTROL' },
      { grantee: { user: 'ann' }, permission: 'READ' },
    ]);
    expect(cannedGrants('aws-exec-read', subject)).toHaveLength(2);
  });
});

describe('a new object', () => {
  const who = (userName: string, policy: 'admin' | 'readwrite' | 'anonymous' = 'readwrite') => ({
    userName,
    policy,
    accessKeyId: '',
  });
  const bucket = { owner: 'ann', access: {} };

  test('is kept nothing of where it is the bucket’s owner’s alone', () => {
    expect(accessOfNewObject({}, who('ann'), bucket, isUser)).toBeUndefined();
    expect(accessOfNewObject({ 'x-amz-acl': 'private' }, who('ann'), bucket, isUser)).toBeUndefined();
    expect(accessOfNewObject({}, who('root', 'admin'), bucket, isUser)).toBeUndefined();
    expect(accessOfNewObject({}, who('', 'anonymous'), bucket, isUser)).toBeUndefined();
  });

  test('is its writer’s', () => {
    expect(accessOfNewObject({}, who('bob'), bucket, isUser)).toEqual({ owner: 'bob' });
    const opened = accessOfNewObject({ 'x-amz-acl': 'public-read' }, who('bob'), bucket, isUser);
    expect(opened).toMatchObject({ owner: 'bob', grants: [{}, { grantee: { group: 'AllUsers' } }] });
  });
});
