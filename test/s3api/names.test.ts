import { describe, expect, test } from '@jest/globals';
import { isBucketName, parseBucketName, parseObjectKey } from '../../src/s3api/names.ts';

describe('bucket names', () => {
  // S3 User Guide, "General purpose bucket naming rules": its own examples of good and bad names come first.
  const valid = [
    'amzn-s3-demo1-bucket-a1b2c3d4-5678-90ab-cdef-example1',
    'example.com',
    'www.example.com',
    'my.example.s3.bucket',
    'abc',
    '123',
    '1.2.3.4.5',
    '1.2.3.x',
    'a--b',
    `a${'b'.repeat(61)}c`,
  ];
  test.each(valid)('%s is one', (name) => {
    expect(isBucketName(name)).toBe(true);
  });

  const invalid = [
    'amzn_s3_demo_bucket',
    'AmznS3DemoBucket',
    'amzn-s3-demo-bucket-',
    'example..com',
    '192.168.5.4',
    'xn--bucket',
    'sthree-bucket',
    'bucket-s3alias',
    'bucket--ol-s3',
    'bucket.mrap',
    'bucket--usw2-az1--x-s3',
    'bucket--table-s3',
    '',
    'ab',
    '-ab',
    'ab-',
    '.ab',
    'ab.',
    'a.-b',
    'a-.b',
    'a b',
    'a/b',
    'bücket',
    'abc\n',
    `a${'b'.repeat(62)}c`,
  ];
  test.each(invalid)('%j is none', (name) => {
    expect(isBucketName(name)).toBe(false);
    expect(() => parseBucketName(name)).toThrow(expect.objectContaining({ code: 'InvalidBucketName' }));
  });
});

describe('keys', () => {
  test.each(['k', 'x'.repeat(1024), 'é'.repeat(512), '😀'.repeat(256), '../up', '\u0000'])(
    '%j is one',
    (key) => {
      expect(parseObjectKey(key)).toBe(key);
    },
  );

  test.each(['x'.repeat(1025), 'é'.repeat(513), '😀'.repeat(257)])('%j is too long', (key) => {
    expect(() => parseObjectKey(key)).toThrow(expect.objectContaining({ code: 'KeyTooLongError' }));
  });
});
