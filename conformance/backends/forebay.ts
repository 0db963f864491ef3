import { startNode } from '../harness.ts';
import type { StorageServer } from './storage-server.ts';

/** A second Forebay over its own root mount: an S3 that decides every condition and keeps every header. */
export async function startForebay(): Promise<StorageServer<'forebay'>> {
  const node = await startNode();
  return {
    name: 'forebay',
    port: node.s3Port,
    accessKeyId: node.accessKeyId,
    secretAccessKey: node.secretAccessKey,
    logTail: () => node.logTail(),
    stop: () => node.stop(),
  };
}
