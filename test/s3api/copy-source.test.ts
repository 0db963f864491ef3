import { describe, expect, test } from '@jest/globals';
import { checkCopySize, parseCopySource } from '../../src/s3api/copy-source.ts';

describe('x-amz-copy-source', () => {
  // S3 API Reference, CopyObject: with and without a leading slash, percent-encoded, with a version.
  test.each([
    ['awsexamplebucket/reports/january.pdf', 'reports/january.pdf'],
    ['/awsexamplebucket/reports/january.pdf', 'reports/january.pdf'],
    ['awsexamplebucket%2Freports%2Fjanuary.pdf', 'reports/january.pdf'],
    ['%2Fawsexamplebucket%2Freports%2Fjanuary.pdf', 'reports/january.pdf'],
    ['awsexamplebucket/a%20b+c%3FversionId=1', 'a b+c?versionId=1'],
    ['awsexamplebucket/what?', 'what?'],
    ['awsexamplebucket//x', '/x'],
    ['awsexamplebucket/%C3%A9', 'é'],
    ['awsexamplebucket/\u00c3\u00a9', 'é'],
  ])('%s is the key %j', (value, key) => {
    expect(parseCopySource({ 'x-amz-copy-source': value })).toEqual({ bucket: 'awsexamplebucket', key });
  });

  test.each(['null', 'QUpfdndhfd8438MNFDN93jdnJFkdmqnh893'])(
    'a version is named behind the key: %s',
    (id) => {
      const value = `awsexamplebucket/reports/january.pdf?versionId=${id}`;
      expect(parseCopySource({ 'x-amz-copy-source': value })).toMatchObject({
        key: 'reports/january.pdf',
        versionId: id,
      });
    },
  );

  test.each([
    ['', 'InvalidArgument'],
    ['/', 'InvalidArgument'],
    ['awsexamplebucket', 'InvalidArgument'],
    ['awsexamplebucket/', 'InvalidArgument'],
    ['//key', 'InvalidArgument'],
    ['awsexamplebucket/%zz', 'InvalidArgument'],
    ['awsexamplebucket/%FF', 'InvalidArgument'],
    ['Bad_Bucket/key', 'InvalidBucketName'],
    [`awsexamplebucket/${'k'.repeat(1025)}`, 'KeyTooLongError'],
    ['awsexamplebucket/key?versionId=', 'InvalidArgument'],
    [
      'arn:aws:s3:us-west-2:123456789012:accesspoint/my-access-point/object/reports/january.pdf',
      'NotImplemented',
    ],
  ])('%.60s is %s', (value, code) => {
    expect(() => parseCopySource({ 'x-amz-copy-source': value })).toThrow(expect.objectContaining({ code }));
  });

  test.each([
    ['', 'Invalid copy source bucket name'],
    ['//key', 'Invalid copy source bucket name'],
    ['awsexamplebucket', 'Invalid copy source object key'],
    ['awsexamplebucket/', 'Invalid copy source object key'],
  ])('%j is told what it lacks', (value, message) => {
    expect(() => parseCopySource({ 'x-amz-copy-source': value })).toThrow(message);
  });

  test('five gibibytes can be copied at once, and not a byte more', () => {
    expect(() => checkCopySize(5 * 1024 ** 3)).not.toThrow();
    expect(() => checkCopySize(5 * 1024 ** 3 + 1)).toThrow(
      expect.objectContaining({ code: 'InvalidRequest' }),
    );
  });
});
