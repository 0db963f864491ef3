import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

/** The S3 servers of others that mounts are made over. */
export type ServerName = 's3proxy' | 'moto';

/** With a second Forebay, which stands for an S3 that gets everything right, and the storages that are no S3. */
export type MountedName = ServerName | 'forebay' | 'hdfs' | 'gcs';

/** Where an S3 listens on loopback, and who may do everything there. */
export interface S3Access {
  readonly port: number;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What `forebay mount add BUCKET` is given to show a place in a storage. */
export interface MountSource {
  readonly uri: string;
  readonly options: readonly string[];
  /** Variables that the options name. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One of them, running on the loopback address. */
export interface StorageServer {
  readonly name: MountedName;
  /** How it is spoken to straight; absent where it is no S3. */
  readonly s3?: S3Access;
  /** Makes an empty bucket or directory of this name, and says how it is mounted. */
  makePlace(name: string): Promise<MountSource>;
  logTail(): Promise<string>;
  /** Ends it and removes its data. Rejects if it had ended by itself. */
  stop(): Promise<void>;
}

/** What is needed to run a server is not to be had on this machine. */
export class NotInstallable extends Error {}

/** How a bucket of an S3 is made, and mounted. */
export async function makeS3Place(s3: S3Access, name: string): Promise<MountSource> {
  await makeBucket(s3, name);
  return {
    uri: `s3://${name}/`,
    options: [
      ...['--endpoint', `http://127.0.0.1:${s3.port}`, '--path-style'],
      ...['--access-key-id', s3.accessKeyId, '--secret-access-key-env', 'BACKEND_SECRET'],
    ],
    env: { BACKEND_SECRET: s3.secretAccessKey },
  };
}

/** Makes a bucket straight at a server. */
export async function makeBucket(s3: S3Access, name: string): Promise<void> {
  const { accessKeyId, secretAccessKey } = s3;
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${s3.port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: name }));
  } finally {
    client.destroy();
  }
}
