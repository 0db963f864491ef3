/** Anonymous requests, ACLs, grants and ownership, asked of a whole node over HTTP. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Credentials } from '../hostile/hostile-client.ts';
import { other, owner, reader, third, told, useAccessScene } from './access-scene.ts';

const at = useAccessScene();

describe('a request that nobody signed', () => {
  test('reads what is open to all, and nothing else', async () => {
    await at.put('open', { 'x-amz-acl': 'public-read' });
    await at.put('closed');
    expect((await at.get('open')).body).toBe('open');
    expect(told(await at.get('closed'))).toBe('AccessDenied');
    expect(told(await at.get('missing'))).toBe('AccessDenied');
    expect((await at.anonymously({ method: 'HEAD', target: `/${at.bucket}/closed` })).status).toBe(403);
    expect(told(await at.anonymously({ target: `/${at.bucket}` }))).toBe('AccessDenied');
    expect(told(await at.anonymously({ target: '/' }))).toBe('AccessDenied');
    expect(told(await at.anonymously({ target: '/no-such-bucket-here' }))).toBe('NoSuchBucket');
    expect(told(await at.anonymously({ method: 'PUT', target: '/brand-new-bucket' }))).toBe('AccessDenied');
  });

  test('is told where a bucket lies that it may not see, and of none that is not there', async () => {
    const regionOf = async (target: string, as?: Credentials) => {
      const parts = { method: 'HEAD', target };
      const { status, headers } = await (as ? at.send(parts, as) : at.anonymously(parts));
      return [status, headers.get('x-amz-bucket-region')];
    };
    await at.put('closed');
    expect(await regionOf(`/${at.bucket}`)).toEqual([403, 'us-east-1']);
    expect(await regionOf(`/${at.bucket}`, other)).toEqual([403, 'us-east-1']);
    expect(await regionOf(`/${at.bucket}`, owner)).toEqual([200, 'us-east-1']);
    expect(await regionOf('/no-such-bucket-here')).toEqual([404, undefined]);
    expect(await regionOf(`/${at.bucket}/closed`)).toEqual([403, undefined]);
  });

  test('is told that a key is not there where it may list', async () => {
    await at.putAcl('', { 'x-amz-acl': 'public-read' });
    expect(told(await at.get('missing'))).toBe('NoSuchKey');
    expect(told(await at.anonymously({ target: `/${at.bucket}?list-type=2` }))).toBe(200);
  });

  test('may not say what an answer looks like', async () => {
    await at.put('open', { 'x-amz-acl': 'public-read' });
    expect(told(await at.get('open?response-content-type=text/html'))).toBe('InvalidRequest');
    expect(told(await at.get('open?response-content-type=text/html', other))).toBe(200);
  });

  test('writes where everybody may, and what it writes is the bucket’s owner’s', async () => {
    await at.putAcl('', { 'x-amz-acl': 'public-read-write' });
    expect(told(await at.anonymously({ method: 'PUT', target: `/${at.bucket}/new`, body: 'new' }))).toBe(200);
    expect((await at.get('new', owner)).body).toBe('new');
    expect(await at.grantsOf('/new')).toEqual(['owner FULL_CONTROL']);
    expect(told(await at.get('new'))).toBe('AccessDenied');
    expect(told(await at.anonymously({ method: 'DELETE', target: `/${at.bucket}/new` }))).toBe(204);
  });

  test('with a wrong signature is refused even where nobody needs one', async () => {
    await at.put('open', { 'x-amz-acl': 'public-read' });
    const wrong = { accessKeyId: 'OWNERKEY', secretAccessKey: 'a guess' };
    expect(told(await at.get('open', wrong))).toBe('SignatureDoesNotMatch');
    const target = at.scene.client.presigned({ target: `/${at.bucket}/open`, credentials: wrong });
    expect(told(await at.anonymously({ target }))).toBe('SignatureDoesNotMatch');
    expect(told(await at.get('open?X-Amz-Signature=00'))).toBe('AuthorizationQueryParametersError');
  });

  test('with a signature in the query is its signer’s', async () => {
    await at.put('closed');
    const link = (credentials: Credentials) =>
      at.anonymously({ target: at.scene.client.presigned({ target: `/${at.bucket}/closed`, credentials }) });
    expect(told(await link(owner))).toBe(200);
    expect(told(await link(other))).toBe('AccessDenied');
  });
});

describe('an ACL', () => {
  test('is as S3 shows it', async () => {
    await at.put('k', { 'x-amz-acl': 'public-read' });
    const { body } = await at.ok({ target: `/${at.bucket}/k?acl=` });
    expect(body).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        '<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
        '<Owner><ID>owner</ID><DisplayName>owner</DisplayName></Owner><AccessControlList>' +
        '<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">' +
        '<ID>owner</ID><DisplayName>owner</DisplayName></Grantee><Permission>FULL_CONTROL</Permission></Grant>' +
        '<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">' +
        '<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant>' +
        '</AccessControlList></AccessControlPolicy>',
    );
  });

  test.each([
    ['private', ['owner FULL_CONTROL'], ['owner FULL_CONTROL']],
    ['public-read', ['owner FULL_CONTROL', 'AllUsers READ'], ['owner FULL_CONTROL', 'AllUsers READ']],
    [
      'public-read-write',
      ['owner FULL_CONTROL', 'AllUsers READ', 'AllUsers WRITE'],
      ['owner FULL_CONTROL', 'AllUsers READ', 'AllUsers WRITE'],
    ],
    [
      'authenticated-read',
      ['owner FULL_CONTROL', 'AuthenticatedUsers READ'],
      ['owner FULL_CONTROL', 'AuthenticatedUsers READ'],
    ],
    ['bucket-owner-read', ['owner FULL_CONTROL'], ['owner FULL_CONTROL']],
    ['bucket-owner-full-control', ['owner FULL_CONTROL'], ['owner FULL_CONTROL']],
    ['log-delivery-write', ['owner FULL_CONTROL', 'LogDelivery WRITE', 'LogDelivery READ_ACP'], undefined],
    ['nonsense', undefined, undefined],
  ])('%s opens a bucket and an object to whom it should', async (acl, ofBucket, ofObject) => {
    await at.put('k');
    expect(told(await at.putAcl('', { 'x-amz-acl': acl }))).toBe(ofBucket ? 200 : 'InvalidArgument');
    expect(await at.grantsOf('')).toEqual(ofBucket ?? ['owner FULL_CONTROL']);
    expect(told(await at.putAcl('/k', { 'x-amz-acl': acl }))).toBe(ofObject ? 200 : 'InvalidArgument');
    expect(await at.grantsOf('/k')).toEqual(ofObject ?? ['owner FULL_CONTROL']);
  });

  test('of grants one by one is what they say, and opens no more', async () => {
    await at.put('k', {
      'x-amz-grant-read': 'id="other", uri="http://acs.amazonaws.com/groups/global/AuthenticatedUsers"',
      'x-amz-grant-full-control': 'id=owner',
    });
    expect(await at.grantsOf('/k')).toEqual(['owner FULL_CONTROL', 'other READ', 'AuthenticatedUsers READ']);
    expect(told(await at.get('k', other))).toBe(200);
    expect(told(await at.get('k'))).toBe('AccessDenied');
    expect(told(await at.send({ target: `/${at.bucket}/k?acl=` }, other))).toBe('AccessDenied');
  });

  const document = (grantee: string, permission = 'READ', ownerId = 'owner') =>
    `<AccessControlPolicy><Owner><ID>${ownerId}</ID></Owner><AccessControlList><Grant><Grantee>${grantee}</Grantee>` +
    `<Permission>${permission}</Permission></Grant></AccessControlList></AccessControlPolicy>`;

  test('may come as a document', async () => {
    await at.put('k');
    expect(told(await at.putAcl('/k', {}, owner, document('<ID>other</ID>')))).toBe(200);
    expect(await at.grantsOf('/k')).toEqual(['other READ']);
    expect(told(await at.get('k', other))).toBe(200);
    // The owner's own right does not come from the ACL.
    expect(told(await at.get('k', owner))).toBe(200);
  });

  test.each([
    [{}, '', 'MissingSecurityHeader'],
    [{ 'x-amz-acl': 'private' }, document('<ID>other</ID>'), 'UnexpectedContent'],
    [{ 'x-amz-acl': 'private', 'x-amz-grant-read': 'id=other' }, '', 'InvalidRequest'],
    [{ 'x-amz-grant-read': 'id=nobody-here' }, '', 'InvalidArgument'],
    [{ 'x-amz-grant-read': 'other' }, '', 'InvalidArgument'],
    [{ 'x-amz-grant-read': 'uri="http://elsewhere"' }, '', 'InvalidArgument'],
    [{ 'x-amz-grant-read': 'emailAddress="a@b.example"' }, '', 'UnresolvableGrantByEmailAddress'],
    [{}, '<AccessControlPolicy>', 'MalformedACLError'],
    [{}, '<AccessControlPolicy/>', 'MalformedACLError'],
    [{}, document('<ID>other</ID>', 'FLY'), 'MalformedACLError'],
    [{}, document('<Name>other</Name>'), 'MalformedACLError'],
    [{}, document('<ID>nobody-here</ID>'), 'InvalidArgument'],
    [{}, document('<URI>http://elsewhere</URI>'), 'InvalidArgument'],
    [{}, document('<EmailAddress>a@b.example</EmailAddress>'), 'UnresolvableGrantByEmailAddress'],
    [{}, document('<ID>other</ID>', 'READ', 'other'), 'AccessDenied'],
    [{}, document('<ID>other</ID>', 'READ', 'nobody-here'), 'InvalidArgument'],
  ] as const)('of headers %j and the document %.60j is refused with %s', async (headers, body, code) => {
    await at.put('k');
    expect(told(await at.putAcl('/k', headers, owner, body))).toBe(code);
    expect(told(await at.putAcl('', headers, owner, body))).toBe(code);
    expect(await at.grantsOf('/k')).toEqual(['owner FULL_CONTROL']);
    expect(await at.grantsOf('')).toEqual(['owner FULL_CONTROL']);
  });

  test('goes with its object: a new one under the key, and a copy, begin without it', async () => {
    await at.put('k', { 'x-amz-acl': 'public-read' });
    const copy = { 'x-amz-copy-source': `/${at.bucket}/k` };
    await at.ok({ method: 'PUT', target: `/${at.bucket}/copy`, headers: copy });
    expect(told(await at.get('copy'))).toBe('AccessDenied');
    await at.ok({
      method: 'PUT',
      target: `/${at.bucket}/copy`,
      headers: { ...copy, 'x-amz-acl': 'public-read' },
    });
    expect((await at.get('copy')).body).toBe('k');
    await at.put('k');
    expect(told(await at.get('k'))).toBe('AccessDenied');
  });

  test('of an upload is that of the object it makes', async () => {
    const target = `/${at.bucket}/parts`;
    const { body } = await at.ok({
      method: 'POST',
      target: `${target}?uploads=`,
      headers: { 'x-amz-acl': 'public-read' },
    });
    const uploadId = /<UploadId>([^<]*)</.exec(body)?.[1];
    const part = await at.ok({
      method: 'PUT',
      target: `${target}?partNumber=1&uploadId=${uploadId}`,
      body: 'whole',
    });
    const etag = part.headers.get('etag');
    const list = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`;
    await at.ok({ method: 'POST', target: `${target}?uploadId=${uploadId}`, body: list });
    expect((await at.get('parts')).body).toBe('whole');
    expect(await at.grantsOf('/parts')).toEqual(['owner FULL_CONTROL', 'AllUsers READ']);
  });

  test('that changes leaves the object as it is', async () => {
    await at.put('k');
    const before = await at.ok({ method: 'HEAD', target: `/${at.bucket}/k` });
    await at.putAcl('/k', { 'x-amz-acl': 'public-read' });
    const after = await at.ok({ method: 'HEAD', target: `/${at.bucket}/k` });
    for (const name of ['etag', 'last-modified', 'content-length']) {
      expect(after.headers.get(name)).toBe(before.headers.get(name));
    }
  });

  test('that changes counts for what is at hand in every thread', async () => {
    await at.put('k', { 'x-amz-acl': 'public-read' });
    for (let round = 0; round < 5; round++) {
      await at.putAcl('/k', { 'x-amz-acl': 'public-read' });
      const open = await Promise.all(Array.from({ length: 8 }, () => at.get('k')));
      expect(new Set(open.map(told))).toEqual(new Set([200]));
      await at.putAcl('/k', { 'x-amz-acl': 'private' });
      const closed = await Promise.all(Array.from({ length: 8 }, () => at.get('k')));
      expect(new Set(closed.map(told))).toEqual(new Set(['AccessDenied']));
    }
    const hits = await Promise.all(Array.from({ length: 8 }, () => at.get('k', owner)));
    expect(hits.map(({ headers }) => headers.get('x-forebay-cache'))).toContain('hit');
  });

  test('of a bucket is set when it is created, and again when its owner creates it again', async () => {
    const target = `/${at.bucket}-b`;
    await at.ok({ method: 'PUT', target, headers: { 'x-amz-acl': 'public-read' } });
    expect(told(await at.anonymously({ target }))).toBe(200);
    await at.ok({ method: 'PUT', target });
    expect(told(await at.anonymously({ target }))).toBe('AccessDenied');
    const badly = { 'x-amz-acl': 'nonsense' };
    expect(told(await at.send({ method: 'PUT', target: `${target}-c`, headers: badly }))).toBe(
      'InvalidArgument',
    );
  });
});

describe('what another user writes', () => {
  beforeEach(() => at.putAcl('', { 'x-amz-acl': 'public-read-write' }));

  test('is that user’s, and closed to the bucket’s owner, who may delete it all the same', async () => {
    await at.put('k', {}, other);
    expect(await at.grantsOf('/k', other)).toEqual(['other FULL_CONTROL']);
    expect(told(await at.get('k', owner))).toBe('AccessDenied');
    expect(told(await at.get('k', third))).toBe('AccessDenied');
    expect(told(await at.get('k', other))).toBe(200);
    expect(told(await at.putAcl('/k', { 'x-amz-acl': 'public-read' }, owner))).toBe('AccessDenied');
    expect(told(await at.putAcl('/k', { 'x-amz-acl': 'public-read' }, other))).toBe(200);
    expect(told(await at.get('k', owner))).toBe(200);
    const { body } = await at.ok({ target: `/${at.bucket}` });
    expect(body).toContain('<Owner><ID>other</ID><DisplayName>other</DisplayName></Owner>');
    expect(told(await at.send({ method: 'DELETE', target: `/${at.bucket}/k` }))).toBe(204);
  });

  test.each([
    ['bucket-owner-read', ['other FULL_CONTROL', 'owner READ']],
    ['bucket-owner-full-control', ['other FULL_CONTROL', 'owner FULL_CONTROL']],
  ])('with %s is open to the bucket’s owner', async (acl, grants) => {
    await at.put('k', { 'x-amz-acl': acl }, other);
    expect(await at.grantsOf('/k', other)).toEqual(grants);
    expect(told(await at.get('k', owner))).toBe(200);
  });

  test('is still that user’s when nobody else may write any more', async () => {
    await at.put('k', {}, other);
    await at.putAcl('', { 'x-amz-acl': 'private' });
    expect(told(await at.get('k', owner))).toBe('AccessDenied');
    expect(told(await at.get('k', other))).toBe(200);
  });

  test('into a bucket of a user by an admin is the bucket’s owner’s', async () => {
    await at.put('k', {}, at.scene.client.node);
    expect(await at.grantsOf('/k')).toEqual(['owner FULL_CONTROL']);
  });

  test('is written by no readonly user, whoever may write', async () => {
    expect(told(await at.send({ method: 'PUT', target: `/${at.bucket}/k`, body: 'k' }, reader))).toBe(
      'AccessDenied',
    );
    expect(told(await at.send({ target: `/${at.bucket}` }, reader))).toBe(200);
  });
});

describe('ownership', () => {
  const controls = (ownership: string) =>
    `<OwnershipControls><Rule><ObjectOwnership>${ownership}</ObjectOwnership></Rule></OwnershipControls>`;
  const set = (ownership: string) =>
    at.send({ method: 'PUT', target: `/${at.bucket}?ownershipControls=`, body: controls(ownership) });
  const shown = () => at.send({ target: `/${at.bucket}?ownershipControls=` });

  test('is unset, set, shown and unset again', async () => {
    expect(told(await shown())).toBe('OwnershipControlsNotFoundError');
    expect(told(await set('BucketOwnerPreferred'))).toBe(200);
    expect((await shown()).body).toContain(
      '<OwnershipControls xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule></OwnershipControls>',
    );
    expect(told(await at.send({ method: 'DELETE', target: `/${at.bucket}?ownershipControls=` }))).toBe(204);
    expect(told(await shown())).toBe('OwnershipControlsNotFoundError');
    expect(told(await set('Mine'))).toBe('MalformedXML');
  });

  test('of the bucket’s owner alone turns ACLs off', async () => {
    await at.putAcl('', { 'x-amz-acl': 'public-read-write' });
    await at.put('theirs', {}, other);
    expect(told(await set('BucketOwnerEnforced'))).toBe('InvalidBucketAclWithObjectOwnership');
    await at.putAcl('', { 'x-amz-acl': 'private' });
    await at.put('open', { 'x-amz-acl': 'public-read' });
    expect(told(await set('BucketOwnerEnforced'))).toBe(200);
    expect(told(await at.get('theirs', owner))).toBe(200);
    expect(told(await at.get('theirs', other))).toBe('AccessDenied');
    expect(told(await at.get('open'))).toBe('AccessDenied');
    expect(await at.grantsOf('/open')).toEqual(['owner FULL_CONTROL']);
    for (const target of ['', '/open']) {
      expect(told(await at.putAcl(target, { 'x-amz-acl': 'public-read' }))).toBe(
        'AccessControlListNotSupported',
      );
    }
    const write = (acl: string) =>
      at.send({ method: 'PUT', target: `/${at.bucket}/new`, headers: { 'x-amz-acl': acl }, body: 'new' });
    expect(told(await write('public-read'))).toBe('AccessControlListNotSupported');
    expect(told(await write('bucket-owner-full-control'))).toBe(200);
  });

  test('that the bucket’s owner prefers is handed over by whoever says so', async () => {
    await at.putAcl('', { 'x-amz-acl': 'public-read-write' });
    await set('BucketOwnerPreferred');
    await at.put('given', { 'x-amz-acl': 'bucket-owner-full-control' }, other);
    await at.put('kept', {}, other);
    expect(await at.grantsOf('/given')).toEqual(['owner FULL_CONTROL']);
    expect(told(await at.get('kept', owner))).toBe('AccessDenied');
  });

  test('is set when a bucket is created', async () => {
    const target = `/${at.bucket}-e`;
    const create = (headers: Record<string, string>) => at.send({ method: 'PUT', target, headers });
    const enforced = { 'x-amz-object-ownership': 'BucketOwnerEnforced' };
    expect(told(await create({ ...enforced, 'x-amz-acl': 'public-read' }))).toBe(
      'InvalidBucketAclWithObjectOwnership',
    );
    expect(told(await create({ 'x-amz-object-ownership': 'Mine' }))).toBe('InvalidArgument');
    expect(told(await create(enforced))).toBe(200);
    expect((await at.ok({ target: `${target}?ownershipControls=` })).body).toContain('BucketOwnerEnforced');
  });
});

describe('an ACL of one of several versions', () => {
  const versioned = async () => {
    const body = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
    await at.ok({ method: 'PUT', target: `/${at.bucket}?versioning=`, body });
    const made = [await at.put('k'), await at.put('k')];
    return made.map(({ headers }) => headers.get('x-amz-version-id') ?? '');
  };
  const putAclOf = (versionId: string, acl: string) =>
    at.ok({
      method: 'PUT',
      target: `/${at.bucket}/k?acl=&versionId=${versionId}`,
      headers: { 'x-amz-acl': acl },
    });

  test('is that version’s alone', async () => {
    const [older, newer] = await versioned();
    await putAclOf(`${older}`, 'public-read');
    expect(told(await at.get(`k?versionId=${older}`))).toBe(200);
    expect(told(await at.get(`k?versionId=${newer}`))).toBe('AccessDenied');
    expect(told(await at.get('k'))).toBe('AccessDenied');
    expect(told(await at.get(`k?versionId=${older}`, owner))).toBe(200);
  });

  test('counts by whichever name the version is asked for, at once', async () => {
    const [, newer] = await versioned();
    const outcomes = async () => [told(await at.get('k')), told(await at.get(`k?versionId=${newer}`))];
    for (let round = 0; round < 3; round++) {
      await putAclOf(`${newer}`, 'public-read');
      expect(await outcomes()).toEqual([200, 200]);
      await at.putAcl('/k', { 'x-amz-acl': 'private' });
      expect(await outcomes()).toEqual(['AccessDenied', 'AccessDenied']);
      await at.putAcl('/k', { 'x-amz-acl': 'public-read' });
      expect(await outcomes()).toEqual([200, 200]);
      await putAclOf(`${newer}`, 'private');
      expect(await outcomes()).toEqual(['AccessDenied', 'AccessDenied']);
    }
  });

  test('goes with the version when a newer one hides it, and when that is gone', async () => {
    const [, newer] = await versioned();
    await putAclOf(`${newer}`, 'public-read');
    const deleted = await at.ok({ method: 'DELETE', target: `/${at.bucket}/k` });
    expect(told(await at.get('k'))).toBe('AccessDenied');
    expect(told(await at.get(`k?versionId=${newer}`))).toBe(200);
    const marker = deleted.headers.get('x-amz-version-id');
    await at.ok({ method: 'DELETE', target: `/${at.bucket}/k?versionId=${marker}` });
    expect(told(await at.get('k'))).toBe(200);
  });
});
