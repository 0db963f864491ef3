/**
 * How a miss streams: objects that nobody read yet, by the AWS SDK through Forebay, and by the same SDK straight at the storage,
 * in turns. The storage is a second node; it stands next door, or further away behind a relay.
 *
 *   npm run bench:miss -- [--size MIB] [--objects N] [--json FILE]
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type Distance, startDistance } from './lib/distant-storage.ts';
import { addMount, credentials, type Node, startForebay } from './lib/servers.ts';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '64' },
    objects: { type: 'string', default: '9' },
    json: { type: 'string' },
  },
});
const sizeBytes = Number(values.size) * 1024 * 1024;
const objects = Number(values.objects);
if (!(sizeBytes > 0) || !Number.isInteger(objects) || objects < 1) {
  console.error('usage: bench:miss [--size MIB] [--objects N] [--json FILE]');
  process.exit(2);
}

const distances: readonly (Distance & { readonly name: string })[] = [
  { name: 'next door', delayMs: 0, bytesPerSecond: 0 },
  { name: '20 ms away, 100 MB/s a connection', delayMs: 20, bytesPerSecond: 100e6 },
];

interface Read {
  readonly firstByteMs: number;
  readonly totalMs: number;
}

function clientOf(port: number): S3Client {
  const endpoint = `http://127.0.0.1:${port}`;
  return new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true });
}

async function read(client: S3Client, Bucket: string, Key: string): Promise<Read> {
  const startMs = performance.now();
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  let firstByteMs = 0;
  let bytes = 0;
  for await (const chunk of Body as AsyncIterable<Buffer>) {
    if (bytes === 0) firstByteMs = performance.now() - startMs;
    bytes += chunk.length;
  }
  if (bytes !== sizeBytes) throw new Error(`${Key} came with ${bytes} bytes`);
  return { firstByteMs, totalMs: performance.now() - startMs };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

async function compare(bucket: string, forebay: Node, storagePort: number) {
  const through = clientOf(forebay.port);
  const straight = clientOf(storagePort);
  // Connections, credentials and compiled code are there before anything is measured.
  for (const client of [through, straight]) await read(client, bucket, 'warm');
  const reads: { through: Read; straight: Read }[] = [];
  for (let i = 0; i < objects; i++) {
    const key = `object-${i}`;
    reads.push({ straight: await read(straight, bucket, key), through: await read(through, bucket, key) });
  }
  for (const client of [through, straight]) client.destroy();
  const of = (route: 'through' | 'straight') => ({
    firstByteMs: median(reads.map((pair) => pair[route].firstByteMs)),
    mebibytesPerSecond: sizeBytes / 1_048_576 / (median(reads.map((pair) => pair[route].totalMs)) / 1000),
  });
  return { through: of('through'), straight: of('straight') };
}

const folder = await mkdtemp(join(tmpdir(), 'forebay-miss-'));
const running: { stop: () => Promise<unknown> }[] = [];
try {
  const storage = await startForebay('storage', join(folder, 'storage'));
  running.push(storage);
  const filler = clientOf(storage.port);
  const rows = [];
  for (const [index, distance] of distances.entries()) {
    const bucket = `miss-${index}`;
    await filler.send(new CreateBucketCommand({ Bucket: bucket }));
    for (const key of ['warm', ...Array.from({ length: objects }, (_, i) => `object-${i}`)]) {
      const Body = Buffer.alloc(sizeBytes, `${key} `);
      await filler.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body }));
    }
    const relay = await startDistance(storage.port, distance);
    running.push(relay);
    // A node for each, so that what one wrote to its disk is not in the way of the other.
    const forebay = await startForebay('forebay', join(folder, `forebay-${index}`));
    running.push(forebay);
    await addMount(forebay, bucket, relay.port);
    const { through, straight } = await compare(bucket, forebay, relay.port);
    rows.push({ storage: distance.name, through, straight });
    console.log(
      `storage ${distance.name}: ${through.mebibytesPerSecond.toFixed(0)} MiB/s through Forebay, ${straight.mebibytesPerSecond.toFixed(0)} straight (${(through.mebibytesPerSecond / straight.mebibytesPerSecond).toFixed(2)} ×); first byte ${through.firstByteMs.toFixed(1)} ms, ${straight.firstByteMs.toFixed(1)} straight (${(through.firstByteMs / straight.firstByteMs).toFixed(2)} ×)`,
    );
  }
  filler.destroy();
  console.log(`median of ${objects} objects of ${values.size} MiB; load average ${loadavg()[0]?.toFixed(2)}`);
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(rows, null, 2));
} finally {
  for (const one of running.reverse()) await one.stop();
  await rm(folder, { recursive: true, force: true });
}
