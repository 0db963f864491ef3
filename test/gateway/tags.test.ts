import {
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectTaggingCommand,
  GetBucketTaggingCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutBucketTaggingCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { mountOf } from './mount-of.ts';

const Bucket = 'tagged';
const TagSet = [{ Key: 'a', Value: '1' }];

describe('tags over the wire', () => {
  let gateway: GatewayUnderTest;

  beforeAll(async () => {
    const other = new MemoryBackend(systemClock, systemRandom);
    const without = new MemoryBackend(systemClock, systemRandom, { tagging: false });
    gateway = await startGateway(new MemoryBackend(systemClock, systemRandom), [
      { mount: mountOf(Bucket, 'other/'), backend: other },
      { mount: mountOf(Bucket, 'without/'), backend: without },
    ]);
    await gateway.client.send(new CreateBucketCommand({ Bucket }));
  });
  afterAll(() => gateway.close());

  const put = (Key: string, Tagging?: string) =>
    gateway.client.send(new PutObjectCommand({ Bucket, Key, Body: 'body', Tagging }));
  const putTags = (Key: string) =>
    gateway.client.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet } }));
  const tagsOf = async (Key: string) =>
    (await gateway.client.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet;
  const copy = (from: string, Key: string) =>
    gateway.client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/${from}` }));
  const head = (Key: string) => gateway.client.send(new HeadObjectCommand({ Bucket, Key }));

  test('a change of tags shows to the next reader, who finds the same version and its pages', async () => {
    await put('k', 'x=1&y=2');
    const before = await head('k');
    expect(before.TagCount).toBe(2);
    await (await gateway.client.send(new GetObjectCommand({ Bucket, Key: 'k' }))).Body?.transformToString();
    const read = await gateway.metrics.backendBytes.get();
    await putTags('k');
    const after = await gateway.client.send(new GetObjectCommand({ Bucket, Key: 'k' }));
    await after.Body?.transformToString();
    expect([after.TagCount, after.ETag, after.LastModified]).toEqual([1, before.ETag, before.LastModified]);
    expect(await gateway.metrics.backendBytes.get()).toEqual(read);
    expect(await tagsOf('k')).toEqual(TagSet);
    await gateway.client.send(new DeleteObjectTaggingCommand({ Bucket, Key: 'k' }));
    expect((await head('k')).TagCount).toBeUndefined();
  });

  test('a copy into other storage takes the tags along', async () => {
    await put('source', 'x=1');
    await copy('source', 'other/copy');
    expect(await tagsOf('other/copy')).toEqual([{ Key: 'x', Value: '1' }]);
  });

  test('storage that keeps no tags is given none', async () => {
    const refused = { name: 'NotImplemented' };
    await put('source', 'x=1');
    await put('without/plain');
    await expect(put('without/k', 'x=1')).rejects.toMatchObject(refused);
    await expect(copy('source', 'without/k')).rejects.toMatchObject(refused);
    await expect(putTags('without/plain')).rejects.toMatchObject(refused);
    await expect(tagsOf('without/plain')).rejects.toMatchObject(refused);
    const begin = new CreateMultipartUploadCommand({ Bucket, Key: 'without/k', Tagging: 'x=1' });
    await expect(gateway.client.send(begin)).rejects.toMatchObject(refused);
    await expect(head('without/k')).rejects.toMatchObject({ name: 'NotFound' });
  });

  test('a bucket has tags of its own', async () => {
    const tags = () => gateway.client.send(new GetBucketTaggingCommand({ Bucket }));
    await expect(tags()).rejects.toMatchObject({ name: 'NoSuchTagSet', BucketName: Bucket });
    await gateway.client.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
    expect((await tags()).TagSet).toEqual(TagSet);
    await expect(tagsOf('none')).rejects.toMatchObject({ name: 'NoSuchKey', Key: 'none' });
  });
});
