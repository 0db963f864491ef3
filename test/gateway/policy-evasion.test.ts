/** Requests that say one thing to a bucket's policy and another to the operation, asked of a whole node over HTTP. */
import { crc32 } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import type { RawAnswer } from '../hostile/raw-connection.ts';
import { other, owner, told, useAccessScene } from './access-scene.ts';

const at = useAccessScene();
const bucketArn = () => `arn:aws:s3:::${at.bucket}`;
const deny = { Effect: 'Deny' };
const write = { Action: ['s3:PutObject', 's3:PutObjectTagging'] };
const tagging = (key: string, value: string) =>
  `<Tagging><TagSet><Tag><Key>${key}</Key><Value>${value}</Value></Tag></TagSet></Tagging>`;

describe('a condition on what is listed', () => {
  test('is not met by a request that only names a prefix, for a key elsewhere', async () => {
    await at.setPolicy(
      at.allowing({}),
      at.allowing({
        Action: 's3:ListBucket',
        Resource: bucketArn(),
        Condition: { StringLike: { 's3:prefix': 'open/*' } },
      }),
    );
    expect(told(await at.get('secret/missing?prefix=open/'))).toBe('AccessDenied');
    expect(told(await at.get('secret/missing'))).toBe('AccessDenied');
    expect(told(await at.get('open/missing'))).toBe('NoSuchKey');
  });

  test('counts an empty max-keys as none', async () => {
    const Condition = { NumericLessThanEquals: { 's3:max-keys': '10' } };
    await at.setPolicy(at.allowing({ Action: 's3:ListBucket', Resource: bucketArn(), Condition }));
    const list = async (query: string) => told(await at.anonymously({ target: `/${at.bucket}?${query}` }));
    expect(await list('max-keys=10')).toBe(200);
    expect(await list('max-keys=')).toBe('AccessDenied');
    expect(await list('')).toBe('AccessDenied');
  });
});

describe('a condition on versions', () => {
  /** Ids of two versions of `k`, and bucket of `other` to copy to. */
  async function versions(): Promise<readonly [string, string]> {
    const body = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
    await at.ok({ method: 'PUT', target: `/${at.bucket}?versioning=`, body });
    const idOf = (answer: RawAnswer) => answer.headers.get('x-amz-version-id') ?? '';
    const first = idOf(await at.put('k'));
    return [first, idOf(await at.put('k'))];
  }

  test('is about the source of a copy where that is what is read', async () => {
    const [open, closed] = await versions();
    await at.ok({ method: 'PUT', target: `/${at.bucket}-t` }, other);
    await at.setPolicy(
      at.allowing({
        Action: 's3:GetObjectVersion',
        Condition: { StringEquals: { 's3:VersionId': open } },
      }),
    );
    const copy = async (versionId: string) => {
      const headers = { 'x-amz-copy-source': `${at.bucket}/k?versionId=${versionId}` };
      const target = `/${at.bucket}-t/copy`;
      return told(await at.send({ method: 'PUT', target, headers }, other));
    };
    expect(await copy(closed)).toBe('AccessDenied');
    expect(await copy(open)).toBe(200);
  });

  test('is about each version in a list of deletions', async () => {
    const [kept, free] = await versions();
    await at.setPolicy(
      at.allowing({ Action: 's3:DeleteObjectVersion' }),
      at.allowing({
        ...deny,
        Action: 's3:DeleteObjectVersion',
        Condition: { StringEquals: { 's3:VersionId': kept } },
      }),
    );
    const object = (id: string) => `<Object><Key>k</Key><VersionId>${id}</VersionId></Object>`;
    const body = `<Delete>${object(kept)}${object(free)}</Delete>`;
    const headers = { 'x-amz-checksum-crc32': crc32Of(body) };
    const target = `/${at.bucket}?delete=&versionId=${free}`;
    const answer = await at.send({ method: 'POST', target, headers, body }, other);
    expect(answer.body).toContain(`<VersionId>${kept}</VersionId><Code>AccessDenied</Code>`);
    expect(answer.body).toContain(`<Deleted><Key>k</Key><VersionId>${free}</VersionId></Deleted>`);
  });
});

describe('a condition on the tags that a request gives', () => {
  const Condition = { StringEquals: { 's3:RequestObjectTag/kind': 'public' } };

  test('looks at the body where that holds them', async () => {
    await at.put('k');
    await at.setPolicy(at.allowing({ Action: 's3:PutObjectTagging', Condition }));
    const put = async (body: string, headers: Record<string, string> = {}) =>
      told(await at.send({ method: 'PUT', target: `/${at.bucket}/k?tagging=`, headers, body }, other));
    expect(await put(tagging('kind', 'secret'))).toBe('AccessDenied');
    expect(await put(tagging('kind', 'secret'), { 'x-amz-tagging': 'kind=public' })).toBe('AccessDenied');
    expect(await put(tagging('kind', 'public'))).toBe(200);
    await at.setPolicy(
      at.allowing({ Action: 's3:PutObjectTagging' }),
      at.allowing({ ...deny, Action: 's3:PutObjectTagging', Condition }),
    );
    expect(await put(tagging('kind', 'public'))).toBe('AccessDenied');
    expect(await put(tagging('kind', 'secret'))).toBe(200);
  });

  test('reads a header as it is kept', async () => {
    await at.setPolicy(at.allowing({ ...write, Condition }));
    const put = async (tags: string) =>
      told(
        await at.send(
          { method: 'PUT', target: `/${at.bucket}/k`, headers: { 'x-amz-tagging': tags }, body: 'k' },
          other,
        ),
      );
    expect(await put('?kind=public')).not.toBe(200);
    expect(await put('kind=secret&kind=public')).not.toBe(200);
    expect(await put('kind=secret')).toBe('AccessDenied');
    expect(await put('kind=public')).toBe(200);
  });

  test('passes over a header that is not read', async () => {
    await at.ok({ method: 'PUT', target: `/${at.bucket}-t` }, other);
    await at.ok({ method: 'PUT', target: `/${at.bucket}-t/source`, body: 'k' }, other);
    await at.setPolicy(at.allowing({ ...write, Condition }));
    const copy = async (headers: Record<string, string>) =>
      told(
        await at.send(
          {
            method: 'PUT',
            target: `/${at.bucket}/copy`,
            headers: {
              'x-amz-copy-source': `${at.bucket}-t/source`,
              'x-amz-tagging': 'kind=public',
              ...headers,
            },
          },
          other,
        ),
      );
    expect(await copy({})).toBe('AccessDenied');
    expect(await copy({ 'x-amz-tagging-directive': 'REPLACE' })).toBe(200);
  });
});

describe('a condition on the source of a copy', () => {
  test('knows it in every way of writing it', async () => {
    await at.ok({ method: 'PUT', target: `/${at.bucket}-t` }, other);
    await at.ok({ method: 'PUT', target: `/${at.bucket}-t/secret`, body: 'k' }, other);
    const copy = async (source: string) => {
      const headers = { 'x-amz-copy-source': source };
      return told(await at.send({ method: 'PUT', target: `/${at.bucket}/copy`, headers }, other));
    };
    for (const slash of ['', '/']) {
      const Condition = { StringLike: { 's3:x-amz-copy-source': `${slash}${at.bucket}-t/secret*` } };
      await at.setPolicy(at.allowing(write), at.allowing({ ...deny, Action: 's3:PutObject', Condition }));
      for (const source of ['secret', '%73ecret', 'secret?versionId=null']) {
        expect(await copy(`${at.bucket}-t/${source}`)).toBe('AccessDenied');
        expect(await copy(`/${at.bucket}-t/${source}`)).toBe('AccessDenied');
      }
    }
    await at.setPolicy(at.allowing(write));
    expect(await copy(`/${at.bucket}-t/%73ecret`)).toBe(200);
  });
});

describe('a condition on who asks, and when it was signed', () => {
  test('knows users by their ARNs', async () => {
    await at.put('k');
    const Condition = { ArnEquals: { 'aws:PrincipalArn': 'arn:aws:iam::123456789012:user/other' } };
    await at.setPolicy(at.allowing({}), at.allowing({ ...deny, Condition }));
    expect(told(await at.get('k', other))).toBe('AccessDenied');
    expect(told(await at.get('k', owner))).toBe(200);
    expect(told(await at.get('k'))).toBe(200);
  });

  test('knows how old a signature is', async () => {
    await at.put('k');
    const older = (milliseconds: number) => ({ NumericGreaterThan: { 's3:signatureAge': milliseconds } });
    await at.setPolicy(at.allowing({}), at.allowing({ ...deny, Condition: older(600_000) }));
    expect(told(await at.get('k', other))).toBe(200);
    await at.setPolicy(at.allowing({}), at.allowing({ ...deny, Condition: older(-1) }));
    expect(told(await at.get('k', other))).toBe('AccessDenied');
  });
});

describe('a policy that allows everybody everything', () => {
  test.each(['GET', 'PUT', 'DELETE'])('lets nobody but the owner %s the policy itself', async (method) => {
    await at.setPolicy(at.allowing({ Action: 's3:*', Resource: [bucketArn(), `${bucketArn()}/*`] }));
    const parts = { method, target: `/${at.bucket}?policy=`, body: method === 'PUT' ? '{}' : '' };
    expect(told(await at.send(parts, other))).toBe('MethodNotAllowed');
    expect(told(await at.anonymously(parts))).toBe('MethodNotAllowed');
    expect(told(await at.send({ target: `/${at.bucket}?policy=` }))).toBe(200);
  });

  test('lets nobody known copy, or begin an upload in parts', async () => {
    await at.put('k');
    await at.setPolicy(at.allowing({ Action: 's3:*', Resource: [bucketArn(), `${bucketArn()}/*`] }));
    const headers = { 'x-amz-copy-source': `${at.bucket}/k` };
    const copied = await at.anonymously({ method: 'PUT', target: `/${at.bucket}/copy`, headers });
    expect(copied.body).toContain(
      '<Message>Anonymous users cannot copy objects.  Please authenticate.</Message>',
    );
    const begun = await at.anonymously({ method: 'POST', target: `/${at.bucket}/k?uploads=`, body: '' });
    expect([begun.status, begun.body]).toEqual([
      403,
      expect.stringContaining('Anonymous users cannot initiate multipart uploads.  Please authenticate.'),
    ]);
    expect(told(await at.anonymously({ method: 'PUT', target: `/${at.bucket}/mine`, body: 'x' }))).toBe(200);
  });
});

describe('a copy of an object with tags', () => {
  test('needs the right to read them and to set them, unless it gives others', async () => {
    await at.ok({ method: 'PUT', target: `/${at.bucket}-t` }, other);
    const tagged = { headers: { 'x-amz-tagging': 'kind=public' }, body: 'k' };
    await at.ok({ method: 'PUT', target: `/${at.bucket}/tagged`, ...tagged });
    await at.ok({ method: 'PUT', target: `/${at.bucket}-t/tagged`, ...tagged }, other);
    const copy = async (from: string, to: string, headers: Record<string, string> = {}) =>
      told(
        await at.send(
          {
            method: 'PUT',
            target: `/${to}/copy`,
            headers: { 'x-amz-copy-source': `${from}/tagged`, ...headers },
          },
          other,
        ),
      );
    const theirs = `${at.bucket}-t`;
    await at.setPolicy(at.allowing({ Action: ['s3:GetObject', 's3:PutObject'] }));
    expect(await copy(at.bucket, theirs)).toBe('AccessDenied');
    expect(await copy(theirs, at.bucket)).toBe('AccessDenied');
    const none = { 'x-amz-tagging-directive': 'REPLACE' };
    expect(await copy(at.bucket, theirs, none)).toBe(200);
    expect(await copy(theirs, at.bucket, none)).toBe(200);
    const Action = ['s3:GetObject', 's3:PutObject', 's3:GetObjectTagging', 's3:PutObjectTagging'];
    await at.setPolicy(at.allowing({ Action }));
    expect(await copy(at.bucket, theirs)).toBe(200);
    expect(await copy(theirs, at.bucket)).toBe(200);
  });
});

describe('a write under the condition of what is there', () => {
  test('needs the right to read it', async () => {
    const etag = (await at.put('k')).headers.get('etag') ?? '';
    const target = `/${at.bucket}/k`;
    const headers = { 'if-match': etag };
    const put = async () => told(await at.send({ method: 'PUT', target, headers, body: 'k' }, other));
    const remove = async () => told(await at.send({ method: 'DELETE', target, headers }, other));
    const Action = ['s3:PutObject', 's3:DeleteObject'];
    await at.setPolicy(at.allowing({ Action }));
    expect([await put(), await remove()]).toEqual(['AccessDenied', 'AccessDenied']);
    await at.setPolicy(at.allowing({ Action }), at.allowing({}));
    expect([await put(), await remove()]).toEqual([200, 204]);
  });
});

describe('a denial', () => {
  test('to read an object holds for its attributes', async () => {
    await at.put('k');
    const attributes = async (change: object[]) => {
      await at.setPolicy(...change);
      const headers = { 'x-amz-object-attributes': 'ETag' };
      return told(await at.send({ target: `/${at.bucket}/k?attributes=`, headers }, other));
    };
    const Action = 's3:GetObjectAttributes';
    expect(await attributes([at.allowing({ Action })])).toBe('AccessDenied');
    expect(await attributes([at.allowing({ Action }), at.allowing({})])).toBe(200);
    expect(await attributes([at.allowing({ Action: 's3:Get*' }), at.allowing(deny)])).toBe('AccessDenied');
  });

  test('of unconditional writes lets parts of uploads through that end with a condition', async () => {
    await at.setPolicy(
      at.allowing(write),
      at.allowing({
        ...deny,
        Action: 's3:PutObject',
        Condition: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
      }),
    );
    const target = `/${at.bucket}/k`;
    expect(told(await at.send({ method: 'PUT', target, body: 'k' }, other))).toBe('AccessDenied');
    const { body } = await at.ok({ method: 'POST', target: `${target}?uploads=` }, other);
    const upload = `uploadId=${/<UploadId>([^<]*)</.exec(body)?.[1]}`;
    const part = await at.ok({ method: 'PUT', target: `${target}?partNumber=1&${upload}`, body: 'k' }, other);
    const parts = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.headers.get('etag')}</ETag></Part></CompleteMultipartUpload>`;
    const complete = async (headers: Record<string, string>) =>
      told(await at.send({ method: 'POST', target: `${target}?${upload}`, headers, body: parts }, other));
    expect(await complete({})).toBe('AccessDenied');
    expect(await complete({ 'if-none-match': '*' })).toBe(200);
  });
});

test('a list of deletions is refused as a whole where the bucket is another’s than it says', async () => {
  await at.put('k');
  await at.setPolicy(at.allowing({ Action: 's3:DeleteObject' }));
  const body = '<Delete><Object><Key>k</Key></Object></Delete>';
  const headers = { 'x-amz-checksum-crc32': crc32Of(body), 'x-amz-expected-bucket-owner': 'other' };
  const parts = { method: 'POST', target: `/${at.bucket}?delete=`, headers, body };
  expect((await at.send(parts)).status).toBe(403);
});

function crc32Of(text: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return bytes.toString('base64');
}
