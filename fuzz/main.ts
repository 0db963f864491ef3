/**
 * `npm run fuzz [-- --seed N] [--seconds N] [--sequences N] [--only NAME,…] [--case N] [--violations N]`: random input of every kind, each
 * answer judged by another server, another signer, a model, or by what must always hold. Without a seed one is chosen and told. The seconds are
 * shared by the fuzzers; `--sequences` bounds each of them. What is found is shrunk and printed with the command that repeats it.
 * Exit code 1 if anything was found, 2 for wrong arguments, 3 if something could not be tried.
 */
import { parseArgs } from 'node:util';
import { NotInstallable } from '../conformance/backends/storage-server.ts';
import { decoderFuzzers } from './decoders/fuzzers.ts';
import { differentialFuzzers } from './differential/fuzzers.ts';
import { type CampaignResult, type Limits, runCampaign } from './lib/campaign.ts';
import type { Fuzzer } from './lib/fuzzer.ts';
import { listFuzzers } from './lists/fuzzers.ts';
import { signatureFuzzers } from './signatures/fuzzers.ts';
import { wireFuzzers } from './wire/fuzzers.ts';

const fuzzers: readonly Fuzzer[] = [
  ...differentialFuzzers,
  ...listFuzzers,
  ...signatureFuzzers,
  ...decoderFuzzers,
  ...wireFuzzers,
];

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seconds: { type: 'string' },
    sequences: { type: 'string' },
    only: { type: 'string' },
    case: { type: 'string' },
    violations: { type: 'string', default: '1' },
  },
});

function whole(name: 'seed' | 'seconds' | 'sequences' | 'case' | 'violations', otherwise: number): number {
  const text = values[name];
  if (text === undefined) return otherwise;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  console.error(`--${name} takes a whole number, not ${text}`);
  return process.exit(2);
}

function chosen(): readonly Fuzzer[] {
  const names = values.only?.split(',') ?? fuzzers.map(({ name }) => name);
  const unknown = names.filter((name) => !fuzzers.some((fuzzer) => fuzzer.name === name));
  if (unknown.length === 0) return fuzzers.filter(({ name }) => names.includes(name));
  console.error(
    `no such fuzzer: ${unknown.join(', ')}; there are ${fuzzers.map(({ name }) => name).join(', ')}`,
  );
  return process.exit(2);
}

function report(fuzzer: Fuzzer, seed: number, result: CampaignResult): void {
  for (const violation of result.violations) {
    console.log(`\n✕ ${fuzzer.title}: ${violation.what}\n${violation.input}`);
    console.log(`again: npm run fuzz -- --only ${fuzzer.name} --seed ${seed} --case ${violation.case}`);
  }
  for (const line of result.summary) console.log(`  ${line}`);
  const found = result.violations.length;
  console.log(`${fuzzer.name}: ${result.cases} cases in ${result.seconds.toFixed(0)} s, ${found} violations`);
}

const wanted = chosen();
const seed = whole('seed', Math.floor(Math.random() * 1e9));
const bounded = values.seconds !== undefined || values.sequences === undefined;
const seconds = bounded ? whole('seconds', 120) / wanted.length : Number.POSITIVE_INFINITY;
const limits: Limits = {
  seed,
  firstCase: whole('case', 0),
  cases: values.case === undefined ? whole('sequences', Number.MAX_SAFE_INTEGER) : 1,
  seconds,
  violations: whole('violations', 1),
};
console.log(`seed ${seed}`);
let violations = 0;
let cases = 0;
let failed = false;
let leftOut = false;
for (const fuzzer of wanted) {
  let isTold = false;
  try {
    await runCampaign(fuzzer, limits, (result) => {
      isTold = true;
      report(fuzzer, seed, result);
      violations += result.violations.length;
      cases += result.cases;
    });
  } catch (error) {
    const mayBeAway = error instanceof NotInstallable && process.env.CI !== 'true';
    if (!mayBeAway) console.log(error);
    if (mayBeAway) leftOut = true;
    else failed = true;
    const said = error instanceof Error ? error.message : error;
    console.log(`${fuzzer.name}: ${isTold ? 'afterwards' : 'left out'}, ${said}`);
  }
}
process.exitCode = violations > 0 ? 1 : failed || (cases === 0 && !leftOut) ? 3 : 0;
