import { beforeEach, describe, expect, test } from '@jest/globals';
import { bucketWith } from '../support/bucket.ts';
import type { MapObjectService } from '../support/map-object-service.ts';
import { send } from '../support/send.ts';

let service: MapObjectService;
const all = 'ETag,Checksum, ObjectParts ,StorageClass,ObjectSize';
const attributes = (wanted: string | undefined, more: Record<string, string> = {}) =>
  send(service, 'GET', '/abc/k?attributes', {
    headers: wanted === undefined ? more : { 'x-amz-object-attributes': wanted, ...more },
  });
const parts = [
  { partNumber: 1, sizeBytes: 6, checksums: { CRC32: 'b25lLg==' } },
  { partNumber: 4, sizeBytes: 3, checksums: { CRC32: 'dHdvLg==' } },
  { partNumber: 5, sizeBytes: 1, checksums: { CRC32: 'dGhyZQ==' } },
];
const composite = {
  etag: 'abc-3',
  parts,
  checksums: { CRC32: 'Ki4F2w==-3' },
  checksumType: 'COMPOSITE',
} as const;

beforeEach(async () => {
  service = await bucketWith();
  await send(service, 'PUT', '/abc/k', { body: '0123456789' });
});

describe('GetObjectAttributes', () => {
  test('tells what is asked for and nothing else, the ETag without quotes', async () => {
    service.amend('abc', 'k', { checksums: { SHA1: 'h6E=' }, checksumType: 'FULL_OBJECT' });
    const answer = await attributes(all);
    expect(answer.status).toBe(200);
    expect(answer.text).toContain(
      '<GetObjectAttributesResponse xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
        '<ETag>781e5e245d69b566979b86e28d23f2c7</ETag>' +
        '<Checksum><ChecksumSHA1>h6E=</ChecksumSHA1><ChecksumType>FULL_OBJECT</ChecksumType></Checksum>' +
        '<StorageClass>STANDARD</StorageClass><ObjectSize>10</ObjectSize></GetObjectAttributesResponse>',
    );
    expect(answer.headers['last-modified']).toBe('Fri, 02 Jan 2026 03:04:05 GMT');
    expect((await attributes('ObjectSize')).text).toContain(
      '2006-03-01/"><ObjectSize>10</ObjectSize></GetObjectAttributesResponse>',
    );
  });

  test('shows a composite checksum without its count, and the parts that it is made of', async () => {
    service.amend('abc', 'k', composite);
    const { text } = await attributes('Checksum,ObjectParts');
    expect(text).toContain('<ChecksumCRC32>Ki4F2w==</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType>');
    expect(text).toContain(
      '<ObjectParts><PartsCount>3</PartsCount><PartNumberMarker>0</PartNumberMarker>' +
        '<NextPartNumberMarker>5</NextPartNumberMarker><MaxParts>1000</MaxParts><IsTruncated>false</IsTruncated>' +
        '<Part><PartNumber>1</PartNumber><Size>6</Size><ChecksumCRC32>b25lLg==</ChecksumCRC32></Part>',
    );
  });

  test.each([
    [{ 'x-amz-max-parts': '1' }, ['1'], 'true', '1'],
    [{ 'x-amz-max-parts': '1', 'x-amz-part-number-marker': '1' }, ['4'], 'true', '4'],
    [{ 'x-amz-max-parts': '2', 'x-amz-part-number-marker': '1' }, ['4', '5'], 'false', '5'],
    [{ 'x-amz-max-parts': '1', 'x-amz-part-number-marker': '10' }, [], 'false', '0'],
    [{ 'x-amz-max-parts': '0' }, [], 'false', '0'],
    [{ 'x-amz-max-parts': 'many', 'x-amz-part-number-marker': '-1' }, ['1', '4', '5'], 'false', '5'],
  ])('gives parts in pages: %j', async (page, numbers, truncated, next) => {
    service.amend('abc', 'k', composite);
    const answer = await attributes('ObjectParts', page as Record<string, string>);
    expect(answer.elements('PartNumber')).toEqual(numbers);
    expect([answer.element('IsTruncated'), answer.element('NextPartNumberMarker')]).toEqual([
      truncated,
      next,
    ]);
  });

  test('tells only how many parts there are where the checksum is of the bytes, or there is none', async () => {
    for (const change of [{ checksums: { CRC32: 'Ki4F2w==' }, checksumType: 'FULL_OBJECT' as const }, {}]) {
      service.amend('abc', 'k', { etag: 'abc-3', parts, ...change });
      const { text } = await attributes('ObjectParts');
      expect(text).toContain('<ObjectParts><PartsCount>3</PartsCount></ObjectParts>');
    }
  });

  test.each([
    [undefined, 'InvalidRequest'],
    [' , ', 'InvalidRequest'],
    ['ETag,Colour', 'InvalidArgument'],
    ['etag', 'InvalidArgument'],
  ])('of %s is %s', async (wanted, code) => {
    const answer = await attributes(wanted);
    expect(answer.element('Code')).toBe(code);
    if (code === 'InvalidArgument') {
      expect(answer.element('ArgumentName')).toBe('x-amz-object-attributes');
      expect(answer.element('Message')).toBe('Invalid attribute name specified.');
    }
  });
});
