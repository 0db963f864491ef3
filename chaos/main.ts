/**
 * `npm run chaos [-- --seed N] [--seconds N] [--mode through|back] [--nodes N] [--clients N] [--rate N] [--outside N] [--only FAULT,…] [--json FILE]`:
 * nodes, etcd and a storage, with clients that read and write the same few keys through any node while everything goes wrong between them; then what the
 * clients saw is checked (`docs/chaos.md`). `--outside N`: of a hundred changes so many are made at the storage, with every read validated.
 * Exit code 1 if anything was found, 2 for wrong arguments, 3 if the campaign could not be carried out.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { runCampaign } from './campaign/run-campaign.ts';
import { findEtcd } from './cluster/etcd-process.ts';
import { allFaults } from './faults/schedule.ts';
import { reportJson, reportLines, wasFound } from './report.ts';
import { findFakeTime } from './world/fake-clock.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seconds: { type: 'string' },
    mode: { type: 'string', default: 'through' },
    nodes: { type: 'string' },
    clients: { type: 'string' },
    rate: { type: 'string' },
    outside: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});

function usage(what: string): never {
  console.error(what);
  return process.exit(2);
}

function whole(
  name: 'seed' | 'seconds' | 'nodes' | 'clients' | 'rate' | 'outside',
  otherwise: number,
  most: number,
): number {
  const text = values[name];
  if (text === undefined) return otherwise;
  if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text);
  return usage(`--${name} takes a whole number of at most ${most}, not ${text}`);
}

if (values.mode !== 'through') usage(`--mode ${values.mode}: only through is there`);
const names = allFaults().map(({ name }) => name);
const only = values.only?.split(',');
const unknown = only?.filter((name) => !names.includes(name)) ?? [];
if (unknown.length > 0) usage(`no such fault: ${unknown.join(', ')}; there are ${names.join(', ')}`);

const seed = whole('seed', Math.floor(Math.random() * 1e9), 999_999_999);
const seconds = whole('seconds', 300, 86_400);
const nodes = whole('nodes', 3 + (seed % 2), 5);
const outside = whole('outside', 0, 100);
const workload = { clients: whole('clients', 12, 200), perSecond: whole('rate', 60, 10_000), outside };

try {
  const etcd = await findEtcd();
  if ('missing' in etcd) throw new Error(`etcd is not to be had: ${etcd.missing}`);
  const fakeTime = await findFakeTime();
  if ('missing' in fakeTime) console.log(`clocks are not set: ${fakeTime.missing}`);
  const result = await runCampaign({
    seed,
    seconds,
    nodes,
    workload,
    only,
    etcdProgram: etcd.program,
    fakeTime: 'library' in fakeTime ? fakeTime.library : undefined,
    settings: {
      FOREBAY_IO_THREADS: seed % 3 === 0 ? '2' : '1',
      ...(outside > 0 ? { FOREBAY_FRESHNESS_LEASE: '0s' } : {}),
    },
  });
  for (const line of reportLines(result)) console.log(line);
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify(reportJson(seed, seconds, result))}\n`);
  const again = `npm run chaos -- --seed ${seed} --seconds ${seconds} --nodes ${nodes}${outside > 0 ? ` --outside ${outside}` : ''}`;
  if (wasFound(result)) console.log(`again: ${again}`);
  const found = result.violations.length + result.complaints.length;
  console.log(`seed ${seed}: ${result.operations} operations in ${seconds} s, ${found} violations`);
  process.exitCode = found > 0 ? 1 : 0;
} catch (error) {
  console.error(error);
  process.exitCode = 3;
}
