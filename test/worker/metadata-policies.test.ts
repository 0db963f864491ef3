import { expect, test } from '@jest/globals';
import type { Freshness } from '../../src/common/freshness.ts';
import { mayKeep, mayOthersKeep } from '../../src/worker/metadata-entries.ts';
import { ReadingBench } from './reading.ts';

const always: Freshness = { kind: 'always' };
const lease: Freshness = { kind: 'lease', ms: 30_000 };

test.each([
  ['no policy', lease, undefined, true, true],
  ['no policy, on a mount that is always asked', always, undefined, false, false],
  ['a policy that asks always, of which others may not have heard', always, lease, false, true],
  ['a policy that asks less often', { kind: 'immutable' }, lease, true, true],
] as const)('under %s', (_, freshness, mountFreshness, keeps, othersKeep) => {
  const { backend } = new ReadingBench();
  const target = { backend, mount: 'm', incarnation: 'i', path: 'k', freshness, mountFreshness };
  expect([mayKeep(target), mayOthersKeep(target)]).toEqual([keeps, othersKeep]);
});
