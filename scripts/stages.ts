import { join } from 'node:path';
import { runOverFiles, runOverServers, runTables, smallClientNames } from '../conformance/suite-stages.ts';
import { runShortChaos } from './chaos-stage.ts';
import { runFuzzSelection } from './fuzz-stage.ts';
import { runImageCheck } from './image-check.ts';
import { runShortPending } from './pending-stage.ts';
import { runCommand } from './run-command.ts';
import { runJestAgain } from './run-jest.ts';
import type { Outcome, Stage } from './stage.ts';

const root = join(import.meta.dirname, '..');

/** A tool that either agrees or does not counts as one test. */
async function runTool(args: readonly string[]): Promise<Outcome> {
  const { code, output } = await runCommand(process.execPath, args, { cwd: root });
  const ok = code === 0;
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0, report: output };
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
    run: () => runJestAgain(['--testPathIgnorePatterns', 'test/hostile/']),
  },
  {
    name: 'hostile',
    title: 'hostile clients (jest, raw sockets)',
    run: () => runJestAgain(['test/hostile']),
  },
  { name: 'fuzz', title: 'random input, the same each time', run: () => runFuzzSelection() },
  { name: 'chaos', title: 'a cluster under faults', run: () => runShortChaos() },
  { name: 'pending', title: 'write mode back, killed', run: () => runShortPending() },
  ...smallClientNames.map(({ name, title }) => ({
    name,
    title: `conformance: ${title}`,
    run: () => runOverFiles(name),
  })),
  { name: 'tables', title: 'conformance: writers of Delta and Iceberg tables', run: runTables },
  { name: 'backends', title: 'conformance: over S3Proxy and moto', run: runOverServers },
  { name: 'image', title: 'container image', run: () => runImageCheck() },
];
