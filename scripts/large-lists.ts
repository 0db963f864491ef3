/**
 * `npm run conformance:lists [-- BACKEND…] [--keys N]`: a mount of a real HDFS, and one of a strict stub of Cloud Storage (`hdfs`, `gcs`; the emulator
 * takes the longer for an object the more it has) that hold N keys, 100,000
 * without the option, most of them in one folder; all of them are listed page by page, whole and folded, from the beginning and from the
 * middle, and each page is held against what is there. Tells how long it took and how much memory the node took for it; exit code 1 where a page is
 * wrong, or where the node takes more for ten times the keys.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { startHdfs } from '../conformance/backends/hdfs.ts';
import type { MountSource } from '../conformance/backends/storage-server.ts';
import { type RunningNode, startNode } from '../conformance/harness.ts';
import { GcsStub } from '../test/support/gcs-stub.ts';
import { runCommand } from './run-command.ts';

const { values, positionals } = parseArgs({
  options: { keys: { type: 'string', default: '100000' } },
  allowPositionals: true,
});

/** A storage that takes many empty objects quickly. */
interface FillableStorage {
  makePlace(name: string): Promise<MountSource>;
  fill(place: string, keys: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

const starters: Readonly<Record<string, () => Promise<FillableStorage>>> = {
  hdfs: startHdfs,
  gcs: startStub,
};
const wanted = positionals.length > 0 ? positionals : Object.keys(starters);
const keyCount = Number(values.keys);
if (!Number.isInteger(keyCount) || keyCount < 1_000 || wanted.some((name) => !(name in starters))) {
  console.error('usage: conformance:lists [-- hdfs gcs] [--keys N], with N of 1,000 and more');
  process.exit(2);
}
const bin = join(import.meta.dirname, '../bin/forebay');
/** What a node may take more at ten times the keys: garbage comes and goes, and what lists tell of 50,000 objects is remembered. */
const allowedGrowthBytes = 128 * 1024 * 1024;

async function startStub(): Promise<FillableStorage> {
  const stub = await GcsStub.start();
  const options = ['--endpoint', `http://127.0.0.1:${stub.port}`, '--anonymous'];
  return {
    makePlace: async (name) => ({ uri: `gs://bucket/${name}/`, options }),
    fill: async (name, keys) => {
      for (const key of keys) stub.store.put(`${name}/${key}`, {}, Buffer.alloc(0), {});
    },
    stop: () => stub.close(),
  };
}

/** Nine of ten keys lie in one folder, where HDFS gives names in another order than S3; the others in folders of a hundred. */
function keysOf(count: number): string[] {
  const letters = ['a', 'Z', 'é', '-', '€', '0'];
  const keys = Array.from({ length: count }, (_, index) => {
    const number = String(index).padStart(7, '0');
    if (index % 10 > 0) return `flat/${letters[index % letters.length]}${number}`;
    return `deep/${String(Math.floor(index / 1_000)).padStart(4, '0')}/${number}`;
  });
  return keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Lists page by page, and compares each. Gives the number of pages. */
async function compare(
  client: S3Client,
  bucket: string,
  expected: readonly string[],
  about: { readonly Prefix?: string; readonly Delimiter?: string; readonly StartAfter?: string } = {},
): Promise<number> {
  let at = 0;
  let pages = 0;
  for (let token: string | undefined; ; ) {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: token, ...about }),
    );
    const names = [
      ...(page.Contents ?? []).map(({ Key }) => Key ?? ''),
      ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix ?? ''),
    ].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    pages++;
    if (names.length > 1_000) throw new Error(`a page of ${names.length} keys`);
    for (const name of names) {
      if (name !== expected[at]) throw new Error(`${name} is listed in the place of ${expected[at]}`);
      at++;
    }
    token = page.NextContinuationToken;
    if (token === undefined) break;
  }
  if (at !== expected.length) throw new Error(`${at} of ${expected.length} are listed`);
  return pages;
}

/** The most memory that the node took while something was done, bytes. */
async function peakOf(node: RunningNode, work: () => Promise<void>): Promise<number> {
  // Forgets the peak until now (proc(5), /proc/PID/clear_refs).
  await writeFile(`/proc/${node.pid}/clear_refs`, '5');
  await work();
  const status = await readFile(`/proc/${node.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1_024;
}

async function mount(node: RunningNode, server: FillableStorage, name: string): Promise<void> {
  const { uri, options } = await server.makePlace(name);
  const { code, output } = await runCommand(bin, ['mount', 'add', name, uri, ...options], {
    env: {
      ...process.env,
      FOREBAY_ADMIN_URL: `http://127.0.0.1:${node.adminPort}`,
      AWS_ACCESS_KEY_ID: node.accessKeyId,
      AWS_SECRET_ACCESS_KEY: node.secretAccessKey,
    },
  });
  if (code !== 0) throw new Error(output);
}

/** Every list of a mount with so many keys; gives the node's peak. */
async function listAll(node: RunningNode, client: S3Client, bucket: string, keys: string[]): Promise<number> {
  const folders = [...new Set(keys.map((key) => key.slice(0, key.lastIndexOf('/') + 1)))];
  const middle = keys[Math.floor(keys.length * 0.7)] as string;
  const seconds = (startMs: number) => ((performance.now() - startMs) / 1000).toFixed(1);
  return peakOf(node, async () => {
    for (const turn of ['first', 'again']) {
      const startMs = performance.now();
      const pages = await compare(client, bucket, keys);
      console.log(`  ${keys.length} keys in ${pages} pages, ${turn}: ${seconds(startMs)} s`);
    }
    const startMs = performance.now();
    await compare(client, bucket, ['deep/', 'flat/'], { Delimiter: '/' });
    const deep = folders.filter((folder) => folder.startsWith('deep/'));
    await compare(client, bucket, deep, { Prefix: 'deep/', Delimiter: '/' });
    const behind = keys.filter((key) => Buffer.compare(Buffer.from(key), Buffer.from(middle)) > 0);
    await compare(client, bucket, behind, { StartAfter: middle });
    const some = keys.filter((key) => key.startsWith('flat/é'));
    await compare(client, bucket, some, { Prefix: 'flat/é', Delimiter: '/' });
    console.log(`  folded, from the middle and by prefix: ${seconds(startMs)} s`);
  });
}

/** Whether every list was right and the memory stays within bounds. */
async function run(name: string): Promise<boolean> {
  const server = await (starters[name] as () => Promise<FillableStorage>)();
  const node = await startNode();
  const credentials = { accessKeyId: node.accessKeyId, secretAccessKey: node.secretAccessKey };
  const endpoint = `http://127.0.0.1:${node.s3Port}`;
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  try {
    const peaks: number[] = [];
    for (const count of [keyCount / 10, keyCount]) {
      const bucket = `${name}-${count}`;
      const keys = keysOf(count);
      await mount(node, server, bucket);
      const startMs = performance.now();
      await server.fill(bucket, keys);
      console.log(`${name}: ${count} keys made in ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
      peaks.push(await listAll(node, client, bucket, keys));
      console.log(`  at most ${((peaks.at(-1) ?? 0) / 1_048_576).toFixed(0)} MiB of memory in the node`);
    }
    const [small = 0, large = 0] = peaks;
    const isBounded = large - small <= allowedGrowthBytes;
    if (!isBounded) console.log('  the node takes more, the more keys there are');
    return isBounded;
  } finally {
    client.destroy();
    await node.stop();
    await server.stop();
  }
}

let failed = 0;
for (const name of wanted) {
  try {
    if (!(await run(name))) failed++;
  } catch (error) {
    console.log(`${name}: ${error instanceof Error ? error.message : error}`);
    failed++;
  }
}
console.log(`${wanted.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
