/**
 * `npm run chaos [-- --seed N] [--seconds N] [--runs N] [--mode through|back] [--nodes N] [--clients N] [--rate N] [--changes N] [--outside N [--lease N]]
 * [--only FAULT,…] [--settling N] [--json FILE]`: nodes, etcd and a storage, with clients that read and write the same few keys through any node while everything goes wrong between
 * them; then what the clients saw is checked (`docs/chaos.md`). `--runs N`: so many campaigns, of this seed and those after it. `--changes N`: of a hundred operations so many are changes (43).
 * `--outside N`: of a hundred changes so many
 * are made at the storage, where nodes ask for each read, or only after so many seconds (`--lease`). `--settling N`: nodes take it that
 * a change without an answer comes no later than after so many seconds. `--json`: a line a campaign is added there.
 * Exit code 1 if anything was found, 2 for wrong arguments, 3 if the campaign could not be carried out.
 */
import { appendFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type CampaignSettings, runCampaign } from './campaign/run-campaign.ts';
import { findEtcd } from './cluster/etcd-process.ts';
import { allFaults } from './faults/schedule.ts';
import { reportJson, reportLines, Totals, wasFound } from './report.ts';
import { findFakeTime } from './world/fake-clock.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seconds: { type: 'string' },
    runs: { type: 'string' },
    mode: { type: 'string', default: 'through' },
    nodes: { type: 'string' },
    clients: { type: 'string' },
    rate: { type: 'string' },
    changes: { type: 'string' },
    outside: { type: 'string' },
    lease: { type: 'string' },
    only: { type: 'string' },
    settling: { type: 'string' },
    json: { type: 'string' },
  },
});

function usage(what: string): never {
  console.error(what);
  return process.exit(2);
}

type Numbers =
  | 'seed'
  | 'seconds'
  | 'runs'
  | 'nodes'
  | 'clients'
  | 'rate'
  | 'changes'
  | 'outside'
  | 'lease'
  | 'settling';

function whole(name: Numbers, otherwise: number, most: number): number {
  const text = values[name];
  if (text === undefined) return otherwise;
  if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text);
  return usage(`--${name} takes a whole number of at most ${most}, not ${text}`);
}

const { mode } = values;
const isBack = mode === 'back';
if (!isBack && mode !== 'through') usage(`--mode ${mode}: there are through and back`);
const names = allFaults({ back: isBack }).map(({ name }) => name);
const only = values.only?.split(',');
const unknown = only?.filter((name) => !names.includes(name)) ?? [];
if (unknown.length > 0) usage(`no such fault: ${unknown.join(', ')}; there are ${names.join(', ')}`);

const firstSeed = whole('seed', Math.floor(Math.random() * 1e9), 999_999_999);
const seconds = whole('seconds', 300, 86_400);
const runs = whole('runs', 1, 10_000);
const outside = whole('outside', 0, 100);
const lease = whole('lease', 0, 3_600);
if (isBack && outside > 0) usage('--mode back is not promised with other writers at the storage');
// Longer than anything here takes that gets no answer; else hardly anything would ever be kept between two faults.
const settling = whole('settling', 8, 3_600);

/** With three nodes or four, and one thread or two each, as the seed says. */
function settingsOf(seed: number, etcdProgram: string, fakeTime: string | undefined): CampaignSettings {
  const nodes = whole('nodes', 3 + (seed % 2), 5);
  const threads = seed % 3 === 0 ? '2' : '1';
  return {
    seed,
    seconds,
    nodes,
    workload: {
      clients: whole('clients', 24, 200),
      perSecond: whole('rate', 80, 10_000),
      changes: whole('changes', 43, 100),
      outside,
    },
    settlingMs: 1000 * settling,
    freshMs: outside > 0 && lease > 0 ? 1000 * lease : undefined,
    mode: isBack ? 'back' : 'through',
    only,
    etcdProgram,
    fakeTime,
    settings: {
      FOREBAY_IO_THREADS: threads,
      // Where nobody changes anything behind the nodes' back nothing is forgotten for its age, so that what is wrong stays so.
      FOREBAY_BACKEND_SETTLING: `${settling}s`,
      FOREBAY_FRESHNESS_LEASE: `${outside > 0 ? lease : 3_600}s`,
      ...(isBack ? backSettings(seed) : {}),
    },
  };
}

/** Some of what is written waits for so long that other nodes have to take it over. */
function backSettings(seed: number): Readonly<Record<string, string>> {
  return {
    FOREBAY_WRITE_BACK_DELAY: ['0s', '1s', '10s'][seed % 3] as string,
    FOREBAY_WRITE_BACK_WHEN_FULL: seed % 4 < 2 ? 'through' : 'slow-down',
  };
}

async function runSeed(settings: CampaignSettings, totals: Totals): Promise<void> {
  const { seed, nodes } = settings;
  const result = await runCampaign(settings, stop.signal);
  for (const line of reportLines(result)) console.log(line);
  if (values.json !== undefined)
    await appendFile(values.json, `${JSON.stringify(reportJson(seed, seconds, result))}\n`);
  if (wasFound(result)) {
    const others = process.argv
      .slice(2)
      .join(' ')
      .replace(/--(seed|runs|seconds|nodes|json)[ =]\S+ ?/g, '');
    console.log(`again: npm run chaos -- --seed ${seed} --seconds ${seconds} --nodes ${nodes} ${others}`);
  }
  const found = totals.add(result);
  console.log(`seed ${seed}: ${result.operations} operations in ${seconds} s, ${found} violations`);
}

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => stop.abort(new Error(`ended by ${signal}`)));
}
try {
  const etcd = await findEtcd();
  if ('missing' in etcd) throw new Error(`etcd is not to be had: ${etcd.missing}`);
  const fakeTime = await findFakeTime();
  if ('missing' in fakeTime) console.log(`clocks are not set: ${fakeTime.missing}`);
  const library = 'library' in fakeTime ? fakeTime.library : undefined;
  const totals = new Totals();
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    await runSeed(settingsOf(seed, etcd.program, library), totals);
  }
  if (runs > 1) for (const line of totals.lines()) console.log(line);
  process.exitCode = totals.violations > 0 ? 1 : 0;
} catch (error) {
  console.error(error);
  // What a campaign that was stopped still waits for is not waited for.
  process.exit(3);
}
