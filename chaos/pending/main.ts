/**
 * `npm run chaos:pending [-- --seed N] [--seconds N] [--runs N] [--clients N] [--away SECONDS] [--json FILE]`: one node over an `s3://` storage in write
 * mode back, which is killed while its disk is full and its storage out of order; clients write down outside it what they asked for and were
 * told, and in the end it is compared with what the storage has (`docs/writes.md`). `--away`: the longest that the storage is gone. `--json`: a
 * line a campaign is added there. Exit code 1 if a write was lost, or anything else was wrong; 2 for wrong arguments, 3 if it could not be carried out.
 */
import { appendFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type PendingResult, runPendingCampaign } from './run-pending-campaign.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seconds: { type: 'string' },
    runs: { type: 'string' },
    clients: { type: 'string' },
    away: { type: 'string' },
    json: { type: 'string' },
  },
});

function whole(
  name: 'seed' | 'seconds' | 'runs' | 'clients' | 'away',
  otherwise: number,
  most: number,
): number {
  const text = values[name];
  if (text === undefined) return otherwise;
  if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text);
  console.error(`--${name} takes a whole number of at most ${most}, not ${text}`);
  return process.exit(2);
}

const firstSeed = whole('seed', Math.floor(Math.random() * 1e9), 999_999_999);
const seconds = whole('seconds', 120, 86_400);
const runs = whole('runs', 1, 10_000);
const clients = whole('clients', 12, 100);
const awayMs = 1_000 * whole('away', 10, 3_600);
/** Events before a violation that are shown with it. */
const shownEvents = 60;

function inOrder(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function show(result: PendingResult): number {
  const { operations, acknowledged, storageChanges, flushMs, failedStarts, violations, complaints, events } =
    result;
  console.log(`faults: ${inOrder(result.faults)}; ${failedStarts} starts failed`);
  console.log(`not answered as hoped: ${inOrder(result.refusals)}`);
  console.log(
    `${operations} operations, acknowledged: ${inOrder(acknowledged)}; ${storageChanges} PUTs at the storage; all was there ${(flushMs / 1_000).toFixed(1)} s after the last start`,
  );
  for (const what of complaints.slice(0, 20)) console.log(`✕ ${what}`);
  for (const { key, what, history } of violations) {
    console.log(`✕ ${key}: ${what}`);
    for (const line of history.slice(-40)) console.log(`    ${JSON.stringify(line)}`);
  }
  const found = violations.length + complaints.length;
  if (found > 0)
    console.log('what was done, at last:', ...events.slice(-shownEvents).map((line) => `\n  ${line}`));
  return found;
}

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => stop.abort(new Error(`ended by ${signal}`)));
}
let violations = 0;
try {
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    const result = await runPendingCampaign({ seed, seconds, clients, awayMs }, stop.signal);
    const found = show(result);
    violations += found;
    console.log(`seed ${seed}: ${result.operations} operations in ${seconds} s, ${found} violations`);
    if (found > 0)
      console.log(
        `again: npm run chaos:pending -- --seed ${seed} --seconds ${seconds} --clients ${clients} --away ${awayMs / 1_000}`,
      );
    if (values.json !== undefined) {
      const { faults, refusals, acknowledged, ...rest } = result;
      const line = {
        seed,
        seconds,
        ...rest,
        faults: Object.fromEntries(faults),
        refusals: Object.fromEntries(refusals),
        acknowledged: Object.fromEntries(acknowledged),
      };
      await appendFile(values.json, `${JSON.stringify(line)}\n`);
    }
  }
  process.exitCode = violations > 0 ? 1 : 0;
} catch (error) {
  console.error(error);
  process.exit(3);
}
