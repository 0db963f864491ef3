import { startNode } from '../harness.ts';
import { makeS3Place, type StorageServer } from './storage-server.ts';

/** A second Forebay over its own root mount: an S3 that decides every condition and keeps every header. */
export async function startForebay(): Promise<StorageServer> {
  const node = await startNode();
  const { accessKeyId, secretAccessKey } = node;
  const s3 = { port: node.s3Port, accessKeyId, secretAccessKey };
  return {
    name: 'forebay',
    s3,
    makePlace: (name) => makeS3Place(s3, name),
    logTail: () => node.logTail(),
    stop: () => node.stop(),
  };
}
