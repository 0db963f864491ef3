/**
 * `npm run cluster -- --nodes N --data DIR`: a cluster on this machine, of N nodes over one etcd and one storage, all on loopback. When all
 * are ready it prints a line of JSON a node, `{nodeId, s3, admin, pid}`, and stays until SIGTERM or SIGINT, which end all of it. The root
 * user's key is `FOREBAY_ROOT_ACCESS_KEY_ID` and `FOREBAY_ROOT_SECRET_ACCESS_KEY`, or the one in `DIR/cluster.json`; other variables of
 * Forebay hold for each node. A cluster that is started again in the same folder goes on with what it kept. Exit code 1 if it cannot start.
 */

import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type ClusterPlan, planCluster } from '../chaos/cluster/cluster-folder.ts';
import { EtcdServer, findEtcd } from '../chaos/cluster/etcd-process.ts';
import { NodeProcess } from '../chaos/cluster/node-process.ts';
import { steadyPorts } from '../chaos/cluster/steady-ports.ts';
import { startStorage } from '../chaos/cluster/storage-process.ts';

const { values } = parseArgs({
  options: { nodes: { type: 'string', default: '3' }, data: { type: 'string', default: './data/cluster' } },
});
const count = Number(values.nodes);
if (!Number.isInteger(count) || count < 1 || count > 64) {
  console.error('usage: cluster [--nodes N] [--data DIR], with 1 to 64 nodes');
  process.exit(2);
}

/** What runs, the last started first. */
const running: (() => Promise<unknown>)[] = [];
let isEnding = false;

async function end(code: number): Promise<never> {
  isEnding = true;
  // What cannot be ended any more is gone.
  await Promise.allSettled(running.splice(1).map((stop) => stop()));
  await running[0]?.().catch(() => {});
  return process.exit(code);
}

function rootKeys() {
  const accessKeyId = process.env.FOREBAY_ROOT_ACCESS_KEY_ID;
  const secretAccessKey = process.env.FOREBAY_ROOT_SECRET_ACCESS_KEY;
  return accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined;
}

async function startEtcd(plan: ClusterPlan): Promise<EtcdServer> {
  const found = await findEtcd();
  if ('missing' in found) throw new Error(`etcd is not to be had: ${found.missing}`);
  const folder = join(plan.folder, 'etcd');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return EtcdServer.start(found.program, [], folder);
}

async function start(): Promise<void> {
  const plan = await planCluster(resolve(values.data), rootKeys());
  const etcd = await startEtcd(plan);
  running.push(() => etcd.close());
  const storage = await startStorage(plan);
  running.push(() => storage.stop());
  const ports = await steadyPorts(3 * count);
  const storageUrl = `http://127.0.0.1:${plan.storagePort}`;
  const nodes = Array.from({ length: count }, (_, index) => {
    const [s3Port = 0, adminPort = 0, peerPort = 0] = ports.slice(3 * index);
    const place = { name: `node-${index + 1}`, s3Port, adminPort, peerPort, etcdUrl: etcd.url, storageUrl };
    return new NodeProcess(plan, place);
  });
  for (const node of nodes) running.push(() => node.stop());
  // The first one tries what the storage can do, and leaves what it found to the others.
  const [first, ...others] = nodes;
  await first?.start();
  await Promise.all(others.map((node) => node.start()));
  for (const node of nodes) {
    const line = { nodeId: await node.nodeId(), s3: node.s3Url, admin: node.adminUrl, pid: node.pid };
    console.log(JSON.stringify(line));
  }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (!isEnding) void end(0);
  });
}
try {
  await start();
  // Nodes may be killed, which the others live with; it is this process that ends with a signal.
  setInterval(() => {}, 60_000);
} catch (error) {
  if (!isEnding) {
    console.error(error instanceof Error ? error.message : error);
    await end(1);
  }
}
