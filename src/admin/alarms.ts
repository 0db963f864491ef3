import type { JobRow, MountRow, NodeRow, TrafficSum } from './cluster-status.ts';
import { rootName } from './mount-reach.ts';

/** What is not as it should be, and what to do about it, in plain words. `error`: something is refused, lost or not there. */
export interface Alarm {
  readonly level: 'error' | 'warning';
  readonly what: string;
  readonly advice: string;
}

export interface AlarmFacts {
  readonly nodes: readonly NodeRow[];
  readonly mounts: readonly MountRow[];
  readonly traffic: TrafficSum;
  readonly jobs: readonly JobRow[];
  readonly nowMs: number;
}

const slowPersistSeconds = 300;
const fullShare = 0.8;
/** A question has its time; what is beyond is the clock. */
const clockDifferenceMs = 30_000;
const faultShare = 0.01;
/** So few are chance. */
const faultsAMinute = 5;

/** The errors first. Nothing where all is well. */
export function alarmsOf({ nodes, mounts, traffic, jobs, nowMs }: AlarmFacts): readonly Alarm[] {
  const alarms = [
    ...nodes.flatMap((node) => [...ofAbsent(node), ...ofNode(node, nowMs)]),
    ...ofVersions(nodes),
    ...mounts.flatMap((mount) => ofMount(mount)),
    ...ofTraffic(traffic),
    ...jobs.flatMap((job) => ofJob(job)),
  ];
  const of = (level: Alarm['level']) => alarms.filter((alarm) => alarm.level === level);
  return [...of('error'), ...of('warning')];
}

/** How a node is named in a sentence. */
export function nameOf({ workerId, host }: Pick<NodeRow, 'workerId' | 'host'>): string {
  return host ? `${workerId.slice(0, 8)} (${host})` : workerId.slice(0, 8);
}

function error(what: string, advice: string): Alarm {
  return { level: 'error', what, advice };
}

function warning(what: string, advice: string): Alarm {
  return { level: 'warning', what, advice };
}

function ofAbsent(node: NodeRow): Alarm[] {
  const name = `the node ${nameOf(node)}`;
  if (node.state === 'silent') {
    return [
      error(
        `${name} does not answer: ${node.silence}`,
        'see whether its process runs and what its log says, and whether its peer port is reached from the other nodes',
      ),
    ];
  }
  if (node.state === 'gone') {
    return [
      error(
        `${name} went ${node.goneSeconds} s ago without handing over what it owned`,
        'see what its log says, and start it again; the others serve what it owned',
      ),
    ];
  }
  if (node.state === 'away') {
    return [
      warning(
        `the registered worker ${nameOf(node)} is away, and its pages are not served from a cache`,
        `start it, or run forebay node remove ${node.workerId}`,
      ),
    ];
  }
  if (node.state === 'suspect') {
    return [
      error(
        `${name} could not be reached by another node, so it owns nothing for now`,
        'see whether its process runs and whether its peer port is reached from all nodes',
      ),
    ];
  }
  return [];
}

function ofNode(node: NodeRow, nowMs: number): Alarm[] {
  const { told } = node;
  if (!told) return [];
  const name = `the node ${nameOf(node)}`;
  const alarms: Alarm[] = [];
  const { ring, reasonNotReady, foldersDown, pending, auditFault, traffic } = told;
  if (node.state === 'draining') {
    alarms.push(warning(`${name} has been drained`, 'end it, or start it again'));
  } else if (reasonNotReady !== undefined) {
    const advice =
      ring?.stoppedBecause === undefined
        ? 'wait, or see what its log says'
        : 'decide whether to go on with this state, then run forebay ring raise-generation at any node';
    alarms.push(error(`${name} is not ready: ${reasonNotReady}`, advice));
  } else if (ring && !ring.hasLease) {
    const advice =
      'see whether it reaches etcd; it asks the storage for everything and acknowledges no write';
    alarms.push(error(`${name} has no view lease`, advice));
  }
  if (ring?.frozen && node.isThisNode) {
    const advice = 'start the lost nodes again, or run forebay ring thaw';
    alarms.push(error('over a third of the nodes was lost at once: pages stay placed on them', advice));
  }
  if (auditFault !== undefined) {
    const advice = 'make room, or mend the disk of its data folder';
    alarms.push(error(`${name} refuses changes, for its audit log cannot be written: ${auditFault}`, advice));
  }
  for (const { path, message } of foldersDown) {
    const advice = 'make room, or mend the disk; the node goes on without it and tries again';
    alarms.push(warning(`${name} keeps no pages in ${path}: ${message}`, advice));
  }
  if (traffic.lostLogLines > 0) {
    const advice = 'see who reads its log, and how fast';
    alarms.push(warning(`${name} lost ${traffic.lostLogLines} lines of its log in the last minute`, advice));
  }
  if (Math.abs(told.nowMs - nowMs) > clockDifferenceMs) {
    const seconds = Math.round(Math.abs(told.nowMs - nowMs) / 1_000);
    alarms.push(
      warning(`the clock of ${nameOf(node)} differs by ${seconds} s`, 'keep clocks together, such as by NTP'),
    );
  }
  return [...alarms, ...ofPending(name, pending)];
}

function ofPending(name: string, pending: NonNullable<NodeRow['told']>['pending']): Alarm[] {
  if (!pending) return [];
  const alarms: Alarm[] = [];
  const { lostRecords, usedBytes, capacityBytes, places } = pending;
  if (lostRecords > 0) {
    alarms.push(
      error(
        `${name} cannot read ${lostRecords} records of acknowledged writes`,
        'restore its folder pending, or run forebay pending accept-loss and lose them',
      ),
    );
  }
  if (usedBytes > fullShare * capacityBytes) {
    const percent = Math.round((100 * usedBytes) / capacityBytes);
    const advice = 'see forebay pending list; when it is full writes go through, or are answered SlowDown';
    alarms.push(warning(`${percent} % of writeBack.capacity are taken at ${name}`, advice));
  }
  for (const { mount, place, failing, lastError, oldestSeconds = 0 } of places) {
    const where = mount ?? place;
    if (failing > 0) {
      const reason = lastError === undefined ? '' : `: ${lastError}`;
      alarms.push(
        warning(`${failing} pending writes to ${where} fail${reason}`, `run forebay pending show ${where}`),
      );
    } else if (oldestSeconds > slowPersistSeconds) {
      alarms.push(
        warning(
          `a write to ${where} has been pending for ${oldestSeconds} s`,
          `run forebay mount check ${where}`,
        ),
      );
    }
  }
  return alarms;
}

function ofVersions(nodes: readonly NodeRow[]): Alarm[] {
  const versions = [...new Set(nodes.flatMap(({ told }) => told?.version ?? []))].sort();
  if (versions.length < 2) return [];
  return [warning(`the nodes run versions ${versions.join(' and ')}`, 'restart those with the older one')];
}

function ofMount({ name, asked, faults }: MountRow): Alarm[] {
  const [first] = faults;
  if (!first) return [];
  const from = asked === 1 ? '' : ` from ${faults.length} of ${asked} nodes`;
  const isRoot = name === rootName;
  const advice = isRoot ? 'see the settings rootMount…' : `run forebay mount check ${name}`;
  return [
    error(`the storage of ${isRoot ? 'the root mount' : name} cannot be used${from}: ${first.fault}`, advice),
  ];
}

function ofJob({ id, kind, target, failed }: JobRow): Alarm[] {
  if (failed === 0) return [];
  const what = target === '' ? kind : `${kind} ${target}`;
  return [warning(`${failed} objects failed in the running job ${what}`, `run forebay job show ${id}`)];
}

function ofTraffic({ requestsPerSecond, faultsPerSecond, slowDownsPerSecond }: TrafficSum): Alarm[] {
  const alarms: Alarm[] = [];
  if (faultsPerSecond * 60 >= faultsAMinute && faultsPerSecond > faultShare * requestsPerSecond) {
    const percent = ((100 * faultsPerSecond) / requestsPerSecond).toFixed(1);
    alarms.push(
      warning(
        `${percent} % of the requests in the last minute were answered 5xx, or cut off`,
        'the logs say why, at level error',
      ),
    );
  }
  if (slowDownsPerSecond * 60 >= 1) {
    alarms.push(
      warning(
        `${Math.round(slowDownsPerSecond * 60)} requests in the last minute were answered SlowDown`,
        'raise the limits (forebay config show), or add nodes',
      ),
    );
  }
  return alarms;
}
