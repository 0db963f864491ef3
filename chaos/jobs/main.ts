/**
 * `npm run chaos:jobs [-- --small N] [--large N] [--kills N] [--nodes N] [--seed N] [--bandwidth SIZE]`: a cluster loads what lies at a storage while nodes are killed
 * without a word, whoever plans or works, one at a time, and started again. Where a load ends before all kills were done, everything is freed and loaded once more. The
 * counts of each load have to be exact. At last everything is loaded and verified, and read: the storage may not be asked for a byte.
 * Exit code 1 if anything was otherwise, 2 for wrong arguments.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runKillCampaign } from './kill-campaign.ts';
import { LoadedCluster } from './loaded-cluster.ts';

const { values } = parseArgs({
  options: {
    small: { type: 'string', default: '100000' },
    large: { type: 'string', default: '20' },
    kills: { type: 'string', default: '20' },
    nodes: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    bandwidth: { type: 'string', default: '8MiB' },
  },
});

function whole(name: 'small' | 'large' | 'kills' | 'nodes' | 'seed', least: number, most: number): number {
  const number = Number(values[name]);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  console.error(`--${name} takes a whole number from ${least} to ${most}, not ${values[name]}`);
  return process.exit(2);
}

const MiB = 1024 * 1024;
const set = {
  small: whole('small', 1, 10_000_000),
  smallBytes: 4096,
  large: whole('large', 0, 1_000),
  largeBytes: 64 * MiB + 1,
};
const settings = {
  kills: whole('kills', 0, 1_000),
  seed: whole('seed', 0, 999_999_999),
  bandwidth: values.bandwidth,
  print: (line: string) => console.log(line),
};
const nodes = whole('nodes', 2, 8);
const folder = await mkdtemp(join(tmpdir(), 'forebay-chaos-jobs-'));
const root = { accessKeyId: 'AKIDCHAOSOFJOBS', secretAccessKey: 'secret-of-the-chaos-of-jobs' };
// What is validated once stays so: the reads at the end may not ask the storage.
const environment = { FOREBAY_FRESHNESS_LEASE: '24h', FOREBAY_IO_THREADS: '1', FOREBAY_CACHE_DISK: '8GiB' };
try {
  const loaded = await LoadedCluster.start(folder, nodes, root, set, environment);
  try {
    const complaints = await runKillCampaign(loaded, settings);
    for (const complaint of complaints) console.log(`✕ ${complaint}`);
    console.log(`${complaints.length} complaints`);
    process.exitCode = complaints.length > 0 ? 1 : 0;
  } finally {
    await loaded.close();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
