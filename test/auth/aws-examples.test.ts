/**
 * The examples of the S3 API Reference: "Authenticating Requests: Using the Authorization Header" (sig-v4-header-based-auth),
 * "Using Query Parameters" (sigv4-query-string-auth), "Signature Calculations … Multiple Chunks" (sigv4-streaming) and
 * "… Including Trailing Headers" (sigv4-streaming-trailers).
 */
import { describe, expect, test } from '@jest/globals';
import { exampleAuthenticator, exampleTimeMs, request, thrown } from './fixtures.ts';

const bucketHost = ['Host', 'examplebucket.s3.amazonaws.com'] as const;
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const scope = 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request';

interface Example {
  readonly name: string;
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly signedHeaders: string;
  readonly signature: string;
}

const examples: readonly Example[] = [
  {
    name: 'GET of an object with a range',
    method: 'GET',
    target: '/test.txt',
    headers: [
      bucketHost,
      ['Range', 'bytes=0-9'],
      ['x-amz-content-sha256', emptyHash],
      ['x-amz-date', '20130524T000000Z'],
    ],
    signedHeaders: 'host;range;x-amz-content-sha256;x-amz-date',
    signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  {
    name: 'PUT of an object whose key has a dollar sign',
    method: 'PUT',
    target: '/test$file.text',
    headers: [
      bucketHost,
      ['Date', 'Fri, 24 May 2013 00:00:00 GMT'],
      ['x-amz-date', '20130524T000000Z'],
      ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
      ['x-amz-content-sha256', '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072'],
    ],
    signedHeaders: 'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
    signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  },
  {
    name: 'GET of a bucket lifecycle',
    method: 'GET',
    target: '/?lifecycle',
    headers: [bucketHost, ['x-amz-date', '20130524T000000Z'], ['x-amz-content-sha256', emptyHash]],
    signedHeaders: 'host;x-amz-content-sha256;x-amz-date',
    signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  },
  {
    name: 'list of objects',
    method: 'GET',
    target: '/?max-keys=2&prefix=J',
    headers: [bucketHost, ['x-amz-date', '20130524T000000Z'], ['x-amz-content-sha256', emptyHash]],
    signedHeaders: 'host;x-amz-content-sha256;x-amz-date',
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
  {
    name: 'PUT with signed chunks',
    method: 'PUT',
    target: '/examplebucket/chunkObject.txt',
    headers: [
      ['Host', 's3.amazonaws.com'],
      ['x-amz-date', '20130524T000000Z'],
      ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
      ['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'],
      ['Content-Encoding', 'aws-chunked'],
      ['x-amz-decoded-content-length', '66560'],
      ['Content-Length', '66824'],
    ],
    signedHeaders:
      'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
    signature: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
  },
  {
    name: 'PUT with signed chunks and a trailer',
    method: 'PUT',
    target: '/examplebucket/chunkObject.txt',
    headers: [
      ['Host', 's3.amazonaws.com'],
      ['x-amz-date', '20130524T000000Z'],
      ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
      ['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'],
      ['Content-Encoding', 'aws-chunked'],
      ['x-amz-decoded-content-length', '66560'],
      ['x-amz-trailer', 'x-amz-checksum-crc32c'],
    ],
    signedHeaders:
      'content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer',
    signature: '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e',
  },
];

const presigned =
  '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';

describe('the examples that AWS publishes', () => {
  test.each(examples)('the signature of the $name is found right', (example) => {
    const authorization = `AWS4-HMAC-SHA256 Credential=${scope},SignedHeaders=${example.signedHeaders},Signature=${example.signature}`;
    const signed = request(example.method, example.target, [
      ...example.headers,
      ['Authorization', authorization],
    ]);
    expect(exampleAuthenticator().authenticate(signed).identity.userName).toBe('ann');
    // The same signature under another method is none.
    const other = { ...signed, method: 'DELETE' };
    expect(thrown(() => exampleAuthenticator().authenticate(other)).code).toBe('SignatureDoesNotMatch');
  });

  test('the presigned GET is found right until it expires', () => {
    const signed = request('GET', presigned, [bucketHost]);
    const accepted = exampleAuthenticator().authenticate(signed);
    expect(accepted.form).toBe('query');
    expect(accepted.payload).toEqual({ kind: 'unsigned' });
    expect(exampleAuthenticator(exampleTimeMs + 86_400_000).authenticate(signed).form).toBe('query');
    const late = thrown(() => exampleAuthenticator(exampleTimeMs + 86_401_000).authenticate(signed));
    expect([late.code, late.message]).toEqual(['AccessDenied', 'Request has expired']);
  });
});
