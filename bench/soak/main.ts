/**
 * Readers of all kinds, clients that vanish, writes and deletes against one node with a small cache, over an `s3://` mount of a second
 * one. Every body is checked; what the node holds at rest after the whole run is compared with what it held at an early rest. Exit
 * code 1 if anything was wrong or is kept, 3 if the soak could not be carried out.
 *
 *   npm run soak -- [--minutes N] [--threads N] [--seed N] [--json FILE]
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { ownPlace, s3Of } from '../lib/datasets.ts';
import { asLine, circumstances } from '../lib/report.ts';
import { addMount, type Node, startForebay } from '../lib/servers.ts';
import { type Held, heldBy, leaks } from './held.ts';
import { SoakClient } from './s3-client.ts';
import { Workload } from './workload.ts';

const bucket = 'soak';
const minuteMs = 60_000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    threads: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !/^\d+$/.test(values.threads) || !Number.isInteger(seed)) {
  console.error('usage: soak [--minutes N] [--threads N] [--seed N] [--json FILE]');
  process.exit(2);
}
const wholeMs = minutes * minuteMs;
/** The second minute, or a third of a short run; then caches are full and code is compiled. */
const earlyMs = Math.min(2 * minuteMs, wholeMs / 3);
const settleMs = Math.min(minuteMs, wholeMs / 6);

/** Numbers from 0 to below 1, the same ones for a seed (mulberry32). */
function seeded(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function startNode(folder: string): Promise<{ storage: Node; node: Node }> {
  const storage = await startForebay('storage', join(folder, 'storage'));
  const client = s3Of(ownPlace(storage.port));
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
  const node = await startForebay('node', join(folder, 'node'), {
    FOREBAY_IO_THREADS: values.threads,
    FOREBAY_CACHE_MEMORY: '16MiB',
    FOREBAY_CACHE_DISK: '128MiB',
    FOREBAY_PAGE_SIZE: '1MiB',
  });
  await addMount(node, bucket, storage.port, { freshness: 'lease:30s' });
  return { storage, node };
}

/** Without a request for `settleMs`. */
async function atRest(node: Node, workload: Workload): Promise<Held> {
  await workload.rest();
  await sleep(settleMs);
  return heldBy(node);
}

async function soak(node: Node) {
  const workload = new Workload(new SoakClient(node.port, bucket), seeded(seed));
  await workload.prepare();
  workload.begin();
  await sleep(earlyMs);
  const early = await atRest(node, workload);
  console.error(`early: ${JSON.stringify(early)}`);
  workload.begin();
  await sleep(wholeMs - earlyMs);
  const late = await atRest(node, workload);
  console.error(`late: ${JSON.stringify(late)}`);
  const { counts } = workload;
  const problems = [...workload.violations, ...leaks(early, late)];
  // A crew that does nothing finds nothing.
  for (const what of [
    'vanished',
    'vanished from memory',
    'vanished writing',
    'deleted',
    'changed',
    'slow hit',
    'scan miss',
  ]) {
    if (!counts[what]) problems.push(`nothing was ${what}`);
  }
  return { early, late, counts, problems };
}

const facts = await circumstances();
const folder = await mkdtemp(join(tmpdir(), 'forebay-soak-'));
const running: Node[] = [];
try {
  const { storage, node } = await startNode(folder);
  running.push(storage, node);
  const result = await soak(node);
  console.log(`${asLine(facts)}; ${minutes} minutes, ${values.threads} I/O threads, seed ${seed}`);
  console.log(JSON.stringify(result, null, 2));
  console.log(result.problems.length === 0 ? 'flat, and every body was right' : 'soak: violations');
  if (values.json)
    await writeFile(values.json, JSON.stringify({ ...facts, minutes, seed, ...result }, null, 2));
  process.exitCode = result.problems.length === 0 ? 0 : 1;
} catch (error) {
  console.error(error);
  process.exitCode = 3;
} finally {
  for (const server of running.reverse()) await server.stop();
  await rm(folder, { recursive: true, force: true });
}
