import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

/** The S3 servers of others that mounts are made over. */
export type ServerName = 's3proxy' | 'moto';

/** With a second Forebay, which stands for an S3 that gets everything right. */
export type MountedName = ServerName | 'forebay';

/** One of them, running on the loopback address. */
export interface StorageServer<Name extends MountedName = ServerName> {
  readonly name: Name;
  readonly port: number;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  logTail(): Promise<string>;
  /** Ends it and removes its data. Rejects if it had ended by itself. */
  stop(): Promise<void>;
}

/** What is needed to run a server is not to be had on this machine. */
export class NotInstallable extends Error {}

/** Makes buckets straight at a server. */
export async function makeBuckets(
  server: Pick<StorageServer<MountedName>, 'port' | 'accessKeyId' | 'secretAccessKey'>,
  names: readonly string[],
): Promise<void> {
  const { accessKeyId, secretAccessKey } = server;
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${server.port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  try {
    for (const Bucket of names) await client.send(new CreateBucketCommand({ Bucket }));
  } finally {
    client.destroy();
  }
}
