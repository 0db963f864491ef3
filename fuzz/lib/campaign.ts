import { performance } from 'node:perf_hooks';
import { caseSeed } from './draws.ts';
import type { Fuzzer, FuzzRun, Violation } from './fuzzer.ts';

export interface Limits {
  readonly seed: number;
  /** The first case, 0 unless one is to be repeated. */
  readonly firstCase: number;
  /** Cases of one fuzzer at most. */
  readonly cases: number;
  readonly seconds: number;
  /** After so many violations a fuzzer gives up. */
  readonly violations: number;
}

export interface FoundViolation extends Violation {
  readonly case: number;
}

export interface CampaignResult {
  readonly cases: number;
  readonly seconds: number;
  readonly violations: readonly FoundViolation[];
  readonly summary: readonly string[];
}

/** Tries one case after another until a limit is reached, and hands what became of them to `report` before anything is closed. */
export async function runCampaign(
  fuzzer: Fuzzer,
  limits: Limits,
  report: (result: CampaignResult) => void,
): Promise<void> {
  const run = await fuzzer.open();
  try {
    report(await tryCases(run, limits));
  } finally {
    await run.close();
  }
}

/** What a fuzzer did not reckon with, such as an answer that cannot be read, is a violation too. */
async function tryCase(run: FuzzRun, seed: number): Promise<Violation | undefined> {
  try {
    return await run.tryCase(seed);
  } catch (error) {
    return { what: error instanceof Error ? (error.stack ?? error.message) : String(error), input: '' };
  }
}

async function tryCases(run: FuzzRun, limits: Limits): Promise<CampaignResult> {
  const startedMs = performance.now();
  const seconds = () => (performance.now() - startedMs) / 1000;
  const violations: FoundViolation[] = [];
  let cases = 0;
  while (cases < limits.cases && seconds() < limits.seconds && violations.length < limits.violations) {
    const index = limits.firstCase + cases++;
    const violation = await tryCase(run, caseSeed(limits.seed, index));
    if (violation !== undefined) violations.push({ ...violation, case: index });
  }
  return { cases, seconds: seconds(), violations, summary: run.summary() };
}
