import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bucketWith } from '../support/bucket.ts';
import type { MapObjectService } from '../support/map-object-service.ts';
import { send } from '../support/send.ts';

const md5OfDigits = '"781e5e245d69b566979b86e28d23f2c7"';
const lastModified = 'Fri, 02 Jan 2026 03:04:05 GMT';
const validated = '2026-01-02T03:04:05.678Z';

let service: MapObjectService;

beforeEach(async () => {
  service = await bucketWith();
  const headers = { 'content-type': 'text/plain', 'x-amz-meta-color': 'blue', 'cache-control': 'max-age=9' };
  await send(service, 'PUT', '/abc/digits', { body: '0123456789', headers });
  await send(service, 'PUT', '/abc/empty');
});

const get = (target: string, headers: Record<string, string> = {}) =>
  send(service, 'GET', target, { headers });
const head = (target: string, headers: Record<string, string> = {}) =>
  send(service, 'HEAD', target, { headers });

describe('GetObject', () => {
  test('gives the object, all that is known of it, and where it came from', async () => {
    const { status, headers, text } = await get('/abc/digits');
    expect(status).toBe(200);
    expect(text).toBe('0123456789');
    expect(headers).toEqual({
      'accept-ranges': 'bytes',
      'cache-control': 'max-age=9',
      'content-length': 10,
      'content-type': 'text/plain',
      etag: md5OfDigits,
      'last-modified': lastModified,
      'x-amz-meta-color': 'blue',
      'x-forebay-cache': 'hit',
      'x-forebay-owner': 'here',
      'x-forebay-validated': validated,
    });
  });

  test('gives an empty object whole', async () => {
    const { status, headers, text } = await get('/abc/empty');
    expect([status, headers['content-length'], text]).toEqual([200, 0, '']);
  });

  test('answers NoSuchKey and NoSuchBucket', async () => {
    expect((await get('/abc/none')).element('Code')).toBe('NoSuchKey');
    expect((await get('/nobucket/digits')).element('Code')).toBe('NoSuchBucket');
  });

  test.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=8-', 206, '89', 'bytes 8-9/10'],
    ['bytes=0-', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=5-99', 206, '56789', 'bytes 5-9/10'],
    ['bytes=0-1,4-5', 200, '0123456789', undefined],
    ['lines=1-2', 200, '0123456789', undefined],
  ])('with Range %s answers %d', async (range, status, text, contentRange) => {
    const answer = await get('/abc/digits', { range });
    expect([answer.status, answer.text, answer.headers['content-length']]).toEqual([
      status,
      text,
      text.length,
    ]);
    expect(answer.headers['content-range']).toBe(contentRange);
    const withoutBody = await head('/abc/digits', { range });
    expect(withoutBody.status).toBe(status);
    expect(withoutBody.headers['content-length']).toBe(text.length);
  });

  test('answers 416 for a range that is not there', async () => {
    const { status, headers, element } = await get('/abc/digits', { range: 'bytes=10-' });
    expect(status).toBe(416);
    expect(headers['content-range']).toBe('bytes */10');
    expect([element('Code'), element('ActualObjectSize'), element('RangeRequested')]).toEqual([
      'InvalidRange',
      '10',
      'bytes=10-',
    ]);
    expect((await get('/abc/empty', { range: 'bytes=0-' })).status).toBe(416);
  });

  test('any range gives exactly its bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(9), fc.nat(20), async (first, more) => {
        const { text } = await get('/abc/digits', { range: `bytes=${first}-${first + more}` });
        expect(text).toBe('0123456789'.slice(first, first + more + 1));
      }),
      { numRuns: 50 },
    );
  });

  test('judges conditions before the range', async () => {
    const range = 'bytes=99-';
    expect((await get('/abc/digits', { range, 'if-none-match': md5OfDigits })).status).toBe(304);
    expect((await get('/abc/digits', { range, 'if-match': '"x"' })).status).toBe(412);
  });

  test('a 304 has no body and says what is still fresh', async () => {
    const { status, headers, text } = await get('/abc/digits', { 'if-modified-since': lastModified });
    expect([status, text]).toEqual([304, '']);
    expect(headers).toEqual({
      etag: md5OfDigits,
      'last-modified': lastModified,
      'cache-control': 'max-age=9',
      'x-forebay-validated': validated,
    });
  });

  test('what a version does not meet says when it was known to be the present one, like what it does', async () => {
    for (const [status, headers] of [
      [412, { 'if-match': '"x"' }],
      [416, { range: 'bytes=10-' }],
      [206, { range: 'bytes=1-2' }],
    ] as const) {
      for (const answer of [await get('/abc/digits', headers), await head('/abc/digits', headers)]) {
        expect([answer.status, answer.headers['x-forebay-validated']]).toEqual([status, validated]);
      }
    }
  });

  test.each([
    [md5OfDigits, 206],
    ['"other"', 200],
    [lastModified, 206],
    ['Thu, 01 Jan 2026 03:04:05 GMT', 200],
  ])('with If-Range %s answers %d', async (ifRange, status) => {
    expect((await get('/abc/digits', { range: 'bytes=1-2', 'if-range': ifRange })).status).toBe(status);
  });

  test('an If-Range that does not hold makes an impossible range harmless', async () => {
    expect((await get('/abc/digits', { range: 'bytes=99-', 'if-range': '"other"' })).status).toBe(200);
  });

  test('replaces headers by response-*', async () => {
    const { headers } = await get('/abc/digits?response-content-type=a%2Fb&response-cache-control=');
    expect(headers).toMatchObject({ 'content-type': 'a/b', 'cache-control': 'max-age=9' });
  });

  test('hands on what Cache-Control allows of a cache', async () => {
    const headers = { 'cache-control': 'no-cache, no-store, only-if-cached' };
    await get('/abc/digits', headers);
    await head('/abc/digits', headers);
    await get('/abc/digits', { 'cache-control': 'max-age=7' });
    const strict = { revalidate: true, noStore: true, onlyIfCached: true };
    expect(service.readOptions).toMatchObject([strict, strict, { revalidate: false, maxAgeMs: 7000 }]);
  });

  test('knows the one version that there is', async () => {
    expect((await get('/abc/digits?versionId=null')).status).toBe(200);
    expect((await get('/abc/digits?versionId=abc123')).element('Code')).toBe('NoSuchVersion');
    expect((await get('/abc/digits?versionId=')).element('Code')).toBe('InvalidArgument');
  });

  test('refuses a customer key', async () => {
    const answer = await get('/abc/digits', { 'x-amz-server-side-encryption-customer-algorithm': 'AES256' });
    expect(answer.element('Code')).toBe('NotImplemented');
  });
});

describe('a checksum of an object whose storage keeps none', () => {
  const mode = { 'x-amz-checksum-mode': 'ENABLED' };
  // Computed with Python's zlib.
  const crc32 = 'poTHxg==';

  test('is made of its bytes for who asks, and of all of them alone', async () => {
    expect((await get('/abc/digits', mode)).headers).toMatchObject({
      'x-amz-checksum-crc32': crc32,
      'x-amz-checksum-type': 'FULL_OBJECT',
    });
    for (const headers of [{}, { ...mode, range: 'bytes=0-8' }]) {
      expect((await get('/abc/digits', headers)).headers).not.toHaveProperty('x-amz-checksum-crc32');
    }
  });

  test('is not made where the storage has one that is not known yet', async () => {
    service.amend('abc', 'digits', { checksumsUnknown: true });
    expect((await get('/abc/digits', mode)).headers).not.toHaveProperty('x-amz-checksum-crc32');
  });
});

describe('stored checksums', () => {
  beforeEach(() => {
    service.amend('abc', 'digits', { checksums: { CRC32: 'Ki4F2w==' }, checksumType: 'FULL_OBJECT' });
  });
  const mode = { 'x-amz-checksum-mode': 'ENABLED' };

  test('are shown to who asks for them', async () => {
    for (const { headers } of [await get('/abc/digits', mode), await head('/abc/digits', mode)]) {
      expect(headers).toMatchObject({
        'x-amz-checksum-crc32': 'Ki4F2w==',
        'x-amz-checksum-type': 'FULL_OBJECT',
      });
    }
    expect((await get('/abc/digits')).headers).not.toHaveProperty('x-amz-checksum-crc32');
  });

  const ofPart = async (partNumber: number) =>
    (await get(`/abc/digits?partNumber=${partNumber}`, mode)).headers;
  const parts = [
    { partNumber: 1, sizeBytes: 6, checksums: { CRC32: 'b25lLg==' } },
    { partNumber: 2, sizeBytes: 4, checksums: { CRC32: 'dHdvLg==' } },
  ];

  test('are not shown with a range or a part, whose bytes they are not of', async () => {
    const ranged = await get('/abc/digits', { ...mode, range: 'bytes=0-8' });
    expect(ranged.headers).not.toHaveProperty('x-amz-checksum-crc32');
    service.amend('abc', 'digits', { parts });
    expect(await ofPart(2)).not.toHaveProperty('x-amz-checksum-crc32');
  });

  test('are shown with the range or the part that is the whole object', async () => {
    expect((await get('/abc/digits', { ...mode, range: 'bytes=-15' })).headers).toMatchObject({
      'content-range': 'bytes 0-9/10',
      'x-amz-checksum-crc32': 'Ki4F2w==',
    });
    expect(await ofPart(1)).toMatchObject({
      'x-amz-checksum-crc32': 'Ki4F2w==',
      'x-amz-checksum-type': 'FULL_OBJECT',
    });
  });

  test('of parts are shown with each part, where the object’s is made of them', async () => {
    service.amend('abc', 'digits', { parts, checksums: { CRC32: 'Ki4F2w==-2' }, checksumType: 'COMPOSITE' });
    expect(await ofPart(2)).toMatchObject({
      'x-amz-checksum-crc32': 'dHdvLg==',
      'x-amz-checksum-type': 'COMPOSITE',
    });
  });
});

describe('partNumber', () => {
  beforeEach(() => {
    const parts = [1, 5, 9].map((partNumber, i) => ({ partNumber, sizeBytes: [4, 4, 2][i] ?? 0 }));
    service.amend('abc', 'digits', { etag: 'abc-3', parts });
  });

  test.each([
    [1, '0123', 'bytes 0-3/10'],
    [2, '4567', 'bytes 4-7/10'],
    [3, '89', 'bytes 8-9/10'],
  ])('%d is %s', async (partNumber, text, contentRange) => {
    const answer = await get(`/abc/digits?partNumber=${partNumber}`);
    expect(answer).toMatchObject({ status: 206, text });
    expect(answer.headers).toMatchObject({ 'content-range': contentRange, 'x-amz-mp-parts-count': 3 });
    expect((await head(`/abc/digits?partNumber=${partNumber}`)).headers['content-length']).toBe(text.length);
  });

  test('beyond the last is 416', async () => {
    const answer = await get('/abc/digits?partNumber=4');
    expect([answer.status, answer.element('Code'), answer.element('ActualPartCount')]).toEqual([
      416,
      'InvalidPartNumber',
      '3',
    ]);
  });

  test('1 of an object that was put at once is the object', async () => {
    await send(service, 'PUT', '/abc/single', { body: 'xyz' });
    const answer = await get('/abc/single?partNumber=1');
    expect(answer).toMatchObject({ status: 206, text: 'xyz' });
    expect(answer.headers).not.toHaveProperty('x-amz-mp-parts-count');
    expect((await get('/abc/single?partNumber=2')).element('Code')).toBe('InvalidPartNumber');
    expect((await get('/abc/empty?partNumber=1')).status).toBe(200);
  });

  test('of parts whose sizes are not known is not answered by a guess', async () => {
    service.amend('abc', 'digits', { etag: 'abc-3', parts: undefined });
    expect((await get('/abc/digits?partNumber=1')).element('Code')).toBe('NotImplemented');
  });

  test.each(['0', '10001', '-1', 'one', '1.5', '+1'])('%s is an invalid argument', async (value) => {
    expect((await get(`/abc/digits?partNumber=${encodeURIComponent(value)}`)).element('Code')).toBe(
      'InvalidArgument',
    );
  });

  test('and Range exclude each other', async () => {
    expect((await get('/abc/digits?partNumber=1', { range: 'bytes=0-1' })).element('Code')).toBe(
      'InvalidRequest',
    );
  });
});

describe('HeadObject', () => {
  test('says what GetObject says, without a body', async () => {
    const { 'x-forebay-cache': _, ...expected } = (await get('/abc/digits')).headers;
    const answer = await head('/abc/digits');
    expect(answer).toMatchObject({ status: 200, text: '', headers: expected });
  });

  test('has errors without a body', async () => {
    expect(await head('/abc/none')).toMatchObject({ status: 404, text: '' });
    expect(await head('/abc/digits', { 'if-match': '"x"' })).toMatchObject({ status: 412, text: '' });
    expect(await head('/abc/digits', { range: 'bytes=10-' })).toMatchObject({ status: 416, text: '' });
  });
});
