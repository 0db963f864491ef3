import { beforeEach, describe, expect, test } from '@jest/globals';
import { bucketWith } from '../support/bucket.ts';
import type { MapObjectService } from '../support/map-object-service.ts';
import { send } from '../support/send.ts';

let service: MapObjectService;
const tag = (key: string, value: string) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`;
const tagging = (...tags: string[]) => `<Tagging><TagSet>${tags.join('')}</TagSet></Tagging>`;
const tagsOf = async (target: string) => {
  const answer = await send(service, 'GET', `${target}?tagging`);
  const values = answer.elements('Value');
  return answer.elements('Key').map((key, index) => [key, values[index]]);
};
const many = (count: number) => Array.from({ length: count }, (_, index) => tag(`k${index}`, 'v'));

beforeEach(async () => {
  service = await bucketWith();
  await send(service, 'PUT', '/abc/k', { body: 'x' });
});

describe('tags of an object', () => {
  test('are put, shown and deleted', async () => {
    expect((await send(service, 'GET', '/abc/k?tagging')).text).toContain(
      '<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet></TagSet></Tagging>',
    );
    const put = await send(service, 'PUT', '/abc/k?tagging', { body: tagging(tag('a', '1'), tag('b', '')) });
    expect([put.status, put.text]).toEqual([200, '']);
    expect(await tagsOf('/abc/k')).toEqual([
      ['a', '1'],
      ['b', ''],
    ]);
    await send(service, 'PUT', '/abc/k?tagging', { body: tagging(tag('c', '3')) });
    expect(await tagsOf('/abc/k')).toEqual([['c', '3']]);
    expect((await send(service, 'DELETE', '/abc/k?tagging')).status).toBe(204);
    expect(await tagsOf('/abc/k')).toEqual([]);
  });

  test('come with a put, in a header', async () => {
    const headers = { 'x-amz-tagging': 'a=b%20c&d+e=%C3%A4&only&&' };
    expect((await send(service, 'PUT', '/abc/k', { headers, body: 'x' })).status).toBe(200);
    expect(await tagsOf('/abc/k')).toEqual([
      ['a', 'b c'],
      ['d e', 'ä'],
      ['only', ''],
    ]);
    const denied = ['s3:PutObjectTagging abc/k'];
    const refused = await send(service, 'PUT', '/abc/k', { headers, body: 'y', denied });
    expect(refused.element('Code')).toBe('AccessDenied');
  });

  test('come with an upload, and go along with a copy unless it brings its own', async () => {
    const headers = { 'x-amz-tagging': 'a=1' };
    const begun = await send(service, 'POST', '/abc/k?uploads', { headers });
    const uploadId = begun.element('UploadId') ?? '';
    const { headers: part } = await send(service, 'PUT', `/abc/k?partNumber=1&uploadId=${uploadId}`, {
      body: 'x',
    });
    const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.etag}</ETag></Part></CompleteMultipartUpload>`;
    await send(service, 'POST', `/abc/k?uploadId=${uploadId}`, { body });
    expect(await tagsOf('/abc/k')).toEqual([['a', '1']]);
    const copy = async (more: Record<string, string>) => {
      await send(service, 'PUT', '/abc/c', { headers: { 'x-amz-copy-source': '/abc/k', ...more } });
      return tagsOf('/abc/c');
    };
    expect(await copy({})).toEqual([['a', '1']]);
    expect(await copy({ 'x-amz-tagging': 'b=2' })).toEqual([['a', '1']]);
    expect(await copy({ 'x-amz-tagging': 'b=2', 'x-amz-tagging-directive': 'REPLACE' })).toEqual([
      ['b', '2'],
    ]);
    expect(await copy({ 'x-amz-tagging-directive': 'REPLACE' })).toEqual([]);
    const wrong = await send(service, 'PUT', '/abc/c', {
      headers: { 'x-amz-copy-source': '/abc/k', 'x-amz-tagging-directive': 'KEEP' },
    });
    expect([wrong.element('Code'), wrong.element('ArgumentName')]).toEqual([
      'InvalidArgument',
      'x-amz-tagging-directive',
    ]);
  });

  test('are counted by who reads the object', async () => {
    expect((await send(service, 'GET', '/abc/k')).headers).not.toHaveProperty('x-amz-tagging-count');
    service.amend('abc', 'k', { tagCount: 3 });
    for (const method of ['GET', 'HEAD']) {
      expect((await send(service, method, '/abc/k')).headers['x-amz-tagging-count']).toBe(3);
    }
  });

  test.each([
    [tagging(tag('a', '1'), tag('a', '2')), 'InvalidTag', 'Cannot provide multiple Tags with the same key'],
    [tagging(tag('a,b', '1')), 'InvalidTag', 'The TagKey you have provided is invalid'],
    [tagging(tag('', '1')), 'InvalidTag', 'The TagKey you have provided is invalid'],
    [tagging(tag('k'.repeat(129), '1')), 'InvalidTag', 'The TagKey you have provided is invalid'],
    [tagging(tag('a', 'b,c')), 'InvalidTag', 'The TagValue you have provided is invalid'],
    [tagging(tag('a', 'v'.repeat(257))), 'InvalidTag', 'The TagValue you have provided is invalid'],
    [tagging(tag('aws:a', '1')), 'InvalidTag', 'Your TagKey cannot be prefixed with aws:'],
    [tagging(...many(11)), 'BadRequest', 'Object tags cannot be greater than 10'],
    [tagging('<Tag><Key>a</Key></Tag>'), 'MalformedXML', undefined],
    [tagging('<Tag><Value>a</Value></Tag>'), 'MalformedXML', undefined],
    [tagging('<Colour/>'), 'MalformedXML', undefined],
    ['<Tagging/>', 'MalformedXML', undefined],
    ['', 'MalformedXML', undefined],
  ])('of %.60s are %s', async (body, code, message) => {
    const answer = await send(service, 'PUT', '/abc/k?tagging', { body });
    expect(answer.element('Code')).toBe(code);
    if (message !== undefined) expect(answer.element('Message')).toBe(message);
    expect(await tagsOf('/abc/k')).toEqual([]);
  });

  test.each([
    tagging(...many(10)),
    tagging(tag('k'.repeat(128), 'v'.repeat(256))),
    tagging(tag('Straße 9', 'a.b:c/d=e+f-g@h_i')),
    tagging(tag('😀'.repeat(0) + 'é'.repeat(128), '漢'.repeat(256))),
  ])('of %.60s are taken', async (body) => {
    expect((await send(service, 'PUT', '/abc/k?tagging', { body })).status).toBe(200);
  });

  test.each([
    ['a=1&a=2', 'InvalidArgument'],
    ['key1=val1,key2=val2', 'InvalidArgument'],
    ['a=%ZZ', 'InvalidArgument'],
    ['a=%2C', 'InvalidTag'],
    ['=1', 'InvalidArgument'],
    ['=', 'InvalidArgument'],
    [Array.from({ length: 11 }, (_, index) => `k${index}=v`).join('&'), 'BadRequest'],
  ])('in a header of %s are %s', async (value, code) => {
    const answer = await send(service, 'PUT', '/abc/new', { headers: { 'x-amz-tagging': value }, body: 'x' });
    expect(answer.element('Code')).toBe(code);
    if (code === 'InvalidArgument') expect(answer.element('ArgumentName')).toBe('x-amz-tagging');
    expect(service.stored('abc', 'new')).toBeUndefined();
  });

  test('of another version are those of none', async () => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await send(service, method, '/abc/k?tagging&versionId=other', { body: tagging() });
      expect(answer.status).not.toBe(200);
    }
    expect((await send(service, 'GET', '/abc/none?tagging')).element('Code')).toBe('NoSuchKey');
  });
});

describe('tags of a bucket', () => {
  test('are put, shown and deleted; where there are none there is no tag set', async () => {
    const none = await send(service, 'GET', '/abc?tagging');
    expect([none.status, none.element('Code'), none.element('BucketName')]).toEqual([
      404,
      'NoSuchTagSet',
      'abc',
    ]);
    const put = await send(service, 'PUT', '/abc?tagging', { body: tagging(...many(50)) });
    expect(put.status).toBe(204);
    expect(await tagsOf('/abc')).toHaveLength(50);
    expect((await send(service, 'DELETE', '/abc?tagging')).status).toBe(204);
    expect((await send(service, 'GET', '/abc?tagging')).element('Code')).toBe('NoSuchTagSet');
    await send(service, 'PUT', '/abc?tagging', { body: tagging() });
    expect((await send(service, 'GET', '/abc?tagging')).element('Code')).toBe('NoSuchTagSet');
  });

  test.each([
    [tagging(...many(51)), 'BadRequest'],
    [tagging(tag('aws:x', '1')), 'InvalidTag'],
  ])('of %.60s are %s', async (body, code) => {
    expect((await send(service, 'PUT', '/abc?tagging', { body })).element('Code')).toBe(code);
  });

  test('come with its creation', async () => {
    const body = `<CreateBucketConfiguration><Tags>${tag('a', '1')}</Tags></CreateBucketConfiguration>`;
    expect((await send(service, 'PUT', '/tagged', { body })).status).toBe(200);
    expect(await tagsOf('/tagged')).toEqual([['a', '1']]);
    expect((await send(service, 'PUT', '/tagged', { body })).element('Code')).toBe('BucketAlreadyOwnedByYou');
    expect((await send(service, 'PUT', '/tagged')).status).toBe(200);
    expect(await tagsOf('/tagged')).toEqual([['a', '1']]);
  });
});
