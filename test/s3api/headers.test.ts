import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ObjectMeta } from '../../src/common/object-meta.ts';
import { httpDate, objectHeaders, parseNewObject, parseOverrides, xmlDate } from '../../src/s3api/headers.ts';

const plain: ObjectMeta = {
  sizeBytes: 3,
  etag: 'abc',
  lastModifiedMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  generation: '1',
  generationSettled: true,
  headers: {},
  userMetadata: {},
};

describe('what a request says of a new object', () => {
  test('its content headers and metadata are kept as they are, empty ones too', () => {
    const { headers, userMetadata, storageClass } = parseNewObject({
      'content-type': 'text/plain',
      'content-language': '',
      'cache-control': 'no-store',
      'content-disposition': 'attachment',
      expires: 'whenever',
      'x-amz-website-redirect-location': '/other',
      'x-amz-meta-color': 'blue',
      'x-amz-meta-empty': '',
      'x-amz-meta-__proto__': 'odd',
      'x-amz-storage-class': 'STANDARD',
      'x-other': 'ignored',
    });
    expect(headers).toEqual({
      contentType: 'text/plain',
      contentLanguage: '',
      cacheControl: 'no-store',
      contentDisposition: 'attachment',
      expires: 'whenever',
      websiteRedirectLocation: '/other',
    });
    expect(Object.entries(userMetadata)).toEqual([
      ['color', 'blue'],
      ['empty', ''],
      ['__proto__', 'odd'],
    ]);
    expect(storageClass).toBeUndefined();
  });

  test.each([
    ['aws-chunked', undefined],
    ['AWS-Chunked', undefined],
    ['gzip,aws-chunked', 'gzip'],
    ['aws-chunked, gzip', 'gzip'],
    ['gzip, aws-chunked,br', 'gzip,br'],
    ['aws-chunked,', undefined],
    ['gzip, br', 'gzip, br'],
    ['', ''],
  ])('of the Content-Encoding %j stays %j', (sent, kept) => {
    expect(parseNewObject({ 'content-encoding': sent }).headers.contentEncoding).toBe(kept);
  });

  test('an empty Content-Type names none', () => {
    expect(parseNewObject({ 'content-type': '' }).headers).toEqual({});
  });

  test('metadata may be 2 KB, names without prefix and values together', () => {
    expect(parseNewObject({ 'x-amz-meta-a': 'v'.repeat(2047) }).userMetadata).toHaveProperty('a');
    expect(() =>
      parseNewObject({ 'x-amz-meta-a': 'v'.repeat(1000), 'x-amz-meta-bb': 'v'.repeat(1046) }),
    ).toThrow(
      expect.objectContaining({ code: 'MetadataTooLarge', extra: { Size: '2049', MaxSizeAllowed: '2048' } }),
    );
  });

  test('a storage class must be one that S3 knows', () => {
    expect(parseNewObject({ 'x-amz-storage-class': 'GLACIER_IR' }).storageClass).toBe('GLACIER_IR');
    for (const name of ['standard', 'FAST', '']) {
      expect(() => parseNewObject({ 'x-amz-storage-class': name })).toThrow(
        expect.objectContaining({ code: 'InvalidStorageClass' }),
      );
    }
  });

  test.each(['other', 'ftp://x', '', `/${'x'.repeat(2048)}`])('no redirect goes to %.20j', (location) => {
    expect(() => parseNewObject({ 'x-amz-website-redirect-location': location })).toThrow(
      expect.objectContaining({ code: 'InvalidRedirectLocation' }),
    );
  });
});

describe('what an answer says of an object', () => {
  test('is its version, its headers and its metadata', () => {
    const meta: ObjectMeta = {
      ...plain,
      headers: { contentType: 'text/plain', contentEncoding: '', cacheControl: 'max-age=5' },
      userMetadata: { color: 'blue', empty: '' },
      storageClass: 'GLACIER_IR',
    };
    expect(objectHeaders(meta)).toEqual({
      etag: '"abc"',
      'last-modified': 'Fri, 02 Jan 2026 03:04:05 GMT',
      'accept-ranges': 'bytes',
      'content-type': 'text/plain',
      'content-encoding': '',
      'cache-control': 'max-age=5',
      'x-amz-meta-color': 'blue',
      'x-amz-meta-empty': '',
      'x-amz-storage-class': 'GLACIER_IR',
    });
  });

  test('an object without a type is a binary one, and STANDARD is not said', () => {
    const headers = objectHeaders({ ...plain, storageClass: 'STANDARD' });
    expect(headers['content-type']).toBe('binary/octet-stream');
    expect(headers).not.toHaveProperty('x-amz-storage-class');
  });

  test('every byte that a client sent as metadata comes back, whatever its encoding', () => {
    const latin1 = fc.string({
      unit: fc.integer({ min: 0x20, max: 0xff }).map((c) => String.fromCharCode(c)),
    });
    fc.assert(
      fc.property(latin1, (value) => {
        fc.pre(!value.includes('\x7f'));
        const { userMetadata } = parseNewObject({ 'x-amz-meta-v': value });
        expect(objectHeaders({ ...plain, userMetadata })['x-amz-meta-v']).toBe(value);
      }),
    );
  });

  test('what no header can hold becomes an encoded word (RFC 2047), and a name that no header can have is counted', () => {
    const headers = objectHeaders({
      ...plain,
      userMetadata: { a: '名前', b: 'x\r\ny: z', 'c d': '1', '': '2' },
    });
    expect(headers['x-amz-meta-a']).toBe('=?UTF-8?B?5ZCN5YmN?=');
    expect(headers['x-amz-meta-b']).toBe(`=?UTF-8?B?${Buffer.from('x\r\ny: z').toString('base64')}?=`);
    expect(headers['x-amz-missing-meta']).toBe(2);
    for (const value of Object.values(headers)) expect(String(value)).toMatch(/^[\t\x20-\x7e\x80-\xff]*$/);
  });
});

describe('response-* parameters', () => {
  test('replace headers', () => {
    const query = new Map([
      ['response-content-type', 'text/css'],
      ['response-content-disposition', 'attachment; filename="é.txt"'],
      ['response-expires', ''],
      ['responses', 'ignored'],
    ]);
    expect(parseOverrides(query)).toEqual({
      'content-type': 'text/css',
      'content-disposition': 'attachment; filename="é.txt"',
    });
  });

  test('of other names are refused', () => {
    expect(() => parseOverrides(new Map([['response-x', 'y']]))).toThrow(
      expect.objectContaining({
        code: 'InvalidArgument',
        message: expect.stringMatching(/^response-x is not in the set of overridable response headers\. /),
        extra: { ArgumentName: 'response-x', ArgumentValue: 'y' },
      }),
    );
  });

  test.each(['text/html\r\nset-cookie: a=b', '名前', '\u0000'])('%j cannot stand in a header', (value) => {
    expect(() => parseOverrides(new Map([['response-content-type', value]]))).toThrow(
      expect.objectContaining({ code: 'InvalidArgument' }),
    );
  });
});

test('times are whole seconds in headers and in XML alike', () => {
  expect(httpDate(plain.lastModifiedMs)).toBe('Fri, 02 Jan 2026 03:04:05 GMT');
  expect(xmlDate(plain.lastModifiedMs)).toBe('2026-01-02T03:04:05.000Z');
});
