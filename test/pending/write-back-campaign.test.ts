import { describe, expect, test } from '@jest/globals';
import { runWriteBackCampaign } from './write-back-campaign.ts';
import { noWriteBackCounts } from './write-back-world.ts';

/** More of them: `SEEDS=1-1000`. */
const [first = 1, last = 60] = (process.env.SEEDS ?? '1-60').split('-').map(Number);
const seeds = Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe('write mode back over a storage that fails', () => {
  test('loses nothing and brings nothing older back, by the log that its client keeps', async () => {
    const counts = noWriteBackCounts();
    for (const seed of seeds) {
      const failure = await runWriteBackCampaign(seed, counts).catch((error: Error) => error.stack);
      expect([seed, failure]).toEqual([seed, undefined]);
    }
    expect(counts.crashes).toBe(3 * seeds.length);
    for (const count of [counts.acknowledged, counts.reads]) expect(count).toBeGreaterThan(500);
    for (const count of [counts.decided, counts.completed]) expect(count).toBeGreaterThan(20);
    for (const count of [counts.lost, counts.late]) expect(count).toBeGreaterThan(100);
  }, 1_200_000);
});
