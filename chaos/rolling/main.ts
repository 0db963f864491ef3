/**
 * Restarts the nodes of a cluster one after the other, each drained before (or, with `--no-drain`, just ended), while clients that try nothing twice write and read through
 * all that say they are ready. Exit code 1 if a request failed, or was answered with anything but what was written before.
 *
 *   npm run chaos:rolling -- [--nodes N] [--clients N] [--no-drain]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SmallCluster } from '../cluster/small-cluster.ts';
import { rollThrough } from './rolling-restart.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '3' },
    clients: { type: 'string', default: '12' },
    'no-drain': { type: 'boolean', default: false },
  },
});
const nodes = Number(values.nodes);
const clients = Number(values.clients);
if (!Number.isInteger(nodes) || nodes < 2 || nodes > 16 || !Number.isInteger(clients) || clients < 1) {
  console.error('usage: chaos:rolling [--nodes N] [--clients N] [--no-drain], with 2 to 16 nodes');
  process.exit(2);
}
const folder = await mkdtemp(join(tmpdir(), 'forebay-rolling-'));
const root = { accessKeyId: 'AKIDROLLING', secretAccessKey: 'secret-of-the-rolling-restart' };
try {
  const cluster = await SmallCluster.start(folder, nodes, root);
  try {
    const report = await rollThrough(cluster, {
      clients,
      restarts: nodes,
      drain: !values['no-drain'],
      lookEveryMs: 500,
      calmMs: 3_000,
    });
    console.log(JSON.stringify({ ...report, failures: report.failures.slice(0, 20) }, null, 2));
    console.log(`${report.reads + report.writes} requests, ${report.failures.length} failed`);
    process.exitCode = report.failures.length > 0 ? 1 : 0;
  } finally {
    await cluster.close();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
