import { randomBytes, randomUUID } from 'node:crypto';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { mountOf } from './mount-of.ts';

const megabyte = 1024 * 1024;

describe('a gateway over a root mount', () => {
  let gateway: GatewayUnderTest;
  const Bucket = 'things';

  beforeAll(async () => {
    gateway = await startGateway(new MemoryBackend(systemClock, systemRandom));
    await gateway.client.send(new CreateBucketCommand({ Bucket }));
  });
  afterAll(() => gateway.close());

  const put = (Key: string, Body: string | Buffer, more = {}) =>
    gateway.client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
  const get = async (Key: string, more = {}) => {
    const answer = await gateway.client.send(new GetObjectCommand({ Bucket, Key, ...more }));
    return { ...answer, bytes: Buffer.from((await answer.Body?.transformToByteArray()) ?? []) };
  };

  test('gives back what was put, from the backend once and from its pages after', async () => {
    const body = randomBytes(10 * megabyte + 17);
    await put('large', body);
    expect((await get('large')).bytes.equals(body)).toBe(true);
    const before = await gateway.metrics.backendBytes.get();
    expect((await get('large')).bytes.equals(body)).toBe(true);
    expect(await gateway.metrics.backendBytes.get()).toEqual(before);
  });

  test('shows an overwrite to the next reader', async () => {
    await put('changing', 'one');
    expect((await get('changing')).bytes.toString()).toBe('one');
    await put('changing', 'two, longer');
    expect((await get('changing')).bytes.toString()).toBe('two, longer');
    await gateway.client.send(new DeleteObjectCommand({ Bucket, Key: 'changing' }));
    await expect(get('changing')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('answers a range with just its bytes', async () => {
    await put('ranged', '0123456789');
    const answer = await get('ranged', { Range: 'bytes=2-4' });
    expect(answer.bytes.toString()).toBe('234');
    expect(answer.ContentRange).toBe('bytes 2-4/10');
    await expect(get('ranged', { Range: 'bytes=10-' })).rejects.toMatchObject({ name: 'InvalidRange' });
  });

  test('lets exactly one of many writers create a key', async () => {
    const attempts = Array.from({ length: 20 }, () => put('once', randomUUID(), { IfNoneMatch: '*' }));
    const outcomes = await Promise.allSettled(attempts);
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
  });

  test('copies with the source’s metadata or with new ones', async () => {
    await put('source', 'content', { Metadata: { colour: 'blue', empty: '' }, ContentType: 'text/x-test' });
    await gateway.client.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/source` }));
    const head = await gateway.client.send(new HeadObjectCommand({ Bucket, Key: 'copy' }));
    expect(head.Metadata).toEqual({ colour: 'blue', empty: '' });
    expect(head.ContentType).toBe('text/x-test');
  });

  test('makes an object of parts, one of them copied', async () => {
    const part = randomBytes(5 * megabyte);
    await put('part source', part);
    const { UploadId } = await gateway.client.send(
      new CreateMultipartUploadCommand({ Bucket, Key: 'joined' }),
    );
    const shown = await gateway.client.send(new ListMultipartUploadsCommand({ Bucket }));
    expect(shown.Uploads?.map((upload) => upload.Key)).toEqual(['joined']);
    const first = await gateway.client.send(
      new UploadPartCopyCommand({
        Bucket,
        Key: 'joined',
        UploadId,
        PartNumber: 1,
        CopySource: `${Bucket}/part source`,
      }),
    );
    const second = await gateway.client.send(
      new UploadPartCommand({ Bucket, Key: 'joined', UploadId, PartNumber: 2, Body: 'tail' }),
    );
    const Parts = [
      { PartNumber: 1, ETag: first.CopyPartResult?.ETag },
      { PartNumber: 2, ETag: second.ETag },
    ];
    const complete = () =>
      gateway.client.send(
        new CompleteMultipartUploadCommand({ Bucket, Key: 'joined', UploadId, MultipartUpload: { Parts } }),
      );
    const made = await complete();
    expect(made.ETag).toMatch(/^"[0-9a-f]{32}-2"$/);
    expect((await complete()).ETag).toBe(made.ETag);
    expect((await get('joined')).bytes.equals(Buffer.concat([part, Buffer.from('tail')]))).toBe(true);
  });

  test('deletes a bucket only when it is empty', async () => {
    await gateway.client.send(new CreateBucketCommand({ Bucket: 'passing' }));
    await gateway.client.send(new PutObjectCommand({ Bucket: 'passing', Key: 'k', Body: 'v' }));
    await expect(gateway.client.send(new DeleteBucketCommand({ Bucket: 'passing' }))).rejects.toMatchObject({
      name: 'BucketNotEmpty',
    });
    await gateway.client.send(new DeleteObjectCommand({ Bucket: 'passing', Key: 'k' }));
    await gateway.client.send(new DeleteBucketCommand({ Bucket: 'passing' }));
    const { Buckets = [] } = await gateway.client.send(new ListBucketsCommand({}));
    expect(Buckets.map((bucket) => bucket.Name)).not.toContain('passing');
  });
});

describe('a bucket with nested mounts', () => {
  let gateway: GatewayUnderTest;
  const Bucket = 'nested';

  beforeAll(async () => {
    const mounts = [
      { mount: mountOf(Bucket, 'data/'), backend: new MemoryBackend(systemClock, systemRandom) },
      { mount: mountOf(Bucket, 'data/deep/er/'), backend: new MemoryBackend(systemClock, systemRandom) },
    ];
    gateway = await startGateway(new MemoryBackend(systemClock, systemRandom), mounts);
    await gateway.buckets.create({ name: Bucket, owner: 'root', kind: 'root' });
    for (const Key of ['a', 'data/x', 'data/deep/y', 'data/deep/er/z', 'data/deep/er/zz', 'z']) {
      await gateway.client.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
    }
  });
  afterAll(() => gateway.close());

  async function list(input: { Prefix?: string; Delimiter?: string; MaxKeys?: number }): Promise<string[]> {
    const found: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await gateway.client.send(
        new ListObjectsV2Command({ Bucket, ...input, ContinuationToken }),
      );
      for (const item of page.Contents ?? []) found.push(item.Key ?? '');
      for (const item of page.CommonPrefixes ?? []) found.push(item.Prefix ?? '');
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken);
    return found.sort();
  }

  test.each([1, 2, 1000])('lists across them in pages of %i', async (MaxKeys) => {
    const all = ['a', 'data/deep/er/z', 'data/deep/er/zz', 'data/deep/y', 'data/x', 'z'];
    expect(await list({ MaxKeys })).toEqual(all);
    expect(await list({ MaxKeys, Delimiter: '/' })).toEqual(['a', 'data/', 'z']);
    expect(await list({ MaxKeys, Prefix: 'data/', Delimiter: '/' })).toEqual(['data/deep/', 'data/x']);
    expect(await list({ MaxKeys, Prefix: 'data/deep/e' })).toEqual(['data/deep/er/z', 'data/deep/er/zz']);
    expect(await list({ MaxKeys, Delimiter: 'r/z' })).toEqual([
      'a',
      'data/deep/er/z',
      'data/deep/y',
      'data/x',
      'z',
    ]);
  });
});
