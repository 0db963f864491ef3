import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runSuite } from '../conformance/run-suite.ts';
import { runImageCheck } from './image-check.ts';
import { runCommand } from './run-command.ts';
import type { Outcome, Stage } from './stage.ts';

const root = join(import.meta.dirname, '..');

/** A tool that either agrees or does not counts as one test. */
async function runTool(args: readonly string[]): Promise<Outcome> {
  const { code, output } = await runCommand(process.execPath, args, { cwd: root });
  const ok = code === 0;
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0, report: output };
}

interface JestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

/** Runs jest in its own process; a test file that cannot even be loaded counts as one failed test. */
export async function runJest(args: readonly string[], timeoutMs?: number): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'forebay-jest-'));
  const file = join(folder, 'results.json');
  try {
    const jest = join(root, 'node_modules/jest/bin/jest.js');
    const flags = ['--experimental-vm-modules', '--no-warnings', jest, '--json', `--outputFile=${file}`];
    const { code, output } = await runCommand(process.execPath, [...flags, ...args], {
      cwd: root,
      timeoutMs,
    });
    // With --json the results are on standard output too, as one line of no use to a reader.
    const report = output
      .split('\n')
      .filter((line) => !line.startsWith('{"num'))
      .join('\n');
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

/** In the order in which they run: the quick ones first. */
export const stages: readonly Stage[] = [
  {
    name: 'types',
    title: 'types (tsc)',
    run: () => runTool(['node_modules/typescript/bin/tsc', '--noEmit', '-p', '.']),
  },
  {
    name: 'lint',
    title: 'lint and format (Biome)',
    run: () => runTool(['node_modules/@biomejs/biome/bin/biome', 'check', '--max-diagnostics=50', '.']),
  },
  {
    name: 'unit',
    title: 'unit tests (jest)',
    run: () => runJest(['--testPathIgnorePatterns', 'test/hostile/']),
  },
  { name: 'hostile', title: 'hostile clients (jest, raw sockets)', run: () => runJest(['test/hostile']) },
  { name: 'boto3', title: 'conformance: boto3', run: () => runSuite('boto3') },
  { name: 'cli', title: 'conformance: aws CLI', run: () => runSuite('cli') },
  { name: 'image', title: 'container image', run: () => runImageCheck() },
];
