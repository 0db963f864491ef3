import type { ClusterStatus, JobRow, MountRow, NodeRow } from '../admin/cluster-status.ts';
import type { Filled } from '../admin/node-status.ts';
import type { Cell, Look, Paint } from './paint.ts';
import { percent, roundBytes, roundRate, roundSeconds } from './quantities.ts';

const healthLooks = { ok: 'good', warning: 'warn', error: 'bad' } as const;
const barCells = 10;
const maxFaultCharacters = 60;
const maxJobs = 10;

/** The cluster on one screen. */
export function statusScreen(status: ClusterStatus, paint: Paint): string[] {
  const { nodes, mounts, alarms } = status;
  return [
    headLine(status, paint),
    ...(alarms.length === 0 ? [] : ['', ...alarmLines(status, paint)]),
    '',
    paint.cell(['NODES', 'bold']),
    ...nodeTable(nodes, status, paint),
    '',
    paint.cell(['MOUNTS', 'bold']),
    ...mountTable(mounts, nodes, paint),
    '',
    ...jobTable(status.jobs, paint),
    ...sumLines(status, paint),
  ];
}

function headLine({ health, nodes, ring, time }: ClusterStatus, paint: Paint): string {
  const answering = nodes.filter(({ told }) => told).length;
  const count = nodes.length === 1 ? '1 node' : `${nodes.length} nodes`;
  const parts = [
    answering === nodes.length ? count : `${answering} of ${count} answer`,
    ...(ring ? [`view ${ring.epoch}${ring.mode === 'static' ? ', static' : ''}`] : []),
    time.replace('T', ' ').replace(/\.\d+Z$/, 'Z'),
  ];
  return `${paint.cell('forebay')} ${paint.cell([health, healthLooks[health]])}  ${parts.join('  ')}`;
}

function alarmLines({ alarms }: ClusterStatus, paint: Paint): string[] {
  return alarms.flatMap(({ level, what, advice }) => [
    `${paint.cell([level === 'error' ? 'error  ' : 'warning', level === 'error' ? 'bad' : 'warn'])}  ${paint.cell(what)}`,
    `         ${paint.cell([advice, 'dim'])}`,
  ]);
}

function nodeTable(nodes: readonly NodeRow[], { ring }: ClusterStatus, paint: Paint): string[] {
  const inCluster = ring === undefined ? [] : ['LEASE', 'SHARE'];
  const head = ['NODE', 'STATE', 'VERSION', 'UP', ...inCluster, 'REQ/S', 'HIT', 'MEMORY', 'DISK'];
  if (ring) head.push('S3');
  return paint.table(
    head,
    nodes.map((node) => nodeCells(node, ring !== undefined)),
  );
}

function nodeCells(node: NodeRow, isCluster: boolean): Cell[] {
  const { workerId, isThisNode, told, share } = node;
  const name: Cell = [`${workerId.slice(0, 8)}${isThisNode ? ' *' : ''}`, 'bold'];
  const empty = (count: number): Cell[] => Array.from({ length: count }, () => '-');
  const address = isCluster ? [node.s3 ?? '-'] : [];
  if (!told) {
    return [
      name,
      stateCell(node),
      ...empty(2),
      ...(isCluster ? ['-', percent(share)] : []),
      ...empty(4),
      ...address,
    ];
  }
  const { version, startedMs, nowMs, ring, traffic, memory, disk } = told;
  const { requests, seconds, givenBytes, cachedBytes } = traffic;
  const lease: Cell = ring?.hasLease ? ['valid', 'good'] : ['none', 'bad'];
  return [
    name,
    stateCell(node),
    version,
    roundSeconds((nowMs - startedMs) / 1_000),
    ...(isCluster ? [lease, percent(share)] : []),
    roundRate(requests / seconds),
    givenBytes === 0 ? '-' : percent(cachedBytes / givenBytes),
    fillOf(memory),
    disk ? fillOf(disk) : '-',
    ...address,
  ];
}

function stateCell({ state, told }: NodeRow): Cell {
  const looks: Readonly<Record<NodeRow['state'], Look>> = {
    joined: 'good',
    draining: 'warn',
    suspect: 'bad',
    silent: 'bad',
    away: 'warn',
    gone: 'bad',
  };
  const isHeldUp = told?.reasonNotReady !== undefined && state !== 'draining';
  return isHeldUp ? ['not ready', 'bad'] : [state, looks[state]];
}

function mountTable(mounts: readonly MountRow[], nodes: readonly NodeRow[], paint: Paint): string[] {
  const back = mounts.some(({ pending }) => pending.entries > 0);
  const head = ['MOUNT', 'STORAGE', 'MODE', 'FRESHNESS', 'REACHED', ...(back ? ['PENDING'] : [])];
  const answering = nodes.filter(({ told }) => told).length;
  const rows = mounts.map((mount): Cell[] => [
    [mount.name, 'bold'],
    mount.uri,
    mount.mode,
    mount.freshness,
    reachedCell(mount, answering),
    ...(back ? [pendingOf(mount)] : []),
  ]);
  return paint.table(head, rows);
}

function reachedCell({ asked, faults, slowestMs }: MountRow, answering: number): Cell {
  if (asked === 0) return ['not asked', 'dim'];
  const [first] = faults;
  if (!first) {
    const from = asked === answering ? '' : ` from ${asked} of ${answering} nodes`;
    return [`yes${from}, ${slowestMs} ms`, 'good'];
  }
  const from = asked === 1 ? 'no' : `not from ${faults.length} of ${asked}`;
  const { fault } = first;
  const short = fault.length <= maxFaultCharacters ? fault : `${fault.slice(0, maxFaultCharacters)}…`;
  return [`${from}: ${short}`, 'bad'];
}

function pendingOf({ pending: { entries, bytes, oldestSeconds = 0 } }: MountRow): string {
  if (entries === 0) return '-';
  return `${entries} writes, ${roundBytes(bytes)}, oldest ${roundSeconds(oldestSeconds)}`;
}

/** Nothing where there is none. */
function jobTable(jobs: readonly JobRow[], paint: Paint): string[] {
  if (jobs.length === 0) return [];
  const rows = jobs
    .slice(0, maxJobs)
    .map((job): Cell[] => [
      [job.id, 'bold'],
      `${job.kind}${job.isPlan ? ' (plan)' : ''} ${job.target}`.trimEnd(),
      job.state === 'running' ? [job.state, 'good'] : [job.state, 'warn'],
      job.isListed ? `${job.done} of ${job.listed} objects` : `${job.done} objects, listing`,
      roundBytes(job.bytes),
      job.failed > 0 ? [String(job.failed), 'bad'] : '0',
      roundSeconds(job.seconds),
    ]);
  const more = jobs.length > maxJobs ? [`  and ${jobs.length - maxJobs} more: forebay job list`] : [];
  const head = ['JOB', 'WHAT', 'STATE', 'DONE', 'BYTES', 'FAILED', 'SINCE'];
  return [paint.cell(['JOBS', 'bold']), ...paint.table(head, rows), ...more, ''];
}

function sumLines({ cache, traffic }: ClusterStatus, paint: Paint): string[] {
  const { memory, disk, objects } = cache;
  const hit = traffic.hitRatio === undefined ? '' : `  ${percent(traffic.hitRatio)} of bytes were hits`;
  const disks = disk ? `  disk ${bar(disk)} ${fillOf(disk)}` : '';
  const faults: Cell = [
    `${roundRate(traffic.faultsPerSecond)} faults/s`,
    traffic.faultsPerSecond > 0 ? 'bad' : 'good',
  ];
  const slow: Cell = [
    `${roundRate(traffic.slowDownsPerSecond)} SlowDown/s`,
    traffic.slowDownsPerSecond > 0 ? 'warn' : 'good',
  ];
  return [
    `${paint.cell(['CACHE', 'bold'])}     memory ${bar(memory)} ${fillOf(memory)}${disks}  ${objects} objects${hit}`,
    `${paint.cell(['REQUESTS', 'bold'])}  ${roundRate(traffic.requestsPerSecond)}/s  ${paint.cell(faults)}  ${paint.cell(slow)}  ${roundRate(traffic.refusedPerSecond)} refused/s  ${roundBytes(traffic.bytesPerSecond)}/s  ${traffic.inFlight} under way`,
  ];
}

function fillOf({ usedBytes, capacityBytes }: Filled): string {
  return `${roundBytes(usedBytes)} of ${roundBytes(capacityBytes)}`;
}

function bar({ usedBytes, capacityBytes }: Filled): string {
  const part = capacityBytes === 0 ? 0 : Math.min(1, usedBytes / capacityBytes);
  const full = Math.round(part * barCells);
  return `[${'#'.repeat(full)}${'.'.repeat(barCells - full)}]`;
}
