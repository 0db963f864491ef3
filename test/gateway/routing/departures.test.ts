import { afterEach, expect, test } from '@jest/globals';
import { systemClock } from '../../../src/common/clock.ts';
import { Departures } from '../../../src/ring/departures.ts';
import { until } from '../../support/until.ts';
import { type RingNode, RingNodes } from './ring-nodes.ts';

let ring: RingNodes;
afterEach(() => ring?.close());

test('who goes without handing over is remembered, and who was drained is not', async () => {
  ring = await RingNodes.start(3);
  const [one, drained, killed] = ring.nodes as [RingNode, RingNode, RingNode];
  const departures = new Departures(systemClock, one.ownership);
  const members = () => one.ownership.view().members.length;
  await drained.member.drain(30_000);
  await until(() => one.ownership.view().member(drained.workerId)?.state !== 'joined');
  await drained.close();
  await until(() => members() === 2);
  expect(departures.recent).toEqual([]);
  await killed.close();
  await until(() => members() === 1);
  expect(departures.recent.map(({ member }) => member.workerId)).toEqual([killed.workerId]);
}, 120_000);
