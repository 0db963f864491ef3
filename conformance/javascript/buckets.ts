import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3';

/** Buckets that are there already, since a mount cannot be made by a client. Empty: tests make their own. */
const given = (process.env.S3_BUCKETS ?? '').split(' ').filter((name) => name !== '');
let count = 0;

/** An empty bucket. */
export async function takeBucket(client: S3Client): Promise<string> {
  if (given.length > 0) return given[count++ % given.length] as string;
  const Bucket = `javascript-${process.pid}-${count++}`;
  await client.send(new CreateBucketCommand({ Bucket }));
  return Bucket;
}

export async function giveBack(client: S3Client, Bucket: string): Promise<void> {
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket })) {
    for (const { Key } of Contents) await client.send(new DeleteObjectCommand({ Bucket, Key }));
  }
  if (given.length === 0) await client.send(new DeleteBucketCommand({ Bucket }));
}
