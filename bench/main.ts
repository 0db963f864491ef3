/**
 * Server CPU per request, with req/s and latencies beside it, of Forebay, nginx and the storage behind Forebay, in one run. Forebay
 * serves `s3://` mounts; the storage is a second node, over its own root mount, asked directly.
 *
 *   npm run bench -- [--json FILE] [--seconds N] [--only NAME] [--rounds N]
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { bodyOf, type Case, cases, keyOf } from './lib/cases.ts';
import type { LoadJob, LoadResult } from './lib/load-client.ts';
import { treeCpuSeconds } from './lib/process-cpu.ts';
import { addMount, credentials, type Server, startForebay, startNginx } from './lib/servers.ts';

const run = promisify(execFile);

interface Row extends Omit<LoadResult, 'requests' | 'seconds' | 'bytes'> {
  readonly case: string;
  readonly server: string;
  readonly cpuMicrosPerRequest: number;
  readonly requestsPerSecond: number;
  readonly mebibytesPerSecond: number;
}

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const chosen = cases.filter((one) => values.only === undefined || one.name === values.only);
if (!(seconds > 0) || !Number.isInteger(rounds) || rounds < 1 || chosen.length === 0) {
  console.error(
    `usage: bench [--json FILE] [--seconds N] [--rounds N] [--only ${cases.map((one) => one.name).join('|')}]`,
  );
  process.exit(2);
}

const folder = await mkdtemp(join(tmpdir(), 'forebay-bench-'));
const loadBefore = loadavg()[0] ?? 0;
const rows: Row[] = [];
const servers: Server[] = [];
try {
  const storage = await started(startForebay('storage itself', join(folder, 'storage')));
  const forebay = await started(startForebay('forebay', join(folder, 'forebay')));
  const nginx = await startNginx(folder);
  if (nginx) servers.push(nginx);
  for (const one of chosen) {
    await store(one, storage);
    await addMount(forebay, one.name, storage.port);
    for (const server of [forebay, storage]) rows.push(await measure(one, server));
    if (nginx && (one.kind === 'get' || one.kind === 'range')) rows.push(await measure(one, nginx));
  }
} finally {
  for (const server of servers.reverse()) await server.stop();
  await rm(folder, { recursive: true, force: true });
}
await report();

async function started<One extends Server>(starting: Promise<One>): Promise<One> {
  const server = await starting;
  servers.push(server);
  return server;
}

/** Puts the case's objects where each server finds them under the same paths. */
async function store(one: Case, { port }: Server): Promise<void> {
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: one.name }));
  const www = join(folder, 'www', one.name);
  await mkdir(www, { recursive: true });
  for (let i = 0; i < one.keys; i++) {
    const Body = bodyOf(one, i);
    await client.send(new PutObjectCommand({ Bucket: one.name, Key: keyOf(i), Body }));
    if (one.kind === 'get' || one.kind === 'range') await writeFile(join(www, keyOf(i)), Body);
  }
  client.destroy();
}

/** Misses take a part of the keys in each round, everything else takes all of them, warmed up before. */
async function measure(one: Case, server: Server): Promise<Row> {
  const isMiss = one.kind === 'miss';
  const perRound = Math.floor(one.keys / rounds);
  if (!isMiss) await warmUp(one, server);
  const results: Awaited<ReturnType<typeof load>>[] = [];
  for (let round = 0; round < rounds; round++) {
    const firstKey = isMiss ? round * perRound : 0;
    results.push(await load(one, server, firstKey, isMiss ? firstKey + perRound : one.keys, seconds));
  }
  const median = (pick: (result: (typeof results)[number]) => number) =>
    results.map(pick).sort((a, b) => a - b)[Math.floor(results.length / 2)] ?? 0;
  return {
    case: one.name,
    server: server.name,
    cpuMicrosPerRequest: median((result) => (result.cpuSeconds * 1e6) / result.requests),
    requestsPerSecond: median((result) => result.requests / result.seconds),
    mebibytesPerSecond: median((result) => result.bytes / result.seconds / 2 ** 20),
    p50Ms: median((result) => result.p50Ms),
    p99Ms: median((result) => result.p99Ms),
    firstByteP50Ms: median((result) => result.firstByteP50Ms),
    failures: results.reduce((sum, result) => sum + result.failures, 0),
  };
}

/** Every key once, then some time for the code to become hot. */
async function warmUp(one: Case, server: Server): Promise<void> {
  if (one.kind === 'get' || one.kind === 'range') {
    await load({ ...one, kind: 'miss' }, server, 0, one.keys, 0);
  }
  await load(one, server, 0, one.keys, 2);
}

async function load(one: Case, server: Server, firstKey: number, lastKey: number, forSeconds: number) {
  const signing = server.name.startsWith('nginx') ? undefined : credentials;
  const job: LoadJob = {
    port: server.port,
    case: one,
    seconds: forSeconds,
    firstKey,
    lastKey,
    credentials: signing,
  };
  const client = fileURLToPath(new URL('lib/load-client.ts', import.meta.url));
  const before = treeCpuSeconds(server.process.pid ?? 0);
  const { stdout } = await run(process.execPath, [client, JSON.stringify(job)], { maxBuffer: 1 << 20 });
  const cpuSeconds = treeCpuSeconds(server.process.pid ?? 0) - before;
  return { ...(JSON.parse(stdout) as LoadResult), cpuSeconds };
}

async function report(): Promise<void> {
  const { stdout: commit } = await run('git', ['rev-parse', '--short', 'HEAD']).catch(() => ({
    stdout: 'unknown',
  }));
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`;
  const before = loadBefore.toFixed(1);
  console.log(
    `commit ${commit.trim()}, ${machine}, load before ${before}, median of ${rounds} × ${seconds} s (misses: of ${rounds} parts)`,
  );
  console.table(
    rows.map((row) => ({
      case: row.case,
      server: row.server,
      'CPU µs/request': row.cpuMicrosPerRequest.toFixed(1),
      'req/s': row.requestsPerSecond.toFixed(0),
      'MiB/s': row.mebibytesPerSecond.toFixed(0),
      'first byte p50 ms': row.firstByteP50Ms.toFixed(2),
      'p50 ms': row.p50Ms.toFixed(2),
      'p99 ms': row.p99Ms.toFixed(2),
      failures: row.failures,
    })),
  );
  if (values.json)
    await writeFile(
      values.json,
      `${JSON.stringify({ commit: commit.trim(), machine, loadBefore, seconds, rounds, rows }, null, 2)}\n`,
    );
}
