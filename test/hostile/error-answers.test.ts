/**
 * The fields of S3's errors, over the wire, beside Code, Message, Resource, RequestId and HostId, which all have. Each row is what the
 * S3 API Reference shows for the error, or what S3 was seen to answer.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { RequestParts } from './hostile-client.ts';
import { codeOf } from './raw-connection.ts';
import { useScene } from './scene.ts';

const scene = useScene();
const kept = '/fortress/kept';
const xml = (root: string, inside: string) => `<${root}>${inside}</${root}>`;
const md5 = { 'Content-MD5': 'AAAAAAAAAAAAAAAAAAAAAA==' };
let uploadId = '';

beforeAll(async () => {
  const { client } = scene;
  const created = await client.send({ method: 'POST', target: '/fortress/up?uploads=' });
  uploadId = /<UploadId>([^<]+)</.exec(created.body)?.[1] ?? '';
});

type Row = readonly [
  parts: RequestParts,
  status: number,
  code: string,
  fields: Readonly<Record<string, string | RegExp>>,
];

const rows: readonly Row[] = [
  [{ target: '/nobucket' }, 404, 'NoSuchBucket', { BucketName: 'nobucket' }],
  [{ target: '/nobucket/k' }, 404, 'NoSuchBucket', { BucketName: 'nobucket' }],
  [{ target: '/fortress/none' }, 404, 'NoSuchKey', { Key: 'none' }],
  [{ target: '/fortress/none?tagging=' }, 404, 'NoSuchKey', { Key: 'none' }],
  [
    { target: '/fortress/none?attributes=', headers: { 'x-amz-object-attributes': 'ETag' } },
    404,
    'NoSuchKey',
    { Key: 'none' },
  ],
  [{ target: '/fortress?tagging=' }, 404, 'NoSuchTagSet', { BucketName: 'fortress' }],
  [{ target: '/fortress?lifecycle=' }, 404, 'NoSuchLifecycleConfiguration', { BucketName: 'fortress' }],
  [{ target: '/fortress/up?uploadId=other' }, 404, 'NoSuchUpload', { UploadId: 'other' }],
  [{ method: 'DELETE', target: '/fortress/up?uploadId=other' }, 404, 'NoSuchUpload', { UploadId: 'other' }],
  [
    { method: 'PUT', target: '/fortress/up?partNumber=1&uploadId=other', body: 'x' },
    404,
    'NoSuchUpload',
    { UploadId: 'other' },
  ],
  [
    { target: kept, headers: { Range: 'bytes=9-' } },
    416,
    'InvalidRange',
    { RangeRequested: 'bytes=9-', ActualObjectSize: '4' },
  ],
  [
    { target: `${kept}?partNumber=2` },
    416,
    'InvalidPartNumber',
    { PartNumberRequested: '2', ActualPartCount: '1' },
  ],
  [
    { target: `${kept}?partNumber=0` },
    400,
    'InvalidArgument',
    { ArgumentName: 'partNumber', ArgumentValue: '0' },
  ],
  [
    { target: '/fortress?list-type=2&max-keys=x' },
    400,
    'InvalidArgument',
    { ArgumentName: 'max-keys', ArgumentValue: 'x' },
  ],
  [
    { target: '/fortress?encoding-type=x' },
    400,
    'InvalidArgument',
    { ArgumentName: 'encoding-type', ArgumentValue: 'x' },
  ],
  [{ target: kept, headers: { 'If-Match': '"x"' } }, 412, 'PreconditionFailed', { Condition: 'If-Match' }],
  [
    { method: 'PUT', target: kept, headers: { 'If-None-Match': '*' }, body: 'x' },
    412,
    'PreconditionFailed',
    { Condition: 'If-None-Match' },
  ],
  [
    { method: 'PUT', target: '/fortress/none', headers: { 'If-Match': '"x"' }, body: 'x' },
    404,
    'NoSuchKey',
    { Key: 'none' },
  ],
  [
    { method: 'PUT', target: kept, headers: { 'If-None-Match': '"x"' }, body: 'x' },
    501,
    'NotImplemented',
    { Header: 'If-None-Match', additionalMessage: /^We don't accept/ },
  ],
  [{ method: 'POST', target: kept }, 405, 'MethodNotAllowed', { Method: 'POST', ResourceType: 'OBJECT' }],
  [{ method: 'PUT', target: '/Fortress' }, 400, 'InvalidBucketName', { BucketName: 'Fortress' }],
  [{ method: 'DELETE', target: '/fortress' }, 409, 'BucketNotEmpty', { BucketName: 'fortress' }],
  [
    { method: 'PUT', target: `/fortress/${'k'.repeat(1025)}`, body: 'x' },
    400,
    'KeyTooLongError',
    { Size: '1025', MaxSizeAllowed: '1024' },
  ],
  [
    { method: 'PUT', target: kept, headers: { 'x-amz-meta-a': 'v'.repeat(2048) }, body: 'x' },
    400,
    'MetadataTooLarge',
    { Size: '2049', MaxSizeAllowed: '2048' },
  ],
  [
    { method: 'PUT', target: kept, headers: { 'x-amz-storage-class': 'FAST' }, body: 'x' },
    400,
    'InvalidStorageClass',
    { StorageClassRequested: 'FAST' },
  ],
  [
    { method: 'PUT', target: kept, headers: { 'Content-MD5': 'x' }, body: 'x' },
    400,
    'InvalidDigest',
    { 'Content-MD5': 'x' },
  ],
  [
    { method: 'PUT', target: kept, headers: md5, body: 'x' },
    400,
    'BadDigest',
    { ExpectedDigest: '0'.repeat(32), CalculatedDigest: 'ndTkYSaMgDT1yFZOFVxnpg==' },
  ],
  [
    { method: 'PUT', target: kept, payload: '0'.repeat(64), body: 'x' },
    400,
    'XAmzContentSHA256Mismatch',
    { ClientComputedContentSHA256: '0'.repeat(64), S3ComputedContentSHA256: /^[0-9a-f]{64}$/ },
  ],
  [
    {
      method: 'PUT',
      target: `${kept}?tagging=`,
      body: xml('Tagging', xml('TagSet', '<Tag><Key>a,b</Key><Value/></Tag>')),
    },
    400,
    'InvalidTag',
    { TagKey: 'a,b' },
  ],
  [
    { method: 'PUT', target: kept, headers: { 'x-amz-tagging': 'a&a' }, body: 'x' },
    400,
    'InvalidArgument',
    { ArgumentName: 'x-amz-tagging', ArgumentValue: 'a&a' },
  ],
  [
    { method: 'PUT', target: '/fortress/c', headers: { 'x-amz-copy-source': 'x' } },
    400,
    'InvalidArgument',
    { ArgumentName: 'x-amz-copy-source', ArgumentValue: 'x-amz-copy-source' },
  ],
  [
    { method: 'PUT', target: '/fortress/c', headers: { 'x-amz-copy-source': '/fortress/none' } },
    404,
    'NoSuchKey',
    { Key: 'none' },
  ],
  [
    {
      method: 'PUT',
      target: '/placed',
      body: xml('CreateBucketConfiguration', xml('LocationConstraint', 'x')),
    },
    400,
    'InvalidLocationConstraint',
    { LocationConstraint: 'x' },
  ],
  [
    { method: 'PUT', target: kept, headers: { 'x-amz-server-side-encryption': 'AES256' }, body: 'x' },
    501,
    'NotImplemented',
    { Header: 'x-amz-server-side-encryption' },
  ],
  [
    { target: kept, credentials: { accessKeyId: 'NOBODY', secretAccessKey: 'x' } },
    403,
    'InvalidAccessKeyId',
    { AWSAccessKeyId: 'NOBODY' },
  ],
  [
    { target: kept, credentials: { accessKeyId: 'CONFORMANCEROOT', secretAccessKey: 'a guess' } },
    403,
    'SignatureDoesNotMatch',
    {
      AWSAccessKeyId: 'CONFORMANCEROOT',
      StringToSign: /^AWS4-HMAC-SHA256\n/,
      SignatureProvided: /^[0-9a-f]{64}$/,
      StringToSignBytes: /^41 57 53 34 /,
      CanonicalRequest: /^GET\n\/fortress\/kept\n/,
      CanonicalRequestBytes: /^47 45 54 0a /,
    },
  ],
];

/** The elements inside `Error`, in order, their references resolved. */
function fieldsOf(body: string): Map<string, string> {
  const inside = /<Error>(.*)<\/Error>$/s.exec(body)?.[1] ?? '';
  const text = (raw: string) =>
    raw
      .replace(/&#x([0-9a-f]+);/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)))
      .replaceAll('&quot;', '"')
      .replaceAll('&amp;', '&');
  return new Map(
    [...inside.matchAll(/<([\w-]+)>([^<]*)<\/\1>/g)].map(([, name = '', raw = '']) => [name, text(raw)]),
  );
}

describe('an error', () => {
  test.each(rows)('to %j is %i %s and tells %j', async (parts, status, code, expected) => {
    const answer = await scene.client.send(parts);
    const { Code, Message, Resource, RequestId, HostId, ...fields } = Object.fromEntries(
      fieldsOf(answer.body),
    );
    expect([answer.status, Code]).toEqual([status, code]);
    expect(Object.keys(fields).toSorted()).toEqual(Object.keys(expected).toSorted());
    for (const [name, value] of Object.entries(expected)) {
      if (typeof value === 'string') expect([name, fields[name]]).toEqual([name, value]);
      else expect(fields[name]).toMatch(value);
    }
    expect(Message).not.toBe('');
    expect(Resource).toBe(parts.target.split('?')[0]);
    expect(RequestId).toMatch(/^[0-9A-F]{16}$/);
    expect(HostId).not.toBe('');
    expect([answer.headers.get('x-amz-request-id'), answer.headers.get('x-amz-id-2')]).toEqual([
      RequestId,
      HostId,
    ]);
  });

  test('of an upload tells the part', async () => {
    const target = `/fortress/up?uploadId=${uploadId}`;
    const part = '<Part><PartNumber>7</PartNumber><ETag>"abc"</ETag></Part>';
    const answer = await scene.client.send({
      method: 'POST',
      target,
      body: xml('CompleteMultipartUpload', part),
    });
    const fields = fieldsOf(answer.body);
    expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidPart']);
    expect([fields.get('UploadId'), fields.get('PartNumber'), fields.get('ETag')]).toEqual([
      uploadId,
      '7',
      'abc',
    ]);
    expect((await scene.client.send({ method: 'DELETE', target })).status).toBe(204);
    expect((await scene.client.send({ method: 'DELETE', target })).status).toBe(404);
  });
});
