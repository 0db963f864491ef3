import { execFile } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { promisify } from 'node:util';
import type { Row } from './contest.ts';

/** What figures are to be read with. */
export interface Circumstances {
  readonly commit: string;
  readonly machine: string;
  /** Load average of the last minute before anything began: what else the machine does. */
  readonly loadBefore: number;
}

export async function circumstances(): Promise<Circumstances> {
  const loadBefore = loadavg()[0] ?? 0;
  const { stdout: commit } = await promisify(execFile)('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: import.meta.dirname,
  }).catch(() => ({ stdout: 'unknown' }));
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`;
  return { commit: commit.trim(), machine, loadBefore };
}

export function asLine({ commit, machine, loadBefore }: Circumstances): string {
  return `commit ${commit}, ${machine}, load before ${loadBefore.toFixed(1)}`;
}

export function printRows(rows: readonly Row[]): void {
  const known = (value: number | null, digits: number) => value?.toFixed(digits) ?? '–';
  console.table(
    rows.map((row) => ({
      case: row.case,
      server: row.server,
      'CPU µs/request': known(row.cpuMicrosPerRequest, 1),
      'least of the rounds': known(row.leastCpuMicrosPerRequest, 1),
      '× nginx static': known(row.ratioToNginxStatic, 2),
      'req/s': row.requestsPerSecond.toFixed(0),
      'MiB/s': row.mebibytesPerSecond.toFixed(0),
      'first byte p50 ms': row.firstByteP50Ms.toFixed(2),
      'p50 ms': row.p50Ms.toFixed(2),
      'p99 ms': row.p99Ms.toFixed(2),
      'hits %': row.hitShare === null ? '–' : (row.hitShare * 100).toFixed(0),
      failures: row.failures,
    })),
  );
}
