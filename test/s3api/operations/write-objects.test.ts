import { beforeEach, describe, expect, test } from '@jest/globals';
import { bucketWith } from '../support/bucket.ts';
import type { MapObjectService } from '../support/map-object-service.ts';
import { send } from '../support/send.ts';

const md5OfHello = '"5d41402abc4b2a76b9719d911017c592"';

let service: MapObjectService;
beforeEach(async () => {
  service = await bucketWith(['old']);
});

const put = (target: string, headers: Record<string, string> = {}) =>
  send(service, 'PUT', target, { headers, body: 'hello' });

describe('PutObject', () => {
  test('stores bytes, headers and metadata, and answers the ETag', async () => {
    const headers = { 'content-type': 'text/plain', 'content-encoding': 'aws-chunked', 'x-amz-meta-a': '' };
    const answer = await put('/abc/k', headers);
    expect(answer).toMatchObject({ status: 200, text: '', headers: { etag: md5OfHello } });
    const stored = service.stored('abc', 'k');
    expect(stored?.bytes.toString()).toBe('hello');
    expect(stored?.meta).toMatchObject({ headers: { contentType: 'text/plain' }, userMetadata: { a: '' } });
    expect(stored?.meta.headers).not.toHaveProperty('contentEncoding');
  });

  test('keeps every form of key apart', async () => {
    const keys = ['a', 'a/', 'a/b', 'a//b', '/a', '../a', './a', 'a/../b', 'A', 'é', 'e\u0301'];
    for (const key of keys) await send(service, 'PUT', `/abc/${encodeURIComponent(key)}`, { body: key });
    for (const key of keys) expect(service.stored('abc', key)?.bytes.toString()).toBe(key);
  });

  test('creates or replaces only as its condition says', async () => {
    expect((await put('/abc/old', { 'if-none-match': '*' })).status).toBe(412);
    expect((await put('/abc/new', { 'if-none-match': '*' })).status).toBe(200);
    expect((await put('/abc/new', { 'if-match': '"x"' })).status).toBe(412);
    expect((await put('/abc/new', { 'if-match': md5OfHello })).status).toBe(200);
    expect((await put('/abc/none', { 'if-match': md5OfHello })).element('Code')).toBe('NoSuchKey');
    expect((await put('/abc/old', { 'if-none-match': '"x"' })).element('Code')).toBe('NotImplemented');
    expect(service.stored('abc', 'old')?.bytes.toString()).toBe('old');
  });

  test('takes 5 GiB and not a byte more', async () => {
    const answer = await send(service, 'PUT', '/abc/k', { body: '', claimedBytes: 5 * 1024 ** 3 + 1 });
    expect([answer.status, answer.element('Code')]).toEqual([400, 'EntityTooLarge']);
    expect((await send(service, 'PUT', '/abc/k', { body: '', claimedBytes: 5 * 1024 ** 3 })).status).toBe(
      200,
    );
  });

  test.each([
    [{ 'x-amz-server-side-encryption': 'AES256' }, 'NotImplemented'],
    [{ 'x-amz-tagging': 'a=b&a=c' }, 'InvalidArgument'],
    [{ 'x-amz-storage-class': 'FAST' }, 'InvalidStorageClass'],
    [{ 'x-amz-meta-a': 'v'.repeat(2048) }, 'MetadataTooLarge'],
    [{ 'x-amz-website-redirect-location': 'x' }, 'InvalidRedirectLocation'],
  ])('refuses %.60j and stores nothing', async (headers, code) => {
    expect((await put('/abc/k', headers as Record<string, string>)).element('Code')).toBe(code);
    expect(service.stored('abc', 'k')).toBeUndefined();
  });

  test('is not a part whose upload was forgotten', async () => {
    for (const headers of [undefined, { 'x-amz-copy-source': 'abc/other' }]) {
      const answer = await put('/abc/k?partNumber=1', headers);
      const message = 'This operation does not accept partNumber without uploadId';
      expect([answer.element('Code'), answer.element('Message')]).toEqual(['InvalidArgument', message]);
    }
    expect((await put('/abc/k?uploadId=1')).element('Code')).toBe('MethodNotAllowed');
    expect(service.stored('abc', 'k')).toBeUndefined();
  });

  test('answers the checksums that are stored', async () => {
    const original = service.putObject.bind(service);
    service.putObject = async (ref, input) => ({
      ...(await original(ref, input)),
      checksums: { CRC32: 'NhCmhg==' },
      checksumType: 'FULL_OBJECT',
    });
    expect((await put('/abc/k')).headers).toEqual({
      etag: md5OfHello,
      'x-amz-checksum-crc32': 'NhCmhg==',
      'x-amz-checksum-type': 'FULL_OBJECT',
    });
  });
});

describe('DeleteObject', () => {
  const remove = (target: string, headers: Record<string, string> = {}) =>
    send(service, 'DELETE', target, { headers });

  test('answers 204, whether there was an object or not', async () => {
    expect(await remove('/abc/old')).toMatchObject({ status: 204, text: '' });
    expect((await remove('/abc/old')).status).toBe(204);
    expect(service.stored('abc', 'old')).toBeUndefined();
  });

  test('deletes only the version its condition names', async () => {
    expect((await remove('/abc/old', { 'if-match': '"x"' })).status).toBe(412);
    expect((await remove('/abc/old', { 'if-none-match': '*' })).element('Code')).toBe('NotImplemented');
    expect((await remove('/abc/old?versionId=other')).element('Code')).toBe('NoSuchVersion');
    expect((await remove('/abc/old?acl')).element('Code')).toBe('MethodNotAllowed');
    expect((await remove('/abc/old?retention')).element('Code')).toBe('MethodNotAllowed');
    expect(service.stored('abc', 'old')).toBeDefined();
    expect((await remove('/abc/old?versionId=null', { 'if-match': '*' })).status).toBe(204);
    expect(service.stored('abc', 'old')).toBeUndefined();
  });
});

describe('DeleteObjects', () => {
  const headers = { 'content-md5': 'checked before it comes here' };
  const removeMany = (body: string, more: { headers?: Record<string, string>; denied?: string[] } = {}) =>
    send(service, 'POST', '/abc?delete', { headers, body, ...more });
  const object = (key: string, more = '') => `<Object><Key>${key}</Key>${more}</Object>`;

  beforeEach(async () => {
    service = await bucketWith(['a', 'b', 'c d', 'e&f']);
  });

  test('deletes each key and says so, also for one that was not there', async () => {
    const body = ['a', 'none', 'c d', 'e&amp;f'].map((key) => object(key)).join('');
    const answer = await removeMany(
      `<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${body}</Delete>`,
    );
    expect(answer.status).toBe(200);
    expect(answer.text.match(/<Deleted><Key>[^<]*<\/Key><\/Deleted>/g)).toHaveLength(4);
    expect(answer.elements('Key')).toEqual(['a', 'none', 'c d', 'e&amp;f']);
    expect(service.stored('abc', 'b')).toBeDefined();
    for (const key of ['a', 'c d', 'e&f']) expect(service.stored('abc', key)).toBeUndefined();
  });

  test('says only what failed when asked to be quiet', async () => {
    const body = `<Delete><Quiet>true</Quiet>${object('a')}${object('b', '<ETag>"x"</ETag>')}</Delete>`;
    const answer = await removeMany(body);
    expect(answer.text).not.toContain('<Deleted>');
    expect([answer.elements('Key'), answer.elements('Code')]).toEqual([['b'], ['PreconditionFailed']]);
    expect(service.stored('abc', 'a')).toBeUndefined();
    expect(service.stored('abc', 'b')).toBeDefined();
  });

  test('judges each key by itself', async () => {
    const body = [
      object('a', '<ETag>"0cc175b9c0f1b6a831c399e269772661"</ETag><VersionId>null</VersionId>'),
      object('b', '<VersionId>other</VersionId>'),
      object('c d'),
      object('k'.repeat(1025)),
      object('e&amp;f', '<Size>3</Size>'),
    ];
    const answer = await removeMany(`<Delete>${body.join('')}</Delete>`, {
      denied: ['s3:DeleteObject abc/c d'],
    });
    expect(answer.elements('Code')).toEqual([
      'NoSuchVersion',
      'AccessDenied',
      'KeyTooLongError',
      'NotImplemented',
    ]);
    expect(answer.text).toContain('<Deleted><Key>a</Key><VersionId>null</VersionId></Deleted>');
    for (const key of ['b', 'c d', 'e&f']) expect(service.stored('abc', key)).toBeDefined();
  });

  test('takes up to 1,000 keys', async () => {
    const keys = (count: number) => `<Delete>${object('a').repeat(count)}</Delete>`;
    expect((await removeMany(keys(1000))).elements('Key')).toHaveLength(1000);
    await send(service, 'PUT', '/abc/a');
    expect((await removeMany(keys(1001))).element('Code')).toBe('MalformedXML');
    expect((await removeMany(keys(0))).element('Code')).toBe('MalformedXML');
    expect(service.stored('abc', 'a')).toBeDefined();
  });

  test.each([
    '',
    '<Delete><Object/></Delete>',
    '<Delete><Object><Key></Key></Object></Delete>',
    '<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>',
    '<Delete><Thing/><Object><Key>a</Key></Object></Delete>',
    '<!DOCTYPE x><Delete><Object><Key>a</Key></Object></Delete>',
    '<Remove><Object><Key>a</Key></Object></Remove>',
    '<Delete><Object><Key>a</Key></Object>',
  ])('deletes nothing for %j', async (body) => {
    expect((await removeMany(body)).element('Code')).toBe('MalformedXML');
    expect(service.stored('abc', 'a')).toBeDefined();
  });

  test('wants a digest of its body, in any of the forms that clients send', async () => {
    const body = `<Delete>${object('a')}</Delete>`;
    const answer = await removeMany(body, { headers: { 'x-amz-checksum-mode': 'ENABLED' } });
    expect([answer.status, answer.element('Code')]).toEqual([400, 'InvalidRequest']);
    expect(service.stored('abc', 'a')).toBeDefined();
    for (const name of ['x-amz-checksum-crc32', 'x-amz-checksum-sha256']) {
      expect((await removeMany(body, { headers: { [name]: 'x' } })).status).toBe(200);
    }
    expect((await removeMany(body, { headers: { 'x-amz-trailer': 'x-amz-checksum-crc32' } })).status).toBe(
      200,
    );
  });

  test('passes a fault inside on, once no deletion is under way any more', async () => {
    let underWay = 0;
    let most = 0;
    service.deleteObject = async ({ key }) => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay--;
      if (key === 'k7') throw new Error('the disk is gone');
      return {};
    };
    const body = Array.from({ length: 100 }, (_, i) => object(`k${i}`)).join('');
    await expect(removeMany(`<Delete>${body}</Delete>`)).rejects.toThrow('the disk is gone');
    expect(underWay).toBe(0);
    expect(most).toBeLessThanOrEqual(16);
  });
});
