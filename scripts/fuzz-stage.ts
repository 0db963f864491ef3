import { join } from 'node:path';
import { runCommand } from './run-command.ts';
import type { Outcome } from './stage.ts';

const root = join(import.meta.dirname, '..');

/** So many cases of each: a few seconds. */
const selection: readonly (readonly [fuzzers: string, cases: number])[] = [
  ['root-moto,mount-moto,root-s3proxy,mount-s3proxy', 12],
  ['lists', 25],
  ['signatures,signatures-botocore,decoders', 1500],
  ['wire', 300],
  ['bodies', 1500],
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
    const tried = lines.filter(([, , done]) => done === String(cases)).length;
    sum.passed += tried - failed;
    sum.skipped += code === 1 ? 0 : fuzzers.split(',').length - tried;
    // What ended otherwise than a fuzzer ends was not tried, and is no success.
    sum.failed += failed > 0 ? failed : code === 0 ? 0 : 1;
    reports.push(output);
  }
  return { ...sum, report: reports.join('\n') };
}
