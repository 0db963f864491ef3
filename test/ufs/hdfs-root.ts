import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { describe, expect, test } from '@jest/globals';
import { startNode } from '../../src/cli/node.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { silentLog } from '../../src/common/log.ts';
import type { HdfsCluster } from '../support/hdfs-cluster.ts';
import { someBytes } from '../support/upload-body.ts';
import { clientOf } from './hdfs-under-test.ts';

const root = { accessKeyId: 'AKIDROOTOFTHENODE', secretAccessKey: 'secret-of-the-node' };
const quiet = { log: silentLog(), lines: { write: () => {} }, droppedLines: () => 0 };
const Bucket = 'made-over-s3';

/** A node whose buckets lie in a directory of HDFS. */
export function hdfsRoot(cluster: () => HdfsCluster): void {
  /** What is done through a node that was started over that directory; each has pages and a coordination store of its own. */
  const through = async (directory: string, work: (client: S3Client) => Promise<void>) => {
    const folder = await mkdtemp(join(tmpdir(), 'forebay-hdfs-root-'));
    const environment = {
      FOREBAY_DATA: folder,
      FOREBAY_S3_PORT: '0',
      FOREBAY_ADMIN_PORT: '0',
      FOREBAY_ROOT_MOUNT: `hdfs://127.0.0.1${directory}/`,
      FOREBAY_ROOT_MOUNT_ENDPOINT: cluster().endpoint,
      FOREBAY_ROOT_MOUNT_USER: cluster().user,
    };
    const { settings } = resolveSettings({ flags: new Map(), environment });
    const node = await startNode(settings, { root, encryptionKey: Buffer.alloc(32, 7) }, quiet);
    const client = new S3Client({
      endpoint: node.s3Url,
      region: 'us-east-1',
      credentials: root,
      forcePathStyle: true,
      maxAttempts: 1,
    });
    try {
      await work(client);
    } finally {
      client.destroy();
      await node.close();
      await rm(folder, { recursive: true });
    }
  };
  const inDirectory = async (work: (directory: string) => Promise<void>) => {
    const client = clientOf(cluster().endpoint, cluster().user);
    const directory = `/root-${process.pid}`;
    await client.makeDirectory(directory);
    try {
      await work(directory);
    } finally {
      await client.remove(directory, { recursive: true });
      client.connection.close();
    }
  };

  describe('a root mount in HDFS', () => {
    test('holds objects that a node without a store finds again, once an admin has made the bucket anew', () =>
      inDirectory(async (directory) => {
        const small = someBytes(70_000, 1);
        const parts = [someBytes(5 * 1024 * 1024, 2), someBytes(1_000, 3)];
        await through(directory, async (client) => {
          await client.send(new CreateBucketCommand({ Bucket }));
          const Metadata = { colour: 'blue' };
          await client.send(new PutObjectCommand({ Bucket, Key: 'dir/small', Body: small, Metadata }));
          await client.send(
            new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/dir/small` }),
          );
          await putInParts(client, 'parts', parts);
          expect(await bytesOf(client, 'dir/small')).toEqual(small);
        });
        await through(directory, async (client) => {
          await client.send(new CreateBucketCommand({ Bucket }));
          const list = await client.send(new ListObjectsV2Command({ Bucket, Delimiter: '/' }));
          expect(list.Contents?.map(({ Key, Size }) => [Key, Size])).toEqual([
            ['copy', 70_000],
            ['parts', 5 * 1024 * 1024 + 1_000],
          ]);
          expect(list.CommonPrefixes).toEqual([{ Prefix: 'dir/' }]);
          const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'dir/small' }));
          expect(head.ETag).toBe(`"${createHash('md5').update(small).digest('hex')}"`);
          expect(head.Metadata).toEqual({ colour: 'blue' });
          expect(await bytesOf(client, 'copy')).toEqual(small);
          expect(await bytesOf(client, 'parts')).toEqual(Buffer.concat(parts));
          expect(await bytesOf(client, 'parts', 'bytes=5242870-5242889')).toEqual(
            Buffer.concat(parts).subarray(5_242_870, 5_242_890),
          );
        });
      }));

    test('refuses what S3 refuses, and lets a bucket go when it is empty', () =>
      inDirectory((directory) =>
        through(directory, async (client) => {
          await client.send(new CreateBucketCommand({ Bucket }));
          await client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'one' }));
          const again = client.send(
            new PutObjectCommand({ Bucket, Key: 'k', Body: 'two', IfNoneMatch: '*' }),
          );
          await expect(again).rejects.toMatchObject({ name: 'PreconditionFailed' });
          const away = client.send(new DeleteBucketCommand({ Bucket }));
          await expect(away).rejects.toMatchObject({ name: 'BucketNotEmpty' });
          await client.send(new DeleteObjectCommand({ Bucket, Key: 'k' }));
          await expect(bytesOf(client, 'k')).rejects.toMatchObject({ name: 'NoSuchKey' });
          await client.send(new DeleteBucketCommand({ Bucket }));
          await expect(bytesOf(client, 'k')).rejects.toMatchObject({ name: 'NoSuchBucket' });
        }),
      ));
  });
}

async function putInParts(client: S3Client, Key: string, bodies: readonly Buffer[]): Promise<void> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const Parts = await Promise.all(
    bodies.map(async (Body, i) => {
      const part = { Bucket, Key, UploadId, PartNumber: i + 1, Body };
      const { ETag } = await client.send(new UploadPartCommand(part));
      return { ETag, PartNumber: i + 1 };
    }),
  );
  await client.send(
    new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
  );
}

async function bytesOf(client: S3Client, Key: string, Range?: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key, Range }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}
