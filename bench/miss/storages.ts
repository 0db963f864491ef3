import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { findGcsEmulator, GcsEmulator } from '../../conformance/backends/gcs-emulator.ts';
import { findHdfs, HdfsCluster } from '../../conformance/backends/hdfs-cluster.ts';
import { type Distance, startDistance } from '../lib/distant-storage.ts';
import { credentials, startForebay } from '../lib/servers.ts';
import { LineClient, type Read } from './line-client.ts';

/** A storage, its own client, and how Forebay mounts a place in it. */
export interface MissStorage {
  /** How it is named in the table, with its own client. */
  readonly title: string;
  readonly client: string;
  /** What `POST /v1/mounts` is told beside the target. */
  readonly mount: Readonly<Record<string, unknown>>;
  write(key: string, bytes: Buffer): Promise<void>;
  /** Reads an object straight, by the storage's own client. */
  read(key: string): Promise<Read>;
}

export interface Bench {
  /** A folder of its own. */
  readonly folder: string;
  /** Reads by Python: boto3, google-cloud-storage and files. */
  readonly python: LineClient;
  /** Is told how each thing that was started is ended; the last is ended first. */
  onEnd(stop: () => Promise<unknown>): void;
}

/** The name of the bucket, the directory or the prefix. */
const place = 'miss';
let readers = 0;

/** Makes a reader in the Python process; gives what reads with it. */
export async function readerOf(
  python: LineClient,
  kind: 's3' | 'gs' | 'file',
  settings: object,
): Promise<(at: string, key: string) => Promise<Read>> {
  const reader = `reader-${readers++}`;
  await python.ask(JSON.stringify({ reader, kind, settings }));
  return (at, key) => python.ask(JSON.stringify({ reader, place: at, key }));
}

/** Another Forebay, next door or further away. */
export async function startS3({ folder, python, onEnd }: Bench, distance: Distance): Promise<MissStorage> {
  const node = await startForebay('storage', join(folder, 'storage'));
  onEnd(() => node.stop());
  const relay = await startDistance(node.port, distance);
  onEnd(relay.stop);
  const endpoint = `http://127.0.0.1:${relay.port}`;
  const filler = new S3Client({
    endpoint: `http://127.0.0.1:${node.port}`,
    region: 'us-east-1',
    // The client writes into what it is given.
    credentials: { ...credentials },
    forcePathStyle: true,
  });
  onEnd(async () => filler.destroy());
  await filler.send(new CreateBucketCommand({ Bucket: place }));
  const read = await readerOf(python, 's3', { endpoint, ...credentials });
  const isNear = distance.delayMs === 0;
  return {
    title: isNear
      ? 's3://, another Forebay'
      : `s3://, ${distance.delayMs} ms away, ${distance.bytesPerSecond / 1e6} MB/s a connection`,
    client: 'boto3',
    mount: { uri: `s3://${place}`, endpoint, region: 'us-east-1', pathStyle: true, ...credentials },
    write: async (Key, Body) => {
      await filler.send(new PutObjectCommand({ Bucket: place, Key, Body }));
    },
    read: (key) => read(place, key),
  };
}

/** The emulator as it is: nothing but reads is measured. */
export async function startGs({ python, onEnd }: Bench): Promise<MissStorage> {
  const found = await findGcsEmulator();
  if ('missing' in found) throw new Error(found.missing);
  const emulator = await GcsEmulator.start(found.program);
  onEnd(() => emulator.stop());
  const endpoint = `http://127.0.0.1:${emulator.port}`;
  const read = await readerOf(python, 'gs', { endpoint });
  return {
    title: 'gs://, fake-gcs-server',
    client: 'google-cloud-storage for Python',
    mount: { uri: `gs://bucket/${place}/`, endpoint, anonymous: true },
    write: async (key, bytes) => {
      const query = `uploadType=media&name=${encodeURIComponent(`${place}/${key}`)}`;
      const url = `${endpoint}/upload/storage/v1/b/bucket/o?${query}`;
      const answer = await fetch(url, { method: 'POST', body: new Uint8Array(bytes) });
      if (!answer.ok) throw new Error(`${key} could not be made: ${answer.status}`);
      await answer.arrayBuffer();
    },
    read: (key) => read(`bucket/${place}/`, key),
  };
}

/** A NameNode and a DataNode. */
export async function startHdfs({ onEnd }: Bench): Promise<MissStorage> {
  const found = await findHdfs();
  if ('missing' in found) throw new Error(found.missing);
  const cluster = await HdfsCluster.start(found.jars, { 'dfs.blocksize': '134217728' });
  onEnd(() => cluster.stop());
  await cluster.makeDirectory(`/${place}`);
  const java = new LineClient('java', cluster.clientArguments(join(import.meta.dirname, 'HdfsFiles.java')), {
    ...process.env,
  });
  onEnd(() => java.stop());
  return {
    title: 'hdfs://, a NameNode and a DataNode',
    client: "Hadoop's, over RPC",
    mount: { uri: `hdfs://127.0.0.1/${place}`, endpoint: cluster.endpoint, user: cluster.user },
    write: async (key, bytes) => {
      await java.ask(`write /${place}/${key} ${bytes.length}`);
    },
    read: (key) => java.ask(`read /${place}/${key}`),
  };
}

/** A folder on the disk that Forebay keeps its pages on, too. */
export async function startFiles({ folder, python }: Bench): Promise<MissStorage> {
  const tree = join(folder, 'tree');
  await mkdir(tree);
  const read = await readerOf(python, 'file', {});
  return {
    title: 'file://',
    client: 'read(2), by Python',
    mount: { uri: pathToFileURL(tree).href },
    write: (key, bytes) => writeFile(join(tree, key), bytes),
    read: (key) => read(tree, key),
  };
}
