import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { bytesOf, type Dataset, keyOf } from './cases.ts';
import { credentials } from './servers.ts';

const partBytes = 64 * 1024 * 1024;
const putsAtOnce = 8;

export interface S3Place {
  readonly host: string;
  readonly port: number;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export function s3Of({ host, port, accessKeyId, secretAccessKey }: S3Place): S3Client {
  return new S3Client({
    endpoint: `http://${host}:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  });
}

/** An own server of this run. */
export function ownPlace(port: number): S3Place {
  return { host: '127.0.0.1', port, ...credentials };
}

/** Makes the bucket and puts the objects there. */
export async function storeAt(place: S3Place, dataset: Dataset, withObjects: boolean): Promise<void> {
  const client = s3Of(place);
  try {
    await client.send(new CreateBucketCommand({ Bucket: dataset.bucket }));
    if (!withObjects) return;
    let next = 0;
    const putOn = async () => {
      while (next < dataset.keys) await putObject(client, dataset, next++);
    };
    await Promise.all(Array.from({ length: putsAtOnce }, putOn));
  } finally {
    client.destroy();
  }
}

async function putObject(client: S3Client, { bucket, sizeBytes }: Dataset, index: number): Promise<void> {
  const at = { Bucket: bucket, Key: keyOf(index) };
  if (sizeBytes <= partBytes) {
    await client.send(new PutObjectCommand({ ...at, Body: bytesOf(index, 0, sizeBytes) }));
    return;
  }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(at));
  const Parts: { ETag?: string; PartNumber: number }[] = [];
  try {
    for (let start = 0; start < sizeBytes; start += partBytes) {
      const PartNumber = Parts.length + 1;
      const Body = bytesOf(index, start, Math.min(sizeBytes, start + partBytes));
      const { ETag } = await client.send(new UploadPartCommand({ ...at, UploadId, PartNumber, Body }));
      Parts.push({ ETag, PartNumber });
    }
    await client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }));
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand({ ...at, UploadId }));
    throw error;
  }
}

/** The objects as files, under the paths that they have as objects. */
export async function storeAsFiles(root: string, { bucket, sizeBytes, keys }: Dataset): Promise<void> {
  const folder = join(root, bucket);
  await mkdir(folder, { recursive: true });
  for (let index = 0; index < keys; index++) {
    const path = join(folder, keyOf(index));
    if (sizeBytes <= partBytes) {
      await writeFile(path, bytesOf(index, 0, sizeBytes));
      continue;
    }
    const file = await open(path, 'w');
    for (let start = 0; start < sizeBytes; start += partBytes) {
      await file.write(bytesOf(index, start, Math.min(sizeBytes, start + partBytes)));
    }
    await file.close();
  }
}

/** Takes the bucket and all that is in it away again. */
export async function removeFrom(place: S3Place, { bucket }: Dataset): Promise<void> {
  const client = s3Of(place);
  try {
    for (;;) {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
      if (Contents.length === 0) break;
      await Promise.all(
        Contents.map(({ Key }) => client.send(new DeleteObjectCommand({ Bucket: bucket, Key }))),
      );
    }
    await client.send(new DeleteBucketCommand({ Bucket: bucket }));
  } finally {
    client.destroy();
  }
}
