import { join } from 'node:path';
import { runCommand } from './run-command.ts';
import type { Outcome } from './stage.ts';

const root = join(import.meta.dirname, '..');

/** So many seconds of it: a few kills. To begin, and to bring what is pending to its storage, takes as long again. */
const seconds = 12;

/** A short campaign of one node in write mode back, whose faults and operations are drawn the same each time: one test. */
export async function runShortPending(): Promise<Outcome> {
  const words = ['--seed', '1', '--seconds', String(seconds), '--away', '3'];
  const args = [join(root, 'chaos/pending/main.ts'), ...words];
  const { code, output } = await runCommand(process.execPath, args, { cwd: root, timeoutMs: 400_000 });
  const isSound = code === 0 && /^seed 1: [1-9]\d* operations .*, 0 violations$/m.test(output);
  return { passed: isSound ? 1 : 0, failed: isSound ? 0 : 1, skipped: 0, report: output };
}
