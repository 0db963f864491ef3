import { describe, expect, test } from '@jest/globals';
import { MountError } from '../../src/mounts/mount-error.ts';
import {
  formatFreshness,
  type MountRequest,
  parseFreshness,
  parseMountRequest,
} from '../../src/mounts/mount-spec.ts';

const parse = (request: Partial<MountRequest>) =>
  parseMountRequest({ target: 'bucket', uri: 'file:///srv/data', ...request });
const fault = (request: Partial<MountRequest>) => {
  try {
    parse(request);
  } catch (error) {
    if (error instanceof MountError && error.kind === 'invalid') return error.message;
    throw error;
  }
  return 'no fault';
};

describe('a mount as an operator writes it', () => {
  test.each([
    ['bucket', 'bucket', ''],
    ['bucket/', 'bucket', ''],
    ['bucket/a', 'bucket', 'a/'],
    ['bucket/a/b/', 'bucket', 'a/b/'],
    ['bucket/ä b', 'bucket', 'ä b/'],
  ])('target %s', (target, bucket, prefix) => {
    expect(parse({ target })).toMatchObject({ bucket, prefix });
  });

  test.each([
    ['file:///srv/data', 'file:///srv/data', '/srv/data'],
    ['file:///srv/data//', 'file:///srv/data', '/srv/data'],
    ['file:///srv/a/../data', 'file:///srv/data', '/srv/data'],
    ['FILE:///srv/100%25 here', 'file:///srv/100%25%20here', '/srv/100% here'],
    ['file://localhost/srv', 'file:///srv', '/srv'],
    ['file:///', 'file:///', '/'],
    ['s3://bucket', 's3://bucket/', undefined],
    ['s3://bucket/pre/fix', 's3://bucket/pre/fix/', undefined],
  ])('URI %s is %s', (uri, text, path) => {
    expect(parse({ uri })).toMatchObject({ uri: text, path });
  });

  test.each([
    [{ target: 'Bucket' }, 'is no bucket name'],
    [{ target: '' }, 'is no bucket name'],
    [{ target: 'b/c' }, 'is no bucket name'],
    [{ target: 'bucket//a' }, 'has an empty part'],
    [{ target: 'bucket/a/../b' }, 'has an empty part, . or ..'],
    [{ target: 'bucket/a\u0000' }, 'cannot be printed'],
    [{ target: `bucket/${'x'.repeat(900)}` }, 'longer than 900 bytes'],
    [{ uri: '/srv/data' }, 'is of no known kind: write file:///srv/data, s3://'],
    [{ uri: 'ftp://host/x' }, 'is of no known kind'],
    [{ uri: 'azure://there/x' }, 'is of no known kind'],
    [{ uri: 'hdfs:///x' }, 'names no NameNode'],
    [{ uri: 'hdfs://n/x', region: 'x' }, '--region means nothing for a hdfs:// mount'],
    [{ uri: 'hdfs://n/x', anonymous: true }, '--anonymous means nothing for a hdfs:// mount'],
    [{ uri: 'hdfs://n/x', user: 'a b' }, 'no name of a user'],
    [{ uri: 'hdfs://n/x', user: 'ada', credentials: 'token' }, 'exclude each other'],
    [{ uri: 'hdfs://n/x', endpoint: 'http://a:1,b:2' }, 'the endpoint must be http'],
    [{ uri: 's3://b', endpoint: 'http://a:1,http://b:2' }, 'the endpoint must be http'],
    [{ uri: 's3://b', user: 'ada' }, '--user means nothing for a s3:// mount'],
    [{ uri: 'constructor://x/y' }, 'is of no known kind'],
    [{ uri: 'file://srv/data' }, 'three slashes'],
    [{ uri: 'file:///srv/%zz' }, 'write %25'],
    [{ uri: 'file:///srv/a?b' }, 'holds ? or #'],
    [{ uri: 's3:///x' }, 'names no bucket'],
    [{ uri: 's3://AKIA:secret@bucket/x' }, 'holds credentials'],
    [{ uri: 'file:///srv', region: 'x' }, '--region means nothing for a file:// mount'],
    [{ uri: 'gs:///x' }, 'names no bucket'],
    [{ uri: 'gs://b', region: 'x' }, '--region means nothing for a gs:// mount'],
    [
      { uri: 'gs://b', accessKeyId: 'x', secretAccessKey: 'y' },
      '--access-key-id means nothing for a gs:// mount',
    ],
    [{ uri: 's3://b', credentials: '{}' }, 'a credentials file means nothing for a s3:// mount'],
    [{ uri: 'file:///srv', anonymous: true }, '--anonymous means nothing for a file:// mount'],
    [{ uri: 'gs://b', credentials: '{}', anonymous: true }, 'exclude each other'],
    [{ uri: 's3://b', accessKeyId: 'x' }, 'given together'],
    [{ uri: 's3://b', endpoint: 'host:1' }, 'the endpoint must be http'],
    [{ uri: 's3://b', endpoint: 'http://h/path' }, 'the endpoint must be http'],
    [{ maxRequests: '0' }, 'from 1 to 10000'],
    [{ maxRequests: 'many' }, 'from 1 to 10000'],
    [{ maxBytesPerSecond: '10KiB' }, 'at least 64KiB'],
    [{ maxBytesPerSecond: 'fast' }, 'at least 64KiB'],
    [{ writeMode: 'sideways' }, 'through, back or around'],
    [{ freshness: 'lease' }, 'lease:30s'],
    [{ freshness: 'lease:30' }, 'lease:30s'],
    [{ freshness: 'lease:0s' }, 'lease:30s'],
    [{ freshness: 'lease:400d' }, 'lease:30s'],
    [{ target: 'bucket/a', owner: 'ada' }, 'for a whole bucket only'],
  ])('%j is refused', (request, message) => {
    expect(fault(request)).toContain(message);
  });

  test('a password in a URI is not repeated', () => {
    expect(fault({ uri: 's3://AKIA:s3cret@bucket/x' })).not.toContain('s3cret');
  });

  test.each(['always', 'immutable', 'lease:30s', 'lease:1500ms', 'lease:2h'])('freshness %s', (text) => {
    expect(formatFreshness(parseFreshness(text))).toBe(text);
  });
});

test('the bucket goes into the path where an endpoint is given, unless it is said otherwise', () => {
  const uri = 's3://under/';
  const endpoint = 'http://minio:9000';
  expect(parse({ uri }).pathStyle).toBe(false);
  expect(parse({ uri, pathStyle: true }).pathStyle).toBe(true);
  expect(parse({ uri, endpoint }).pathStyle).toBe(true);
  expect(parse({ uri, endpoint, pathStyle: false }).pathStyle).toBe(false);
});
