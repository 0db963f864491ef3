/**
 * Server CPU per request of Forebay with one I/O thread and with several, round by round in turn, over the same storage: what the
 * threads cost by themselves.
 *
 *   node bench/io-threads.ts [--threads N] [--seconds N] [--rounds N] [--only NAME]
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { bodyOf, type Case, cases, keyOf } from './lib/cases.ts';
import type { LoadJob, LoadResult } from './lib/load-client.ts';
import { treeCpuSeconds } from './lib/process-cpu.ts';
import { addMount, credentials, type Node, startForebay } from './lib/servers.ts';

const run = promisify(execFile);
const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: 'get-4k-hot,get-1m-hot' },
  },
});

async function store(one: Case, { port }: Node): Promise<void> {
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: one.name }));
  for (let i = 0; i < one.keys; i++) {
    await client.send(new PutObjectCommand({ Bucket: one.name, Key: keyOf(i), Body: bodyOf(one, i) }));
  }
  client.destroy();
}

async function load(one: Case, server: Node, seconds: number) {
  const job: LoadJob = {
    port: server.port,
    case: one,
    seconds,
    firstKey: 0,
    lastKey: one.keys,
    credentials,
  };
  const client = fileURLToPath(new URL('lib/load-client.ts', import.meta.url));
  const before = treeCpuSeconds(server.process.pid ?? 0);
  const { stdout } = await run(process.execPath, [client, JSON.stringify(job)], { maxBuffer: 1 << 20 });
  const result = JSON.parse(stdout) as LoadResult;
  const cpuSeconds = treeCpuSeconds(server.process.pid ?? 0) - before;
  return {
    micros: (cpuSeconds * 1e6) / result.requests,
    perSecond: result.requests / result.seconds,
    failures: result.failures,
  };
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

const folder = await mkdtemp(join(tmpdir(), 'forebay-bench-'));
const servers: Node[] = [];
try {
  const storage = await startForebay('storage', join(folder, 'storage'));
  servers.push(storage);
  const measured: Node[] = [];
  for (const threads of ['1', values.threads]) {
    const name = `${threads} I/O threads`;
    const node = await startForebay(name, join(folder, name), { FOREBAY_IO_THREADS: threads });
    measured.push(node);
    servers.push(node);
  }
  const rows: Record<string, unknown>[] = [];
  for (const one of cases.filter(({ name }) => values.only.split(',').includes(name))) {
    await store(one, storage);
    for (const node of measured) {
      await addMount(node, one.name, storage.port);
      await load({ ...one, kind: 'miss' }, node, 0);
      await load(one, node, 3);
    }
    const results = new Map<Node, Awaited<ReturnType<typeof load>>[]>(measured.map((node) => [node, []]));
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const node of measured) results.get(node)?.push(await load(one, node, Number(values.seconds)));
    }
    for (const [node, all] of results) {
      rows.push({
        case: one.name,
        server: node.name,
        'CPU µs/request': median(all.map(({ micros }) => micros)).toFixed(1),
        // What the machine's other work adds varies; the least of many rounds has the least of it.
        'least of the rounds': Math.min(...all.map(({ micros }) => micros)).toFixed(1),
        'req/s': median(all.map(({ perSecond }) => perSecond)).toFixed(0),
        failures: all.reduce((sum, { failures }) => sum + failures, 0),
      });
    }
  }
  console.table(rows);
} finally {
  for (const server of servers.reverse()) await server.stop();
  await rm(folder, { recursive: true, force: true });
}
