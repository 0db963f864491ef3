/**
 * Replays workloads through the page store's policy of admission and eviction, beside LRU, FIFO and a bound that no cache exceeds.
 *
 *   npm run replay -- [--trace FILE.csv] [--cache 1,5,20] [--only NAME] [--json FILE]
 *
 * `--trace` replays a file of `key,size` lines in place of the synthetic workloads; `--cache` is the cache in percent of the bytes of all
 * entries; `--only` takes the workloads whose names contain it. The same parameters give the same numbers.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { parseArgs, promisify } from 'node:util';
import { compare, type Outcome, scale, workloads } from './suite.ts';
import type { Trace } from './trace.ts';
import { readTrace } from './trace-file.ts';

/** The page size that is the default of a node. */
const pageBytes = 4 * 1024 * 1024;

const { values } = parseArgs({
  options: {
    trace: { type: 'string' },
    cache: { type: 'string', default: '1,5,20' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
  },
});
const cacheShares = values.cache.split(',').map((percent) => Number(percent) / 100);
const chosen = workloads.filter(({ name }) => name.includes(values.only));
if (!cacheShares.every((share) => share > 0 && share <= 1) || chosen.length === 0) {
  console.error('usage: replay [--trace FILE.csv] [--cache 1,5,20] [--only NAME] [--json FILE]');
  console.error(`workloads: ${workloads.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

const outcomes: Outcome[] = [];
for await (const [trace, share] of traces()) outcomes.push(compare(trace, share));
await report();

async function* traces(): AsyncGenerator<[Trace, number]> {
  const file = values.trace === undefined ? undefined : await readTrace(values.trace, pageBytes);
  for (const share of cacheShares) {
    if (file) yield [file, share];
    else for (const workload of chosen) yield [workload.make(scale, share), share];
  }
}

async function report(): Promise<void> {
  const { stdout } = await promisify(execFile)('git', ['rev-parse', '--short', 'HEAD']).catch(() => ({
    stdout: 'unknown',
  }));
  const commit = stdout.trim();
  console.log(`commit ${commit}; byte hit ratio / object hit ratio, percent`);
  console.table(outcomes.map(rowOf));
  if (values.trace === undefined) {
    for (const { name, meaning } of chosen) console.log(`${name.padEnd(12)} ${meaning}`);
  }
  if (values.json === undefined) return;
  const parameters = values.trace === undefined ? scale : { trace: values.trace, pageBytes };
  await writeFile(values.json, `${JSON.stringify({ commit, parameters, outcomes }, null, 2)}\n`);
}

function rowOf(outcome: Outcome) {
  const shown = ({ bytes, objects }: Outcome['lru']) =>
    `${(100 * bytes).toFixed(1)} / ${(100 * objects).toFixed(1)}`;
  return {
    cache: `${(100 * outcome.cacheShare).toFixed(1)} %`,
    workload: outcome.workload,
    forebay: shown(outcome.forebay),
    LRU: shown(outcome.lru),
    FIFO: shown(outcome.fifo),
    'no cache exceeds': shown(outcome.bound),
    'written / filled': outcome.writtenPerFilled.toFixed(2),
    regions: outcome.regionCount,
  };
}
