/**
 * How a miss streams: objects that nobody read yet, through Forebay by boto3, and straight from the storage by the storage's own client, in
 * turns: boto3 at another S3, next door and further away behind a relay, Google's client at the emulator of Cloud Storage, Hadoop's at
 * HDFS, read(2) at files.
 *
 *   npm run bench:miss -- [--only s3,far,gs,hdfs,file] [--size MIB] [--objects N] [--json FILE]
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { addMountOf, credentials, startForebay } from '../lib/servers.ts';
import { LineClient, type Read } from './line-client.ts';
import {
  type Bench,
  type MissStorage,
  readerOf,
  startFiles,
  startGs,
  startHdfs,
  startS3,
} from './storages.ts';

const starters: Readonly<Record<string, (bench: Bench) => Promise<MissStorage>>> = {
  s3: (bench) => startS3(bench, { delayMs: 0, bytesPerSecond: 0 }),
  far: (bench) => startS3(bench, { delayMs: 20, bytesPerSecond: 100e6 }),
  gs: startGs,
  hdfs: startHdfs,
  file: startFiles,
};

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(starters).join(',') },
    size: { type: 'string', default: '64' },
    objects: { type: 'string', default: '9' },
    json: { type: 'string' },
  },
});
const sizeBytes = Number(values.size) * 1024 * 1024;
const objects = Number(values.objects);
const wanted = values.only.split(',');
if (
  !(sizeBytes >= 1) ||
  !Number.isInteger(objects) ||
  objects < 1 ||
  wanted.some((name) => !(name in starters))
) {
  console.error('usage: bench:miss [--only s3,far,gs,hdfs,file] [--size MIB] [--objects N] [--json FILE]');
  process.exit(2);
}
const bucket = 'miss';

interface Figures {
  readonly firstByteMs: number;
  readonly mebibytesPerSecond: number;
}

interface Row {
  readonly storage: string;
  readonly client: string;
  readonly through: Figures;
  readonly straight: Figures;
  /** Of the times that one pair of objects took, straight and through Forebay, the median. */
  readonly ratioOfPairs: number;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] as number;
}

function figuresOf(reads: readonly Read[]): Figures {
  return {
    firstByteMs: median(reads.map(({ firstByteMs }) => firstByteMs)),
    mebibytesPerSecond: sizeBytes / 1_048_576 / (median(reads.map(({ totalMs }) => totalMs)) / 1000),
  };
}

/** Each object twice: straight and through Forebay, where it is a miss; who comes first changes from one to the next. */
async function compare(storage: MissStorage, through: (key: string) => Promise<Read>): Promise<Row> {
  const keys = Array.from({ length: objects }, (_, index) => `object-${index}`);
  for (const key of ['warm', ...keys]) await storage.write(key, Buffer.alloc(sizeBytes, `${key} `));
  // Connections, credentials and compiled code are there before anything is measured.
  await storage.read('warm');
  await through('warm');
  const pairs: { straight: Read; through: Read }[] = [];
  for (const [index, key] of keys.entries()) {
    const first = index % 2 === 0 ? await storage.read(key) : undefined;
    const missed = await through(key);
    pairs.push({ straight: first ?? (await storage.read(key)), through: missed });
  }
  const reads = pairs.flatMap((pair) => [pair.straight, pair.through]);
  const wrong = reads.find(({ bytes }) => bytes !== sizeBytes);
  if (wrong) throw new Error(`an object came with ${wrong.bytes} bytes`);
  return {
    storage: storage.title,
    client: storage.client,
    through: figuresOf(pairs.map((pair) => pair.through)),
    straight: figuresOf(pairs.map((pair) => pair.straight)),
    ratioOfPairs: median(pairs.map((pair) => pair.straight.totalMs / pair.through.totalMs)),
  };
}

async function measure(name: string, folder: string, python: LineClient): Promise<Row> {
  const running: (() => Promise<unknown>)[] = [];
  const bench = {
    folder: join(folder, name),
    python,
    onEnd: (stop: () => Promise<unknown>) => void running.unshift(stop),
  };
  await mkdir(bench.folder);
  try {
    const storage = await (starters[name] as (typeof starters)[string])(bench);
    // A node for each, so that what one wrote to its disk is not in the way of the other.
    const forebay = await startForebay('forebay', join(bench.folder, 'forebay'));
    bench.onEnd(() => forebay.stop());
    await addMountOf(forebay, { target: bucket, freshness: 'lease:1h', ...storage.mount });
    const endpoint = `http://127.0.0.1:${forebay.port}`;
    const read = await readerOf(python, 's3', { endpoint, ...credentials });
    return await compare(storage, (key) => read(bucket, key));
  } finally {
    for (const stop of running) await stop();
    await rm(bench.folder, { recursive: true, force: true });
  }
}

const withPython = join(import.meta.dirname, '../../scripts/with-python.sh');
const folder = await mkdtemp(join(tmpdir(), 'forebay-miss-'));
const environment = { ...process.env, PACKAGES: 'miss' };
const python = new LineClient('sh', [withPython, join(import.meta.dirname, 'read.py')], environment);
try {
  const rows: Row[] = [];
  for (const name of wanted) {
    const row = await measure(name, folder, python);
    const { through, straight } = row;
    rows.push(row);
    console.log(
      `${row.storage}: ${through.mebibytesPerSecond.toFixed(0)} MiB/s through Forebay, ${straight.mebibytesPerSecond.toFixed(0)} straight by ${row.client} (${row.ratioOfPairs.toFixed(2)} × in pairs); first byte ${through.firstByteMs.toFixed(1)} ms, ${straight.firstByteMs.toFixed(1)} straight; load average ${loadavg()[0]?.toFixed(1)}`,
    );
  }
  console.log(`median of ${objects} objects of ${values.size} MiB`);
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(rows, null, 2));
} finally {
  await python.stop();
  await rm(folder, { recursive: true, force: true });
}
