import { join } from 'node:path';
import { runCommand } from './run-command.ts';
import type { Outcome } from './stage.ts';

const root = join(import.meta.dirname, '..');

/** So many cases of each: a few seconds. */
const selection: readonly (readonly [fuzzers: string, cases: number])[] = [
  ['root-moto,mount-moto,root-s3proxy,mount-s3proxy', 6],
  ['lists,versions', 10],
  ['signatures,signatures-botocore,decoders', 400],
  ['wire', 150],
  ['bodies', 500],
];

const line = /^([\w-]+): (?:(\d+) cases in \d+ s, (\d+) violations|left out, .*)$/gm;

/** A short selection of cases, the same each time: each fuzzer counts as one test. */
export async function runFuzzSelection(): Promise<Outcome> {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  const reports: string[] = [];
  for (const [fuzzers, cases] of selection) {
    const args = [join(root, 'fuzz/main.ts'), '--seed', '1', '--only', fuzzers, '--sequences', String(cases)];
    const { code, output } = await runCommand(process.execPath, args, { cwd: root, timeoutMs: 300_000 });
    const lines = [...output.matchAll(line)];
    const failed = lines.filter(
      ([, , , violations]) => violations !== undefined && violations !== '0',
    ).length;
    const passed = lines.filter(([, , done, found]) => done === String(cases) && found === '0').length;
    const leftOut = lines.filter(([, , done]) => done === undefined).length;
    sum.passed += passed;
    // What ended otherwise than a fuzzer ends was not tried, and is no success.
    const lost = fuzzers.split(',').length - passed - failed - leftOut;
    sum.failed += failed + lost + (code === 3 ? leftOut : 0);
    sum.skipped += code === 3 ? 0 : leftOut;
    reports.push(output);
  }
  return { ...sum, report: reports.join('\n') };
}
