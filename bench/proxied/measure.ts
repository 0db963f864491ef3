import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { planCluster } from '../../chaos/cluster/cluster-folder.ts';
import { EtcdServer, findEtcd } from '../../chaos/cluster/etcd-process.ts';
import { NodeProcess } from '../../chaos/cluster/node-process.ts';
import { steadyPorts } from '../../chaos/cluster/steady-ports.ts';
import { startStorage } from '../../chaos/cluster/storage-process.ts';
import { type Case, type Dataset, keyOf } from '../lib/cases.ts';
import type { Length } from '../lib/contest.ts';
import { ownPlace, s3Of, storeAt } from '../lib/datasets.ts';
import type { LoadJob, LoadResult } from '../lib/load-client.ts';
import { treeCpuSeconds } from '../lib/process-cpu.ts';
import { credentials } from '../lib/servers.ts';

/** What a hop from the wrong node to the right one costs: µs of CPU a request, of both nodes together. */
export interface Proxied {
  /** Requests to the node that owns the object. */
  readonly directMicros: number;
  /** Requests to the other one. */
  readonly proxiedMicros: number;
  /** Of the medians; the goal is 1.6 at most. */
  readonly ratio: number;
  /** Each round's. */
  readonly ratios: readonly number[];
  readonly directRequestsPerSecond: number;
  readonly proxiedRequestsPerSecond: number;
  /** Of all answers; anything below 1 says that something else was measured. */
  readonly hitShare: number;
  readonly failures: number;
}

const dataset: Dataset = { bucket: 'bench-proxied-4k', sizeBytes: 4096, keys: 1000 };
const connections = 16;
const warmUpSeconds = 4;
const run = promisify(execFile);
const client = fileURLToPath(new URL('../lib/load-client.ts', import.meta.url));

interface Turn extends LoadResult {
  readonly micros: number;
}

/** A cluster of two nodes, of one thread each, and hot objects of 4 KiB, asked for at their owner and at the other node by turns. */
export async function measureProxied(folder: string, { seconds, rounds }: Length): Promise<Proxied> {
  const closing: (() => Promise<unknown>)[] = [];
  try {
    const nodes = await startNodes(folder, closing);
    const [one, other] = nodes as [NodeProcess, NodeProcess];
    await storeAt(ownPlace(one.place.s3Port), dataset, true);
    const owned = await keysOf(one);
    const others = Array.from({ length: dataset.keys }, (_, key) => key).filter(
      (key) => !owned.includes(key),
    );
    const ask = (keys: readonly number[], forSeconds: number) => askFor(one, [one, other], keys, forSeconds);
    for (const keys of [owned, others]) await ask(keys, warmUpSeconds);
    const direct: Turn[] = [];
    const proxied: Turn[] = [];
    for (let round = 0; round < rounds; round++) {
      direct.push(await ask(owned, seconds));
      proxied.push(await ask(others, seconds));
    }
    return summary(direct, proxied);
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

async function startNodes(folder: string, closing: (() => Promise<unknown>)[]): Promise<NodeProcess[]> {
  const plan = await planCluster(folder, credentials);
  const found = await findEtcd();
  if ('missing' in found) throw new Error(`etcd is not to be had: ${found.missing}`);
  await mkdir(join(folder, 'etcd'), { recursive: true, mode: 0o700 });
  const etcd = await EtcdServer.start(found.program, [], join(folder, 'etcd'));
  closing.push(() => etcd.close());
  const storage = await startStorage(plan);
  closing.push(() => storage.stop());
  const ports = await steadyPorts(6);
  const nodes = [0, 1].map((index) => {
    const [s3Port = 0, adminPort = 0, peerPort = 0] = ports.slice(3 * index);
    const storageUrl = `http://127.0.0.1:${plan.storagePort}`;
    const environment = { FOREBAY_IO_THREADS: '1', FOREBAY_FRESHNESS_LEASE: '1h' };
    const place = {
      name: `node-${index}`,
      s3Port,
      adminPort,
      peerPort,
      etcdUrl: etcd.url,
      storageUrl,
      environment,
    };
    return new NodeProcess(plan, place);
  });
  for (const node of nodes) {
    closing.push(() => node.stop());
    await node.start();
  }
  return nodes;
}

/** The numbers of the keys that a node owns, as its answers say. */
async function keysOf(node: NodeProcess): Promise<number[]> {
  const id = await node.nodeId();
  const s3 = s3Of(ownPlace(node.place.s3Port));
  const owned: number[] = [];
  for (let key = 0; key < dataset.keys; key++) {
    let owner: string | undefined;
    const command = new HeadObjectCommand({ Bucket: dataset.bucket, Key: keyOf(key) });
    command.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        owner = (result.response as { headers: Record<string, string> }).headers['x-forebay-owner'];
        return result;
      },
      { step: 'deserialize', priority: 'low' },
    );
    await s3.send(command);
    if (owner === id) owned.push(key);
  }
  s3.destroy();
  return owned;
}

async function askFor(
  { place: { s3Port } }: NodeProcess,
  counted: readonly NodeProcess[],
  keys: readonly number[],
  seconds: number,
): Promise<Turn> {
  const asked: Case = {
    name: 'proxied-4k',
    dataset,
    operation: 'get',
    state: 'hot',
    signing: 'header',
    threads: 1,
    connections,
  };
  const where = { host: '127.0.0.1', port: s3Port, hostHeader: `127.0.0.1:${s3Port}` };
  const turn = { seconds, firstKey: 0, lastKey: keys.length, keys, once: false };
  const job: LoadJob = { ...where, case: asked, signing: 'header', credentials, ...turn };
  const cpuSeconds = () => counted.reduce((sum, { pid }) => sum + treeCpuSeconds(pid), 0);
  const before = cpuSeconds();
  const { stdout } = await run(process.execPath, [client, JSON.stringify(job)], { maxBuffer: 1 << 20 });
  const used = cpuSeconds() - before;
  const result = JSON.parse(stdout) as LoadResult;
  return { ...result, micros: (used * 1e6) / Math.max(1, result.requests) };
}

function summary(direct: readonly Turn[], proxied: readonly Turn[]): Proxied {
  const all = [...direct, ...proxied];
  const requests = all.reduce((sum, turn) => sum + turn.requests, 0);
  const perSecond = (turns: readonly Turn[]) => median(turns.map((turn) => turn.requests / turn.seconds));
  const directMicros = median(direct.map(({ micros }) => micros));
  const proxiedMicros = median(proxied.map(({ micros }) => micros));
  return {
    directMicros,
    proxiedMicros,
    ratio: proxiedMicros / directMicros,
    ratios: direct.map(({ micros }, round) => (proxied[round]?.micros ?? 0) / micros),
    directRequestsPerSecond: perSecond(direct),
    proxiedRequestsPerSecond: perSecond(proxied),
    hitShare: all.reduce((sum, turn) => sum + turn.hits, 0) / Math.max(1, requests),
    failures: all.reduce((sum, turn) => sum + turn.failures, 0),
  };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}
