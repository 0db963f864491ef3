import { expect, test } from '@jest/globals';
import { FreshnessCampaign } from './freshness-campaign.ts';
import { storages } from './storages.ts';

const kinds = ['turned', 'present', 'absent', 'lists', 'miss', 'hit', '403 AccessDenied'];

test.each([
  ['always', 1, { kind: 'always' }],
  ['lease:200ms', 1, { kind: 'lease', ms: 200 }],
  ['immutable', 1, { kind: 'immutable' }],
  ['lease:200ms', 2, { kind: 'lease', ms: 200 }],
  ['immutable', 2, { kind: 'immutable' }],
] as const)(
  'over s3:// with freshness %s and %i threads readers see what was there when it may have been',
  async (_name, ioThreads, freshness) => {
    const storage = await storages.s3();
    const seed = Date.now() % 1_000_000;
    try {
      const { violations, counts } = await new FreshnessCampaign(storage, {
        freshness,
        seed,
        seconds: 2.5,
        kinds,
        ioThreads,
      }).run();
      expect({ seed, violations: violations.slice(0, 5) }).toEqual({ seed, violations: [] });
      // What was never seen was not tried.
      for (const kind of kinds) {
        expect([kind, (counts[kind] ?? 0) > 5]).toEqual([kind, true]);
      }
      const gets =
        storage.proxy?.seen.filter(({ method, url }) => method === 'GET' && !url.includes('list-type')) ?? [];
      const fills = gets.filter(({ headers }) => headers['if-match'] !== undefined);
      // Each fill asks for one version, whatever is there by then; what comes with the metadata is of the version that it tells of.
      for (const { headers } of fills) expect(headers['if-match']).toMatch(/^"[0-9a-f]{32}"$/);
      // What is asked about each time has pages here more often than not; its bytes come with the metadata only after it has moved.
      if (freshness.kind === 'always') expect(fills.length).toBeGreaterThan(5 + (gets.length - fills.length));
      else expect(gets.length - fills.length).toBeGreaterThan(2);
    } finally {
      await storage.close();
    }
  },
);
