/** What is open to somebody by what he did, or closed although he reads: unfinished uploads, numbers of tags; asked of a whole node. */
import { describe, expect, test } from '@jest/globals';
import type { Credentials } from '../hostile/hostile-client.ts';
import { other, owner, third, told, useAccessScene } from './access-scene.ts';

const at = useAccessScene();

describe('an unfinished upload', () => {
  const begin = async (credentials: Credentials) => {
    const target = `/${at.bucket}/k?uploads=`;
    const { body } = await at.ok({ method: 'POST', target }, credentials);
    return /<UploadId>(.*?)</.exec(body)?.[1] ?? '';
  };
  const target = (uploadId: string) => `/${at.bucket}/k?uploadId=${uploadId}`;
  const parts = (uploadId: string, credentials: Credentials) =>
    at.send({ target: target(uploadId) }, credentials);
  const abort = (uploadId: string, credentials: Credentials) =>
    at.send({ method: 'DELETE', target: target(uploadId) }, credentials);
  const writing = () => at.allowing({ Action: 's3:PutObject' });

  test('is its initiator’s to look at and to end, and no other writer’s', async () => {
    await at.setPolicy(writing());
    const uploadId = await begin(other);
    expect(told(await parts(uploadId, third))).toBe('AccessDenied');
    expect(told(await abort(uploadId, third))).toBe('AccessDenied');
    expect(told(await parts('nonsense', other))).toBe('AccessDenied');
    const listed = await parts(uploadId, other);
    expect(listed.body).toContain('<Initiator><ID>other</ID>');
    expect(told(await abort(uploadId, other))).toBe(204);
    expect(told(await parts(uploadId, owner))).toBe('NoSuchUpload');
  });

  test('tells its initiator where the object is going to be the bucket’s owner’s', async () => {
    await at.setPolicy(writing());
    const controls =
      '<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>';
    await at.ok({ method: 'PUT', target: `/${at.bucket}?ownershipControls=`, body: controls });
    const uploadId = await begin(other);
    const { body } = await parts(uploadId, other);
    expect(body).toContain('<Initiator><ID>other</ID>');
    expect(body).toContain('<Owner><ID>owner</ID>');
    const all = await at.ok({ target: `/${at.bucket}?uploads=` });
    expect(all.body).toContain('<Initiator><ID>other</ID>');
  });

  test('is closed to its initiator where a policy denies it', async () => {
    const denial = (Action: string) => at.allowing({ Effect: 'Deny', Action });
    await at.setPolicy(writing(), denial('s3:AbortMultipartUpload'));
    const uploadId = await begin(other);
    expect(told(await abort(uploadId, other))).toBe('AccessDenied');
    expect(told(await parts(uploadId, other))).toBe(200);
    await at.setPolicy(writing(), denial('s3:ListMultipartUploadParts'));
    expect(told(await parts(uploadId, other))).toBe('AccessDenied');
  });

  test('is ended by its initiator also where a policy looks at tags', async () => {
    const condition = { StringEquals: { 's3:ExistingObjectTag/kind': 'open' } };
    await at.setPolicy(writing(), at.allowing({ Condition: condition }));
    const uploadId = await begin(other);
    expect(told(await abort(uploadId, third))).toBe('AccessDenied');
    expect(told(await abort(uploadId, other))).toBe(204);
  });
});

describe('the number of tags', () => {
  const count = async (credentials: Credentials | undefined) => {
    const got = await at.get('k', credentials);
    const parts = { method: 'HEAD', target: `/${at.bucket}/k` };
    const head = await (credentials ? at.send(parts, credentials) : at.anonymously(parts));
    expect([got.status, head.status]).toEqual([200, 200]);
    const counts = [got, head].map(({ headers }) => headers.get('x-amz-tagging-count'));
    expect(counts[0]).toBe(counts[1]);
    return counts[0];
  };

  test('is told to who may read them', async () => {
    await at.put('k', { 'x-amz-tagging': 'a=1&b=2', 'x-amz-acl': 'public-read' });
    expect(await count(owner)).toBe('2');
    expect(await count(other)).toBeUndefined();
    expect(await count(undefined)).toBeUndefined();
    await at.setPolicy(
      at.allowing({ Action: 's3:GetObjectTagging', Principal: { AWS: 'other' } }),
      at.allowing({ Effect: 'Deny', Action: 's3:GetObjectTagging', Principal: { AWS: 'owner' } }),
    );
    expect(await count(other)).toBe('2');
    expect(await count(undefined)).toBeUndefined();
    expect(await count(owner)).toBeUndefined();
  });

  test('is told by what the tags are', async () => {
    await at.put('k', { 'x-amz-tagging': 'kind=open', 'x-amz-acl': 'public-read' });
    const telling = (kind: string) =>
      at.setPolicy(
        at.allowing({
          Action: 's3:GetObjectTagging',
          Condition: { StringEquals: { 's3:ExistingObjectTag/kind': kind } },
        }),
      );
    await telling('open');
    expect(await count(other)).toBe('1');
    await telling('closed');
    expect(await count(other)).toBeUndefined();
  });
});

test('an ACL is not to be had by a delete marker', async () => {
  const body = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
  await at.ok({ method: 'PUT', target: `/${at.bucket}?versioning=`, body });
  await at.put('k');
  await at.ok({ method: 'DELETE', target: `/${at.bucket}/k` });
  const answer = await at.putAcl('/k', { 'x-amz-acl': 'private' });
  expect([answer.status, told(answer)]).toEqual([405, 'MethodNotAllowed']);
  expect(answer.headers.get('x-amz-delete-marker')).toBe('true');
  expect(told(await at.putAcl('/k', { 'x-amz-acl': 'private' }, third))).toBe('AccessDenied');
  expect(told(await at.putAcl('/missing', { 'x-amz-acl': 'private' }))).toBe('NoSuchKey');
});

test('a write may ask for any object to be there', async () => {
  const write = (key: string, headers: Record<string, string>) =>
    at.send({ method: 'PUT', target: `/${at.bucket}/${key}`, headers: { 'If-Match': '*', ...headers } });
  await at.put('there');
  expect(told(await write('there', {}))).toBe(200);
  expect(told(await write('missing', {}))).toBe('NoSuchKey');
  const source = { 'x-amz-copy-source': `/${at.bucket}/there` };
  expect(told(await write('missing', source))).toBe('NoSuchKey');
  await at.put('copy');
  expect(told(await write('copy', source))).toBe(200);
});
