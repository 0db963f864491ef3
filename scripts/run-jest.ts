import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandOptions, runCommand } from './run-command.ts';
import type { Outcome } from './stage.ts';

const root = join(import.meta.dirname, '..');

interface JestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

/** Runs jest in its own process, with its report as JSON in `file`. */
export async function runJestInto(file: string, args: readonly string[], options: CommandOptions = {}) {
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const flags = ['--experimental-vm-modules', '--no-warnings', jest, '--json', `--outputFile=${file}`];
  const { code, output } = await runCommand(process.execPath, [...flags, ...args], { cwd: root, ...options });
  // With --json the results are on standard output too, as one line of no use to a reader.
  const lines = output.split('\n').filter((line) => !line.startsWith('{"num'));
  return { code, report: lines.join('\n') };
}

/** Runs jest; a test file that cannot even be loaded counts as one failed test. */
export async function runJest(args: readonly string[], timeoutMs?: number): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'forebay-jest-'));
  const file = join(folder, 'results.json');
  try {
    const { code, report } = await runJestInto(file, args, { timeoutMs });
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text === undefined) return { passed: 0, failed: 1, skipped: 0, report };
    const results = JSON.parse(text) as JestResults;
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    return {
      passed: results.numPassedTests,
      // Jest also fails for reasons that belong to no test, such as a missed coverage threshold.
      failed: failed === 0 && code !== 0 ? 1 : failed,
      skipped: results.numPendingTests + results.numTodoTests,
      report,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
