import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseTarget } from '../../src/s3api/path.ts';

const domains = ['s3.example.com', 'example.com'];

function parse(rawTarget: string, host = '127.0.0.1:9000', method = 'GET') {
  return parseTarget({ method, rawTarget, host, domains });
}

describe('path style', () => {
  test.each([
    ['/', undefined, undefined],
    ['/?x-id=ListBuckets', undefined, undefined],
    ['/abc', 'abc', undefined],
    ['/abc/', 'abc', undefined],
    ['/abc?location', 'abc', undefined],
    ['/abc/k', 'abc', 'k'],
    ['/abc/a/b/', 'abc', 'a/b/'],
    ['/abc//x', 'abc', '/x'],
    ['/abc//', 'abc', '/'],
    ['/abc/x//y', 'abc', 'x//y'],
    ['/abc/.', 'abc', '.'],
    ['/abc/../up', 'abc', '../up'],
    ['/abc/a/./b', 'abc', 'a/./b'],
    ['/abc/%2e%2e/up', 'abc', '../up'],
    ['/abc/a+b', 'abc', 'a+b'],
    ['/abc/a%20b%2Bc%2Fd%3Fe', 'abc', 'a b+c/d?e'],
    ['/abc/%2541', 'abc', '%41'],
    ['/abc/%C3%A9%F0%9F%98%80', 'abc', 'é😀'],
    ['/abc/\u00c3\u00a9', 'abc', 'é'],
    ['/abc/%EF%BB%BFbom', 'abc', '\ufeffbom'],
    ['/a%62c/k', 'abc', 'k'],
    ['http://127.0.0.1:9000/abc/k', 'abc', 'k'],
  ])('%s is bucket %s and key %j', (rawTarget, bucket, key) => {
    expect(parse(rawTarget)).toMatchObject({ virtualHost: false });
    expect(parse(rawTarget).bucket).toBe(bucket);
    expect(parse(rawTarget).key).toBe(key);
  });

  test.each([
    '/abc/%',
    '/abc/%2',
    '/abc/%zz',
    '/abc/%C3',
    '/abc/%C3%28',
    '/abc/%C0%AF',
    '/abc/%ED%A0%80',
    '/abc/%F5%80%80%80',
    '/abc/\u00e9',
    '/abc/k#fragment',
    '/abc/k?prefix=%zz',
    '/abc/k?prefix=%FF',
    '*',
    'abc',
    '',
  ])('%j is no URI', (rawTarget) => {
    expect(() => parse(rawTarget)).toThrow(expect.objectContaining({ code: 'InvalidURI' }));
  });

  test.each(['//', '//abc/k', '/AB/k', '/a_b/k', '/%2Fabc/k', '/ab'])(
    '%s names no valid bucket',
    (rawTarget) => {
      expect(() => parse(rawTarget)).toThrow(expect.objectContaining({ code: 'InvalidBucketName' }));
    },
  );

  test('a key is measured decoded', () => {
    expect(parse(`/abc/${'%41'.repeat(1024)}`).key).toHaveLength(1024);
    expect(() => parse(`/abc/${'%41'.repeat(1025)}`)).toThrow(
      expect.objectContaining({ code: 'KeyTooLongError' }),
    );
  });

  test('the path keeps the form it was sent in, for the signature is over that', () => {
    expect(parse('/abc/a%2fb//%7E?x=1').rawPath).toBe('/abc/a%2fb//%7E');
    expect(parse('http://127.0.0.1:9000?location').rawPath).toBe('/');
  });

  test('WriteGetObjectResponse is no bucket', () => {
    expect(parse('/WriteGetObjectResponse', undefined, 'POST').bucket).toBeUndefined();
    expect(() => parse('/WriteGetObjectResponse')).toThrow(
      expect.objectContaining({ code: 'InvalidBucketName' }),
    );
  });

  test('any key comes back from its percent-encoded form', () => {
    const key = fc.string({ unit: 'binary', minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(key, (text) => {
        expect(parse(`/abc/${encodeURIComponent(text)}`).key).toBe(text);
        const everyByte = [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`);
        expect(parse(`/abc/${everyByte.join('')}`).key).toBe(text);
      }),
    );
  });
});

describe('virtual hosts', () => {
  // S3 User Guide, "Virtual hosting of buckets".
  test.each([
    ['photos.example.com', '/puppies.jpg', 'photos', 'puppies.jpg'],
    ['photos.example.com:9000', '/a/b', 'photos', 'a/b'],
    ['PHOTOS.Example.COM', '/', 'photos', undefined],
    ['my.photos.example.com', '//x', 'my.photos', '/x'],
    ['photos.s3.example.com', '/k', 'photos', 'k'],
  ])('%s %s is bucket %s and key %s', (host, rawTarget, bucket, key) => {
    const target = parse(rawTarget, host);
    expect(target).toMatchObject({ bucket, virtualHost: true });
    expect(target.key).toBe(key);
  });

  test.each(['example.com', 's3.example.com', 'localhost:9000', '[::1]:9000', '10.0.0.1', 'example.org', ''])(
    'the host %s leaves the bucket to the path',
    (host) => {
      expect(parse('/abc/k', host)).toMatchObject({ bucket: 'abc', key: 'k', virtualHost: false });
    },
  );

  test('without a Host header the path names the bucket', () => {
    expect(parseTarget({ method: 'GET', rawTarget: '/abc', host: undefined, domains }).bucket).toBe('abc');
  });

  test('a host whose first part is no bucket name is refused', () => {
    expect(() => parse('/k', 'a_b.example.com')).toThrow(
      expect.objectContaining({ code: 'InvalidBucketName' }),
    );
  });

  test('an absolute target names the host that is signed, or is refused', () => {
    const host = 'photos.example.com';
    expect(parse(`https://${host}/k`, host)).toMatchObject({ bucket: 'photos', key: 'k' });
    for (const other of ['localhost', 'photos2.example.com', 'PHOTOS.example.com', undefined]) {
      expect(() => parse(`https://${host}/k`, other)).toThrow(/Host header/);
    }
  });
});

describe('query parameters', () => {
  test('are decoded once, a plus being a space; the first of a name counts; one without = is empty', () => {
    const { query } = parse('/abc?prefix=a+b%2B%2541&uploads&prefix=second&=x&&a=b=c');
    expect([...query]).toEqual([
      ['prefix', 'a b+%41'],
      ['uploads', ''],
      ['', 'x'],
      ['a', 'b=c'],
    ]);
  });

  test('are limited in number', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => `p${i}=1`).join('&');
    expect(parse(`/abc?${many(256)}`).query.size).toBe(256);
    expect(() => parse(`/abc?${many(257)}`)).toThrow(
      expect.objectContaining({ code: 'RequestHeaderSectionTooLarge' }),
    );
  });
});
