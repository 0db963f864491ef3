import { expect, test } from '@jest/globals';
import { FreshnessCampaign } from './freshness-campaign.ts';
import { storages } from './storages.ts';

const kinds = ['present', 'absent', 'lists', 'miss', 'hit', 'bypass'];

test.each([
  ['always', { kind: 'always' }],
  ['lease:200ms', { kind: 'lease', ms: 200 }],
  ['immutable', { kind: 'immutable' }],
] as const)(
  'over file:// with freshness %s readers see what was there when it may have been',
  async (_name, freshness) => {
    const storage = await storages.file();
    const seed = Date.now() % 1_000_000;
    try {
      const { violations, counts } = await new FreshnessCampaign(storage, {
        freshness,
        seed,
        seconds: 2.5,
        kinds,
      }).run();
      expect({ seed, violations: violations.slice(0, 5) }).toEqual({ seed, violations: [] });
      for (const kind of kinds) {
        expect([kind, (counts[kind] ?? 0) > 5]).toEqual([kind, true]);
      }
    } finally {
      await storage.close();
    }
  },
);
