import type { StatusFacts } from '../../src/admin/cluster-status.ts';
import type { NodeStatus } from '../../src/admin/node-status.ts';
import { mountOf } from '../gateway/mount-of.ts';

export const nowMs = Date.parse('2026-03-01T12:00:00Z');
const MiB = 1024 * 1024;

export function toldBy(change: Partial<NodeStatus> = {}): NodeStatus {
  return {
    version: '1.2.3',
    startedMs: nowMs - 3_600_000,
    nowMs,
    ring: {
      generation: 1,
      epoch: 7,
      mode: 'dynamic',
      frozen: false,
      isMember: true,
      hasLease: true,
      waitingFor: 0,
    },
    memory: { usedBytes: 16 * MiB, capacityBytes: 64 * MiB },
    disk: { usedBytes: 1024 * MiB, capacityBytes: 10_240 * MiB },
    foldersDown: [],
    objects: 100,
    inFlight: 1,
    traffic: {
      seconds: 60,
      requests: 6_000,
      faults: 0,
      slowDowns: 0,
      refused: 0,
      servedBytes: 600 * MiB,
      givenBytes: 600 * MiB,
      cachedBytes: 540 * MiB,
      evictedPages: 0,
      lostLogLines: 0,
    },
    mounts: [
      { mount: '(root)', ms: 1 },
      { mount: 'lake', ms: 12 },
    ],
    ...change,
  };
}

export function member(workerId: string, state: 'joined' | 'draining' | 'suspect' = 'joined') {
  const host = `10.0.0.${workerId.charCodeAt(0) - 96}`;
  return {
    workerId,
    incarnation: `${workerId}-1`,
    host,
    peerPort: 9002,
    s3Url: `http://${host}:9000`,
    adminUrl: `http://${host}:9001`,
    weight: 1,
    state,
  };
}

export const facts: StatusFacts = {
  nowMs,
  leaseMs: 30_000,
  workerId: 'a',
  rootUri: 's3://under/root/',
  mounts: [{ ...mountOf('lake', ''), uri: 's3://lake/', readOnly: false }],
  shares: new Map([
    ['a', 0.34],
    ['b', 0.33],
    ['c', 0.33],
  ]),
  departures: [],
  jobs: [],
  away: [],
};
