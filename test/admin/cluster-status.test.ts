import { describe, expect, test } from '@jest/globals';
import { clusterStatus } from '../../src/admin/cluster-status.ts';
import type { NodeStatus } from '../../src/admin/node-status.ts';
import type { NodeReport } from '../../src/admin/route.ts';
import { facts, member, nowMs, toldBy } from './status-of.ts';

const MiB = 1024 * 1024;
const all: NodeReport[] = ['a', 'b', 'c'].map((id) => ({ member: member(id), told: toldBy() }));
const withB = (told: Partial<NodeStatus>) =>
  all.map((report, i) => (i === 1 ? { ...report, told: toldBy(told) } : report));

describe('a cluster', () => {
  test('that is well has no alarms, and sums of what its nodes tell', () => {
    const status = clusterStatus(all, facts);
    expect([status.health, status.alarms]).toEqual(['ok', []]);
    expect(status.nodes.map(({ workerId, state, isThisNode }) => [workerId, state, isThisNode])).toEqual([
      ['a', 'joined', true],
      ['b', 'joined', false],
      ['c', 'joined', false],
    ]);
    expect(status.cache).toEqual({
      memory: { usedBytes: 48 * MiB, capacityBytes: 192 * MiB },
      disk: { usedBytes: 3_072 * MiB, capacityBytes: 30_720 * MiB },
      objects: 300,
    });
    expect(status.traffic).toEqual({
      requestsPerSecond: 300,
      faultsPerSecond: 0,
      refusedPerSecond: 0,
      slowDownsPerSecond: 0,
      bytesPerSecond: 30 * MiB,
      evictedPagesPerSecond: 0,
      inFlight: 3,
      hitRatio: 0.9,
    });
    expect(
      status.mounts.map(({ name, asked, slowestMs, faults }) => [name, asked, slowestMs, faults]),
    ).toEqual([
      ['(root)', 3, 1, []],
      ['lake', 3, 12, []],
    ]);
  });

  test('shows every node that it should have: silent, gone, away', () => {
    const silent = all.map((report, i) =>
      i === 2 ? { member: report.member, silence: 'no answer within 4 s' } : report,
    );
    const departures = [{ member: member('d'), atMs: nowMs - 90_000 }];
    const status = clusterStatus(silent, { ...facts, departures, away: ['d', 'e'] });
    expect(status.nodes.map(({ workerId, state, told }) => [workerId, state, told !== undefined])).toEqual([
      ['a', 'joined', true],
      ['b', 'joined', true],
      ['c', 'silent', false],
      ['d', 'gone', false],
      ['e', 'away', false],
    ]);
    expect(status.health).toBe('error');
    expect(status.alarms.map(({ level, what }) => [level, what])).toEqual([
      ['error', 'the node c (10.0.0.3) does not answer: no answer within 4 s'],
      ['error', 'the node d (10.0.0.4) went 90 s ago without handing over what it owned'],
      ['warning', 'the registered worker e is away, and its pages are not served from a cache'],
    ]);
    expect(status.cache.memory.capacityBytes).toBe(128 * MiB);
  });
});

const pendingPlace = { place: 's3://lake/', mount: 'lake', entries: 3, bytes: 10, failing: 0 };
const pendingOf = (change: object = {}, place: object = {}) => ({
  pending: {
    places: [{ ...pendingPlace, ...place }],
    usedBytes: 10,
    capacityBytes: 1_000,
    lostRecords: 0,
    ...change,
  },
});
const ringOf = (change: object) => ({
  ring: { ...(toldBy().ring as object), ...change } as NodeStatus['ring'],
});
const trafficOf = (change: object) => ({ traffic: { ...toldBy().traffic, ...change } });

describe('an alarm', () => {
  test.each<[string, Partial<NodeStatus>, string, RegExp, RegExp]>([
    [
      'a lease that is gone',
      ringOf({ hasLease: false }),
      'error',
      /b \(10.0.0.2\) has no view lease/,
      /etcd/,
    ],
    ['a node that is not ready', { reasonNotReady: 'waiting for etcd' }, 'error', /waiting for etcd/, /log/],
    [
      'a store that went back',
      { reasonNotReady: 'it went back', ...ringOf({ stoppedBecause: 'it went back' }) },
      'error',
      /went back/,
      /raise-generation/,
    ],
    [
      'storage out of reach',
      { mounts: [{ mount: 'lake', ms: 2_000, fault: 'the storage cannot be reached: no' }] },
      'error',
      /storage of lake cannot be used from 1 of 3 nodes: the storage cannot/,
      /forebay mount check lake/,
    ],
    ['lost records', pendingOf({ lostRecords: 2 }), 'error', /cannot read 2 records/, /pending accept-loss/],
    [
      'a full journal',
      pendingOf({ usedBytes: 900 }),
      'warning',
      /90 % of writeBack.capacity/,
      /pending list/,
    ],
    [
      'failing writes',
      pendingOf({}, { failing: 2, lastError: 'denied' }),
      'warning',
      /^2 pending writes to lake fail: denied/,
      /pending show lake/,
    ],
    [
      'old writes',
      pendingOf({}, { oldestSeconds: 301 }),
      'warning',
      /lake has been pending for 301 s/,
      /check/,
    ],
    [
      'a full disk',
      { foldersDown: [{ path: '/p', message: 'full' }] },
      'warning',
      /no pages in \/p: full/,
      /room/,
    ],
    ['an audit log', { auditFault: 'ENOSPC' }, 'error', /refuses changes.*: ENOSPC/, /room/],
    ['versions', { version: '1.2.4' }, 'warning', /1\.2\.3 and 1\.2\.4/, /restart/],
    ['a clock', { nowMs: nowMs + 61_000 }, 'warning', /clock of b \(10.0.0.2\) differs by 61 s/, /NTP/],
    ['a log', trafficOf({ lostLogLines: 4 }), 'warning', /lost 4 lines of its log/, /reads/],
    ['faults', trafficOf({ faults: 400 }), 'warning', /^2\.2 % of the requests/, /logs/],
    ['limits', trafficOf({ slowDowns: 9 }), 'warning', /^9 requests .* SlowDown$/, /limits/],
  ])('tells of %s', (_what, told, level, what, advice) => {
    const { alarms, health } = clusterStatus(withB(told), facts);
    expect([alarms.length, health]).toEqual([1, level]);
    expect(alarms[0]).toEqual({
      level,
      what: expect.stringMatching(what),
      advice: expect.stringMatching(advice),
    });
  });

  test('tells of placement that is frozen once, not for each node', () => {
    const frozen = all.map((report) => ({ ...report, told: toldBy(ringOf({ frozen: true })) }));
    expect(clusterStatus(frozen, facts).alarms).toHaveLength(1);
  });

  test('tells of a running job with failed objects', () => {
    const job = {
      ...{ id: 'j1', kind: 'load', target: 'lake/', isPlan: false, state: 'running', seconds: 1 },
      ...{ done: 10, listed: 10, isListed: true, failed: 2, bytes: 0 },
    };
    const { alarms, jobs } = clusterStatus(all, { ...facts, jobs: [job, { ...job, id: 'j2', failed: 0 }] });
    expect([jobs.length, alarms.map(({ what, advice }) => `${what}: ${advice}`)]).toEqual([
      2,
      ['2 objects failed in the running job load lake/: run forebay job show j1'],
    ]);
  });

  test('tells of a node that was drained, which is no error', () => {
    const drained = all.map((report, i) =>
      i === 1 ? { member: member('b', 'draining'), told: toldBy({ reasonNotReady: 'drained' }) } : report,
    );
    expect(clusterStatus(drained, facts).alarms).toEqual([
      { level: 'warning', what: 'the node b (10.0.0.2) has been drained', advice: expect.any(String) },
    ]);
  });

  test('tells of a node that another one finds suspect', () => {
    const suspected = all.map((report, i) =>
      i === 1 ? { ...report, member: member('b', 'suspect') } : report,
    );
    expect(clusterStatus(suspected, facts).alarms[0]?.what).toContain('b (10.0.0.2) could not be reached');
  });

  test.each<[string, Partial<NodeStatus>]>([
    ['a few faults', trafficOf({ faults: 4, requests: 10 })],
    ['young pending writes', pendingOf({}, { oldestSeconds: 299 })],
    ['refused requests', trafficOf({ refused: 500 })],
    ['a clock within its bounds', { nowMs: nowMs - 20_000 }],
  ])('does not tell of %s', (_what, told) => {
    expect(clusterStatus(withB(told), facts).alarms).toEqual([]);
  });
});
