import { describe, expect, test } from '@jest/globals';
import {
  addChecksumHeaders,
  checksumElements,
  isChecksum,
  parseObjectChecksums,
  parseUploadChecksum,
} from '../../src/s3api/checksums.ts';
import type { AnswerHeaders } from '../../src/s3api/headers.ts';

// The CRCs of the nine bytes `123456789`, the check values of the catalogue of CRC algorithms.
const crc32 = Buffer.from('cbf43926', 'hex').toString('base64');
const crc64 = Buffer.from('ae8b14860a799888', 'hex').toString('base64');

test('a checksum is base64 of just so many bytes', () => {
  expect(isChecksum('CRC32', crc32)).toBe(true);
  expect(isChecksum('CRC64NVME', crc64)).toBe(true);
  expect(isChecksum('CRC32', crc64)).toBe(false);
  expect(isChecksum('CRC32', `${crc32.slice(0, -2)}!!`)).toBe(false);
  expect(isChecksum('CRC32', crc32.replaceAll('=', ''))).toBe(false);
  expect(isChecksum('CRC32', '')).toBe(false);
  expect(isChecksum('CRC32', `${crc32}-3`)).toBe(false);
  expect(isChecksum('CRC32', `${crc32}-3`, true)).toBe(true);
});

describe('the checksum of a completed object', () => {
  test('is the one header that is there', () => {
    expect(parseObjectChecksums({ 'x-amz-checksum-crc32': `${crc32}-2` })).toEqual({ CRC32: `${crc32}-2` });
    expect(parseObjectChecksums({ 'x-amz-checksum-type': 'COMPOSITE' })).toEqual({});
  });

  test('is refused if it is none, or if there are two', () => {
    for (const headers of [
      { 'x-amz-checksum-crc32': 'abc' },
      { 'x-amz-checksum-crc32': crc32, 'x-amz-checksum-crc64nvme': crc64 },
    ]) {
      expect(() => parseObjectChecksums(headers as Record<string, string>)).toThrow(
        expect.objectContaining({ code: 'InvalidRequest' }),
      );
    }
  });
});

// S3 User Guide, "Checking object integrity": which algorithms go with which type.
describe('the checksum of an upload', () => {
  test.each([
    [undefined, undefined, {}],
    ['CRC32', undefined, { checksumAlgorithm: 'CRC32', checksumType: 'COMPOSITE' }],
    ['crc32c', 'FULL_OBJECT', { checksumAlgorithm: 'CRC32C', checksumType: 'FULL_OBJECT' }],
    ['CRC64NVME', undefined, { checksumAlgorithm: 'CRC64NVME', checksumType: 'FULL_OBJECT' }],
    ['SHA256', undefined, { checksumAlgorithm: 'SHA256', checksumType: 'COMPOSITE' }],
  ])('algorithm %s and type %s is %j', (algorithm, type, expected) => {
    const headers = { 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': type };
    expect(parseUploadChecksum(headers)).toEqual(expected);
  });

  test.each([
    ['CRC64NVME', 'COMPOSITE'],
    ['SHA1', 'FULL_OBJECT'],
    ['SHA256', 'FULL_OBJECT'],
    [undefined, 'COMPOSITE'],
    ['CRC32', 'HALF'],
    ['MD4', undefined],
  ])('algorithm %s and type %s is refused', (algorithm, type) => {
    const headers = { 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': type };
    expect(() => parseUploadChecksum(headers)).toThrow(expect.objectContaining({ code: 'InvalidRequest' }));
  });
});

test('stored checksums are shown in headers and in XML, with their type', () => {
  const headers: AnswerHeaders = {};
  addChecksumHeaders(headers, { checksums: { CRC32: crc32 }, checksumType: 'FULL_OBJECT' });
  expect(headers).toEqual({ 'x-amz-checksum-crc32': crc32, 'x-amz-checksum-type': 'FULL_OBJECT' });
  expect(checksumElements({ CRC32: crc32, CRC64NVME: crc64 })).toBe(
    `<ChecksumCRC32>${crc32}</ChecksumCRC32><ChecksumCRC64NVME>${crc64}</ChecksumCRC64NVME>`,
  );
});

test('without checksums there is nothing to show', () => {
  const headers: AnswerHeaders = {};
  addChecksumHeaders(headers, { checksums: {}, checksumType: 'FULL_OBJECT' });
  addChecksumHeaders(headers, {});
  expect(headers).toEqual({});
  expect(checksumElements(undefined)).toBe('');
});
