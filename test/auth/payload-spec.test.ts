import { describe, expect, test } from '@jest/globals';
import { parsePayloadMode } from '../../src/auth/payload-mode.ts';
import { type PayloadRules, payloadSpec } from '../../src/auth/payload-spec.ts';
import { digestOf } from '../../src/common/checksums.ts';
import { checksumAlgorithms } from '../../src/common/object-meta.ts';
import { emptySha256, thrown } from './fixtures.ts';

const rules: PayloadRules = { maximumBytes: 1000, lengthRequired: true, checksumsOf: 'body' };
const unsigned = parsePayloadMode('UNSIGNED-PAYLOAD');
const signedChunks = parsePayloadMode('STREAMING-AWS4-HMAC-SHA256-PAYLOAD');
const trailer = parsePayloadMode('STREAMING-UNSIGNED-PAYLOAD-TRAILER');
const signedTrailer = parsePayloadMode('STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER');
const crc32 = 'AAAAAA==';
const md5 = digestOf('MD5', Buffer.alloc(0)).toString('base64');

describe('the headers of a body', () => {
  test('give its length, its encoding and all that is to be checked', () => {
    const headers = { 'content-length': '7', 'content-md5': md5, 'x-amz-checksum-crc32': crc32 };
    expect(payloadSpec(headers, parsePayloadMode(emptySha256), rules)).toEqual({
      sizeBytes: 7,
      chunks: undefined,
      sha256: emptySha256,
      contentMd5: Buffer.from(md5, 'base64'),
      checksum: { algorithm: 'CRC32', value: crc32 },
    });
  });

  test('give the decoded length of chunks, with or without a length of their own', () => {
    const headers = { 'x-amz-decoded-content-length': '7' };
    const withLength = { ...headers, 'content-length': '100' };
    expect(payloadSpec(headers, signedChunks, rules)).toMatchObject({
      sizeBytes: 7,
      chunks: { signed: true, trailer: false },
    });
    expect(payloadSpec(withLength, signedTrailer, rules)).toMatchObject({
      sizeBytes: 7,
      chunks: { signed: true, trailer: true },
    });
    expect(payloadSpec(withLength, trailer, rules)).toMatchObject({
      sizeBytes: 7,
      chunks: { signed: false, trailer: true },
    });
  });

  test('announce the checksum that comes in the trailer', () => {
    const headers = {
      'x-amz-decoded-content-length': '7',
      'x-amz-trailer': 'X-Amz-Checksum-CRC64NVME',
      'x-amz-sdk-checksum-algorithm': 'CRC64NVME',
    };
    expect(payloadSpec(headers, trailer, rules).checksum).toEqual({
      algorithm: 'CRC64NVME',
      value: undefined,
    });
  });

  test.each(checksumAlgorithms)('may carry a %s of the body', (algorithm) => {
    const value = digestOf(algorithm, Buffer.from('x')).toString('base64');
    const headers = {
      'content-length': '1',
      [`x-amz-checksum-${algorithm.toLowerCase()}`]: value,
      'x-amz-sdk-checksum-algorithm': algorithm,
    };
    expect(payloadSpec(headers, unsigned, rules).checksum).toEqual({ algorithm, value });
  });

  test('of a document about an object may carry checksums of that object, which are not the document’s', () => {
    const headers = {
      'content-length': '1',
      'x-amz-checksum-crc32': 'AAAAAA==-3',
      'x-amz-checksum-type': 'COMPOSITE',
    };
    expect(payloadSpec(headers, unsigned, { ...rules, checksumsOf: 'object' }).checksum).toBeUndefined();
  });

  test('without any length mean that there is no body, where none is required', () => {
    expect(payloadSpec({}, unsigned, { ...rules, lengthRequired: false }).sizeBytes).toBe(0);
  });
});

const long = { 'content-length': '10' };
const decoded = { 'x-amz-decoded-content-length': '10' };
const expectingOne =
  /^Expecting a single x-amz-checksum- header\. Multiple checksum Types are not allowed\.$/;
const refused: readonly (readonly [string, Record<string, string>, typeof unsigned, string, RegExp])[] = [
  ['no length', {}, unsigned, 'MissingContentLength', /Content-Length/],
  [
    'a chunked transfer coding and no decoded length',
    { 'transfer-encoding': 'chunked' },
    unsigned,
    'NotImplemented',
    /header/,
  ],
  [
    'chunks in a chunked transfer coding and no decoded length',
    { 'transfer-encoding': 'chunked' },
    signedChunks,
    'NotImplemented',
    /header/,
  ],
  ['chunks without a decoded length', long, signedChunks, 'MissingContentLength', /Content-Length/],
  [
    'a decoded length that is no number',
    { 'x-amz-decoded-content-length': '-1' },
    trailer,
    'MissingContentLength',
    /Content-Length/,
  ],
  [
    'a decoded length above the encoded one',
    { ...decoded, 'content-length': '11' },
    trailer,
    'IncompleteBody',
    /number of bytes/,
  ],
  [
    'two lengths that contradict each other',
    { ...long, 'x-amz-decoded-content-length': '9' },
    unsigned,
    'IncompleteBody',
    /number of bytes/,
  ],
  ['too long a body', { 'content-length': '1001' }, unsigned, 'EntityTooLarge', /exceeds the maximum/],
  [
    'too long a decoded body',
    { 'x-amz-decoded-content-length': '1001' },
    trailer,
    'EntityTooLarge',
    /exceeds the maximum/,
  ],
  [
    'a Content-MD5 that is no base64',
    { ...long, 'content-md5': '!!' },
    unsigned,
    'InvalidDigest',
    /Content-MD5/,
  ],
  [
    'a Content-MD5 of the wrong length',
    { ...long, 'content-md5': 'AAAA' },
    unsigned,
    'InvalidDigest',
    /Content-MD5/,
  ],
  ['an empty Content-MD5', { ...long, 'content-md5': '' }, unsigned, 'InvalidDigest', /Content-MD5/],
  [
    'a checksum of the wrong length',
    { ...long, 'x-amz-checksum-sha256': crc32 },
    unsigned,
    'InvalidRequest',
    /^Value for x-amz-checksum-sha256 header is invalid\.$/,
  ],
  [
    'a checksum that is no base64',
    { ...long, 'x-amz-checksum-crc32': 'AAAAA' },
    unsigned,
    'InvalidRequest',
    /^Value for x-amz-checksum-crc32 header is invalid\.$/,
  ],
  [
    'a checksum of an unknown kind',
    { ...long, 'x-amz-checksum-sha512': 'AAAA' },
    unsigned,
    'InvalidRequest',
    /algorithm type you specified/,
  ],
  [
    'two checksums',
    { ...long, 'x-amz-checksum-crc32': crc32, 'x-amz-checksum-crc32c': crc32 },
    unsigned,
    'InvalidRequest',
    expectingOne,
  ],
  [
    'a checksum and another in the trailer',
    { ...decoded, 'x-amz-checksum-crc32': crc32, 'x-amz-trailer': 'x-amz-checksum-crc32c' },
    trailer,
    'InvalidRequest',
    expectingOne,
  ],
  [
    'two checksums in the trailer',
    { ...decoded, 'x-amz-trailer': 'x-amz-checksum-crc32,x-amz-checksum-crc32c' },
    trailer,
    'InvalidRequest',
    expectingOne,
  ],
  [
    'another thing than a checksum in the trailer',
    { ...decoded, 'x-amz-trailer': 'x-amz-meta-a' },
    trailer,
    'InvalidRequest',
    /x-amz-trailer header is not supported/,
  ],
  [
    'a trailer that cannot come',
    { ...long, 'x-amz-trailer': 'x-amz-checksum-crc32' },
    unsigned,
    'MalformedTrailerError',
    /trailing data/,
  ],
  [
    'a trailer that cannot come behind these chunks',
    { ...decoded, 'x-amz-trailer': 'x-amz-checksum-crc32' },
    signedChunks,
    'MalformedTrailerError',
    /trailing data/,
  ],
  [
    'an SDK algorithm without a checksum',
    { ...long, 'x-amz-sdk-checksum-algorithm': 'CRC32' },
    unsigned,
    'InvalidRequest',
    /no corresponding x-amz-checksum/,
  ],
  [
    'an SDK algorithm beside a checksum of another',
    { ...long, 'x-amz-checksum-crc32': crc32, 'x-amz-sdk-checksum-algorithm': 'SHA1' },
    unsigned,
    'InvalidRequest',
    /^Value for x-amz-sdk-checksum-algorithm header is invalid\.$/,
  ],
  [
    'an SDK algorithm that is none',
    { ...long, 'x-amz-sdk-checksum-algorithm': 'ROT13' },
    unsigned,
    'InvalidRequest',
    /^Value for x-amz-sdk-checksum-algorithm header is invalid\.$/,
  ],
];

test.each(refused)(
  'headers with %s are refused before any byte is read',
  (_, headers, payload, code, message) => {
    const error = thrown(() => payloadSpec(headers, payload, rules));
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
  },
);
