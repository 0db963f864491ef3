/**
 * `npm run chaos:store -- [--seed N] [--runs N]`: stores of pages whose power goes at any step, and whose files are harmed, each
 * run from a seed of its own. Exit code 1 if a page was wrong, or one that had been removed was there again; then the seed is named.
 */
import { parseArgs } from 'node:util';
import { noCounts, runCampaign } from '../test/worker/disk/store-campaign.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, runs: { type: 'string', default: '500' } },
});
const first = Number(values.seed);
const runs = Number(values.runs);
if (!Number.isInteger(first) || !Number.isInteger(runs) || runs < 1) {
  console.error('usage: chaos:store [--seed N] [--runs N]');
  process.exit(2);
}
const counts = noCounts();
let violations = 0;
for (let seed = first; seed < first + runs; seed++) {
  try {
    await runCampaign(seed, counts);
  } catch (error) {
    violations++;
    console.error(`seed ${seed}: ${error instanceof Error ? error.stack : error}`);
  }
}
console.log(JSON.stringify({ ...counts, violations }));
process.exitCode = violations > 0 ? 1 : 0;
