import { expect, test } from '@jest/globals';
import { type Freshness, freshnessUnder } from '../../src/common/freshness.ts';

const always: Freshness = { kind: 'always' };
const never: Freshness = { kind: 'lease', ms: 0 };
const lease: Freshness = { kind: 'lease', ms: 30_000 };
const immutable: Freshness = { kind: 'immutable' };

test.each([
  [lease, undefined, lease],
  [lease, always, always],
  [lease, immutable, immutable],
  [immutable, lease, lease],
  [always, undefined, always],
  [always, lease, always],
  [always, immutable, always],
  [never, immutable, never],
] as const)('a mount with %j under a policy with %j has %j', (mount, freshness, expected) => {
  expect(freshnessUnder(mount, freshness && { freshness })).toBe(expected);
  expect(freshnessUnder(mount, undefined)).toBe(mount);
});
