import { describe, expect, test } from '@jest/globals';
import { noJournalCounts, runJournalCampaign } from './journal-campaign.ts';

/** More of them: `SEEDS=1-1000`. */
const [first = 1, last = 80] = (process.env.SEEDS ?? '1-80').split('-').map(Number);
const seeds = Array.from({ length: last - first + 1 }, (_, index) => first + index);

async function failureOf(
  seed: number,
  counts = noJournalCounts(),
  defects = {},
): Promise<string | undefined> {
  try {
    await runJournalCampaign(seed, counts, defects);
    return undefined;
  } catch (error) {
    return `seed ${seed}: ${(error as Error).stack}`;
  }
}

describe('the journal of pending changes', () => {
  test('loses nothing that was acknowledged, whenever the power goes, a step fails or bits flip', async () => {
    const counts = noJournalCounts();
    for (const seed of seeds) expect(await failureOf(seed, counts)).toBeUndefined();
    expect(counts.crashes).toBeGreaterThan(300);
    for (const count of [counts.appended, counts.recovered]) expect(count).toBeGreaterThan(500);
    expect(counts.unnoticed).toBeLessThan(seeds.length / 25);
    for (const count of [counts.faults, counts.harmed, counts.damaged]) expect(count).toBeGreaterThan(20);
  }, 1_200_000);

  test.each([
    ['a file that is never synced', { dropFileSync: true }],
    ['a directory that is never synced', { dropDirectorySync: true }],
  ])(
    'planted defect: %s is found',
    async (_, defects) => {
      let found: string | undefined;
      for (const seed of seeds) found ??= await failureOf(seed, undefined, defects);
      expect(found).toBeDefined();
    },
    120_000,
  );
});
