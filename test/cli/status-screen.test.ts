import { describe, expect, test } from '@jest/globals';
import { clusterStatus } from '../../src/admin/cluster-status.ts';
import type { NodeReport } from '../../src/admin/route.ts';
import { Paint, wantsColour } from '../../src/cli/paint.ts';
import { statusScreen } from '../../src/cli/status-screen.ts';
import { facts, member, nowMs, toldBy } from '../admin/status-of.ts';
import { expectGolden } from './golden.ts';

const well: NodeReport[] = ['a', 'b', 'c'].map((id) => ({ member: member(id), told: toldBy() }));
const ill: NodeReport[] = [
  {
    member: member('a'),
    told: toldBy({
      mounts: [
        { mount: '(root)', ms: 3 },
        { mount: 'lake', ms: 2_000, fault: 'the storage did not answer within 2 s' },
      ],
      pending: {
        places: [
          {
            place: 's3://lake/',
            mount: 'lake',
            entries: 12,
            bytes: 3_300_000,
            oldestSeconds: 400,
            failing: 2,
            lastError: 'AccessDenied',
          },
        ],
        usedBytes: 3_300_000,
        capacityBytes: 1_000_000_000,
        lostRecords: 0,
      },
      traffic: { ...toldBy().traffic, faults: 120, slowDowns: 30 },
    }),
  },
  { member: member('b'), silence: 'no answer within 4 s' },
  {
    member: member('c', 'draining'),
    told: toldBy({ version: '1.2.4', reasonNotReady: 'the node has been drained' }),
  },
];
const job = {
  id: '20260301-1',
  kind: 'load',
  target: 'lake/train/',
  isPlan: false,
  state: 'running',
  seconds: 95,
  done: 1_200,
  listed: 100_000,
  isListed: true,
  failed: 3,
  bytes: 5_000_000_000,
};
const illFacts = {
  ...facts,
  jobs: [job, { ...job, id: '20260301-2', isPlan: true, state: 'paused', isListed: false, failed: 0 }],
  departures: [{ member: member('d'), atMs: nowMs - 90_000 }],
};

const screen = (reports: NodeReport[], paint: boolean, about = facts) =>
  statusScreen(clusterStatus(reports, about), new Paint(paint)).join('\n');

describe('the screen of a cluster', () => {
  test('that is well', () => expectGolden('status-well', screen(well, false)));

  test('that is not', () => expectGolden('status-ill', screen(ill, false, illFacts)));

  test('in colours says the same', () => {
    const coloured = screen(ill, true, illFacts);
    expect(coloured).toContain('\u001b[31msilent\u001b[39m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are made of them
    expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(screen(ill, false, illFacts));
  });

  test('of one node by itself', () => {
    const nowhere = { host: '', s3Url: '', adminUrl: '' };
    const alone = [
      { member: { ...member('a'), ...nowhere }, told: toldBy({ ring: undefined, disk: undefined }) },
    ];
    return expectGolden('status-alone', screen(alone, false, { ...facts, shares: new Map([['a', 1]]) }));
  });

  test('shows what others say without obeying it', () => {
    const [a, b] = well as [NodeReport, NodeReport];
    const told = screen([a, { ...b, told: undefined, silence: 'x\u001b[2J\u0007' }], true);
    expect(told).toContain('does not answer: x\\u001b[2J\\u0007');
    expect(told).not.toContain('\u001b[2J');
  });
});

test.each([
  [true, {}, true],
  [false, {}, false],
  [true, { NO_COLOR: '1' }, false],
  [true, { NO_COLOR: '' }, true],
  [true, { TERM: 'dumb' }, false],
])('on a terminal (%j) with %j colours are wanted: %j', (isTerminal, environment, expected) => {
  expect(wantsColour(isTerminal, environment)).toBe(expected);
});
