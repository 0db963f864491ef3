/** Bucket policies, sources of copies and expected owners, asked of a whole node over HTTP. */
import { crc32 } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import type { Credentials } from '../hostile/hostile-client.ts';
import { other, owner, third, told, useAccessScene } from './access-scene.ts';

const at = useAccessScene();

describe('a policy', () => {
  test('is put, shown as it was put, judged and taken away', async () => {
    const shown = () => at.send({ target: `/${at.bucket}?policy=` });
    const status = () => at.send({ target: `/${at.bucket}?policyStatus=` });
    expect(told(await shown())).toBe('NoSuchBucketPolicy');
    expect(told(await status())).toBe('NoSuchBucketPolicy');
    const text = ` ${JSON.stringify({ Statement: at.allowing({}) })}\n`;
    const answer = await at.send({ method: 'PUT', target: `/${at.bucket}?policy=`, body: text.trim() });
    expect(answer.status).toBe(204);
    const stored = await shown();
    expect([stored.body, stored.headers.get('content-type')]).toEqual([text.trim(), 'application/json']);
    expect((await status()).body).toContain('<IsPublic>true</IsPublic>');
    await at.setPolicy(at.allowing({ Principal: { AWS: 'other' } }));
    expect((await status()).body).toContain('<IsPublic>false</IsPublic>');
    expect(told(await at.send({ method: 'DELETE', target: `/${at.bucket}?policy=` }))).toBe(204);
    expect(told(await shown())).toBe('NoSuchBucketPolicy');
    expect(told(await at.setPolicy({ ...at.allowing({}), Effect: 'Perhaps' }))).toBe('MalformedPolicy');
    expect(told(await at.setPolicy(at.allowing({ Principal: { AWS: 'nobody-here' } })))).toBe(
      'MalformedPolicy',
    );
  });

  test('of a bucket that is not there is told so, whatever it says', async () => {
    const body = JSON.stringify({ Statement: at.allowing({}) });
    const answer = await at.scene.client.send({ method: 'PUT', target: '/no-such-bucket?policy=', body });
    expect(told(answer)).toBe('NoSuchBucket');
  });

  test('lets those read whom it names, and no others', async () => {
    await at.put('k');
    await at.setPolicy(at.allowing({ Principal: { AWS: 'arn:aws:iam::123456789012:user/other' } }));
    expect(told(await at.get('k', other))).toBe(200);
    expect(told(await at.get('k', third))).toBe('AccessDenied');
    expect(told(await at.get('k'))).toBe('AccessDenied');
    expect(told(await at.get('missing', other))).toBe('AccessDenied');
  });

  test('that changes counts for what is at hand in every thread', async () => {
    await at.put('k');
    for (let round = 0; round < 5; round++) {
      await at.setPolicy(at.allowing({}));
      const open = await Promise.all(Array.from({ length: 8 }, () => at.get('k')));
      expect(new Set(open.map(told))).toEqual(new Set([200]));
      await at.setPolicy(at.allowing({}), at.allowing({ Effect: 'Deny' }));
      const closed = await Promise.all(Array.from({ length: 8 }, () => at.get('k')));
      expect(new Set(closed.map(told))).toEqual(new Set(['AccessDenied']));
      expect(told(await at.get('k', owner))).toBe('AccessDenied');
    }
  });

  test('opens nothing that belongs to others than the bucket’s owner', async () => {
    await at.putAcl('', { 'x-amz-acl': 'public-read-write' });
    await at.put('theirs', {}, other);
    await at.setPolicy(at.allowing({}));
    expect(told(await at.get('theirs'))).toBe('AccessDenied');
  });

  test.each([
    ['IpAddress', { 'aws:SourceIp': '127.0.0.0/8' }, {}, 200],
    ['IpAddress', { 'aws:SourceIp': '10.0.0.0/8' }, {}, 'AccessDenied'],
    ['Bool', { 'aws:SecureTransport': 'false' }, {}, 200],
    ['StringLike', { 'aws:Referer': 'https://site.example/*' }, { referer: 'https://site.example/x' }, 200],
    ['StringLike', { 'aws:Referer': 'https://site.example/*' }, {}, 'AccessDenied'],
    ['StringEquals', { 'aws:PrincipalType': 'Anonymous' }, {}, 200],
    ['StringEquals', { 's3:authType': 'REST-HEADER' }, {}, 'AccessDenied'],
    ['DateGreaterThan', { 'aws:CurrentTime': '2020-01-01T00:00:00Z' }, {}, 200],
    ['DateLessThan', { 'aws:CurrentTime': '2020-01-01T00:00:00Z' }, {}, 'AccessDenied'],
  ])('with %s of %j judges a request with %j: %s', async (operator, keys, headers, expected) => {
    await at.put('k');
    await at.setPolicy(at.allowing({ Condition: { [operator]: keys } }));
    const asked = await at.anonymously({
      target: `/${at.bucket}/k`,
      headers: headers as Record<string, string>,
    });
    expect(told(asked)).toBe(expected);
  });

  test('may be about what is listed', async () => {
    const Condition = {
      StringEquals: { 's3:prefix': 'open/' },
      NumericLessThanEquals: { 's3:max-keys': '10' },
    };
    await at.setPolicy(
      at.allowing({ Action: 's3:ListBucket', Resource: `arn:aws:s3:::${at.bucket}`, Condition }),
    );
    const list = async (query: string) => told(await at.anonymously({ target: `/${at.bucket}?${query}` }));
    expect(await list('list-type=2&prefix=open/&max-keys=10')).toBe(200);
    expect(await list('list-type=2&prefix=open/&max-keys=11')).toBe('AccessDenied');
    expect(await list('list-type=2&max-keys=10')).toBe('AccessDenied');
  });

  test('may be about the tags that an object has, as they are now', async () => {
    await at.put('k', { 'x-amz-tagging': 'kind=public' });
    await at.setPolicy(
      at.allowing({ Condition: { StringEquals: { 's3:ExistingObjectTag/kind': 'public' } } }),
    );
    expect(told(await at.get('k'))).toBe(200);
    const tagging = '<Tagging><TagSet><Tag><Key>kind</Key><Value>secret</Value></Tag></TagSet></Tagging>';
    await at.ok({ method: 'PUT', target: `/${at.bucket}/k?tagging=`, body: tagging });
    expect(told(await at.get('k'))).toBe('AccessDenied');
    expect(told(await at.get('k', owner))).toBe(200);
    expect(told(await at.get('missing'))).toBe('AccessDenied');
  });

  test('may deny by the tags that an object has, also where the object is at hand', async () => {
    await at.put('k', { 'x-amz-tagging': 'kind=secret' });
    await at.put('open', { 'x-amz-tagging': 'kind=none' });
    const Condition = { StringEquals: { 's3:ExistingObjectTag/kind': 'secret' } };
    await at.setPolicy(at.allowing({}));
    const all = (key: string) => Promise.all(Array.from({ length: 8 }, () => at.get(key)));
    for (const answer of await all('k')) expect(told(answer)).toBe(200);
    await at.setPolicy(at.allowing({}), at.allowing({ Effect: 'Deny', Condition }));
    for (const answer of await all('k')) expect(told(answer)).toBe('AccessDenied');
    for (const answer of await all('open')) expect(told(answer)).toBe(200);
    expect(told(await at.get('k', owner))).toBe('AccessDenied');
  });

  test('may be about how an object is written', async () => {
    const write = async (headers: Record<string, string>) =>
      told(await at.send({ method: 'PUT', target: `/${at.bucket}/k`, headers, body: 'k' }, other));
    const wanted = { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } };
    await at.setPolicy(at.allowing({ Action: ['s3:PutObject', 's3:PutObjectAcl'], Condition: wanted }));
    expect(await write({})).toBe('AccessDenied');
    expect(await write({ 'x-amz-acl': 'public-read' })).toBe('AccessDenied');
    expect(await write({ 'x-amz-acl': 'bucket-owner-full-control' })).toBe(200);
    await at.setPolicy(
      at.allowing({ Action: 's3:PutObject' }),
      at.allowing({ Effect: 'Deny', Action: 's3:PutObjectAcl' }),
    );
    expect(await write({ 'x-amz-acl': 'public-read' })).toBe('AccessDenied');
    expect(await write({})).toBe(200);
  });

  test('is asked about each key of a list of deletions', async () => {
    await at.put('a/1');
    await at.put('b/1');
    await at.setPolicy(at.allowing({ Action: 's3:DeleteObject', Resource: `arn:aws:s3:::${at.bucket}/a/*` }));
    const body = '<Delete><Object><Key>a/1</Key></Object><Object><Key>b/1</Key></Object></Delete>';
    const headers = { 'x-amz-checksum-crc32': crc32Of(body) };
    const answer = await at.send({ method: 'POST', target: `/${at.bucket}?delete=`, headers, body }, other);
    expect(answer.body).toContain('<Deleted><Key>a/1</Key></Deleted>');
    expect(answer.body).toContain('<Error><Key>b/1</Key><Code>AccessDenied</Code>');
    expect(told(await at.get('b/1', owner))).toBe(200);
  });
});

describe('a copy', () => {
  const copy = (source: string, credentials: Credentials, headers: Record<string, string> = {}) =>
    at.send(
      { method: 'PUT', target: `/${at.bucket}/copy`, headers: { 'x-amz-copy-source': source, ...headers } },
      credentials,
    );

  test('needs the right to read its source, whichever part of it', async () => {
    await at.putAcl('', { 'x-amz-acl': 'public-read-write' });
    await at.put('closed');
    await at.put('open', { 'x-amz-acl': 'public-read' });
    expect(told(await copy(`/${at.bucket}/closed`, other))).toBe('AccessDenied');
    expect(told(await copy(`/${at.bucket}/open`, other))).toBe(200);
    const { body } = await at.ok({ method: 'POST', target: `/${at.bucket}/copy?uploads=` }, other);
    const uploadId = /<UploadId>([^<]*)</.exec(body)?.[1];
    const part = async (source: string) =>
      told(
        await at.send(
          {
            method: 'PUT',
            target: `/${at.bucket}/copy?partNumber=1&uploadId=${uploadId}`,
            headers: { 'x-amz-copy-source': source },
          },
          other,
        ),
      );
    expect(await part(`/${at.bucket}/closed`)).toBe('AccessDenied');
    expect(await part(`/${at.bucket}/open`)).toBe(200);
  });

  test('out of a bucket that one may not list tells nothing of what is not there', async () => {
    await at.ok({ method: 'PUT', target: `/${at.bucket}-t` }, other);
    const source = (key: string) =>
      at.send(
        {
          method: 'PUT',
          target: `/${at.bucket}-t/copy`,
          headers: { 'x-amz-copy-source': `/${at.bucket}/${key}` },
        },
        other,
      );
    expect(told(await source('missing'))).toBe('AccessDenied');
    await at.putAcl('', { 'x-amz-acl': 'public-read' });
    expect(told(await source('missing'))).toBe('NoSuchKey');
  });

  test('may say whose its source’s bucket must be', async () => {
    await at.put('k');
    const expecting = (name: string) =>
      copy(`/${at.bucket}/k`, owner, { 'x-amz-source-expected-bucket-owner': name });
    expect(told(await expecting('other'))).toBe('AccessDenied');
    expect(told(await expecting('owner'))).toBe(200);
  });
});

describe('a request that says whose the bucket must be', () => {
  test.each(['GET', 'PUT', 'DELETE', 'HEAD'])('is refused where it is another’s: %s', async (method) => {
    await at.put('k');
    const asked = (name: string) =>
      at.send({ method, target: `/${at.bucket}/k`, headers: { 'x-amz-expected-bucket-owner': name } });
    expect((await asked('other')).status).toBe(403);
    expect((await asked('owner')).status).toBeLessThan(300);
  });

  test('is refused by admins too', async () => {
    const headers = { 'x-amz-expected-bucket-owner': 'root' };
    expect(told(await at.send({ target: `/${at.bucket}`, headers }, at.scene.client.node))).toBe(
      'AccessDenied',
    );
  });
});

function crc32Of(text: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return bytes.toString('base64');
}
