/**
 * Server CPU per request, with req/s and latencies beside it, of Forebay and its peers in one run.
 *
 *   npm run bench -- [--json FILE] [--seconds N] [--only NAME] [--rounds N]
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { treeCpuSeconds } from './lib/process-cpu.ts';
import { credentials, type Server, startForebay, startNginx } from './lib/servers.ts';

const run = promisify(execFile);

interface Case {
  readonly name: string;
  readonly sizeBytes: number;
  readonly keys: number;
  readonly connections: number;
}

interface Row {
  readonly case: string;
  readonly server: string;
  readonly cpuMicrosPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failures: number;
}

const cases: readonly Case[] = [
  { name: 'get-4k-hot', sizeBytes: 4096, keys: 1000, connections: 16 },
  { name: 'get-1m-hot', sizeBytes: 1024 * 1024, keys: 16, connections: 4 },
  { name: 'get-64m-hot', sizeBytes: 64 * 1024 * 1024, keys: 2, connections: 2 },
];

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
const rows: Row[] = [];
try {
  const forebay = await startForebay(folder);
  const nginx = await startNginx(folder);
  try {
    for (const one of chosen) {
      const paths = await store(one, forebay.port);
      for (const server of [forebay, nginx]) if (server) rows.push(await measure(one, server, paths));
    }
  } finally {
    await forebay.stop();
    await nginx?.stop();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
await report();

/** Puts the case's objects where every server finds them under the same paths. */
async function store(one: Case, port: number): Promise<readonly string[]> {
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: one.name }));
  await mkdir(join(folder, 'www', one.name), { recursive: true });
  const paths: string[] = [];
  for (let i = 0; i < one.keys; i++) {
    const key = `object-${String(i).padStart(5, '0')}`;
    const body = Buffer.alloc(one.sizeBytes, `${key} `);
    await client.send(new PutObjectCommand({ Bucket: one.name, Key: key, Body: body }));
    await writeFile(join(folder, 'www', one.name, key), body);
    paths.push(`/${one.name}/${key}`);
  }
  client.destroy();
  return paths;
}

async function measure(one: Case, server: Server, paths: readonly string[]): Promise<Row> {
  await load(one, server, paths, 2);
  const results: Awaited<ReturnType<typeof load>>[] = [];
  for (let round = 0; round < rounds; round++) results.push(await load(one, server, paths, seconds));
  const median = (pick: (result: (typeof results)[number]) => number) =>
    results.map(pick).sort((a, b) => a - b)[Math.floor(results.length / 2)] ?? 0;
  return {
    case: one.name,
    server: server.name,
    cpuMicrosPerRequest: median((result) => (result.cpuSeconds * 1e6) / result.requests),
    requestsPerSecond: median((result) => result.requests / result.seconds),
    p50Ms: median((result) => result.p50Ms),
    p99Ms: median((result) => result.p99Ms),
    failures: results.reduce((sum, result) => sum + result.failures, 0),
  };
}

async function load(one: Case, server: Server, paths: readonly string[], forSeconds: number) {
  const job = {
    host: '127.0.0.1',
    port: server.port,
    seconds: forSeconds,
    connections: one.connections,
    paths,
    credentials: server.name === 'forebay' ? credentials : undefined,
  };
  const client = fileURLToPath(new URL('lib/load-client.ts', import.meta.url));
  const before = treeCpuSeconds(server.process.pid ?? 0);
  const { stdout } = await run(process.execPath, [client, JSON.stringify(job)], { maxBuffer: 1 << 20 });
  const cpuSeconds = treeCpuSeconds(server.process.pid ?? 0) - before;
  const seen = JSON.parse(stdout) as {
    requests: number;
    failures: number;
    seconds: number;
    p50Ms: number;
    p99Ms: number;
  };
  return { ...seen, cpuSeconds };
}

async function report(): Promise<void> {
  const { stdout: commit } = await run('git', ['rev-parse', '--short', 'HEAD']).catch(() => ({
    stdout: 'unknown',
  }));
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`;
  console.log(`commit ${commit.trim()}, ${machine}, median of ${rounds} × ${seconds} s`);
  console.table(
    rows.map((row) => ({
      case: row.case,
      server: row.server,
      'CPU µs/request': row.cpuMicrosPerRequest.toFixed(1),
      'req/s': row.requestsPerSecond.toFixed(0),
      'p50 ms': row.p50Ms.toFixed(2),
      'p99 ms': row.p99Ms.toFixed(2),
      failures: row.failures,
    })),
  );
  if (values.json)
    await writeFile(
      values.json,
      `${JSON.stringify({ commit: commit.trim(), machine, seconds, rounds, rows }, null, 2)}\n`,
    );
}
