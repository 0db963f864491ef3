import { join } from 'node:path';
import { findEtcd } from '../chaos/cluster/etcd-process.ts';
import { runCommand } from './run-command.ts';
import { leftOut, type Outcome } from './stage.ts';

const root = join(import.meta.dirname, '..');

/** So many seconds of it. Without a defect it takes twice as long, to begin and to heal. */
const seconds = 15;

/** A short campaign, whose faults and operations are drawn the same each time: one test. */
export async function runShortChaos(): Promise<Outcome> {
  const etcd = await findEtcd();
  if ('missing' in etcd) return leftOut(etcd.missing);
  const args = [join(root, 'chaos/main.ts'), '--seed', '1', '--seconds', String(seconds), '--nodes', '3'];
  const { code, output } = await runCommand(process.execPath, args, { cwd: root, timeoutMs: 300_000 });
  const isSound = code === 0 && /^seed 1: [1-9]\d* operations .*, 0 violations$/m.test(output);
  return { passed: isSound ? 1 : 0, failed: isSound ? 0 : 1, skipped: 0, report: output };
}
