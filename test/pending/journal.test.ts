import { describe, expect, test } from '@jest/globals';
import { noJournalCounts, runJournalCampaign } from './journal-campaign.ts';

const seeds = Array.from({ length: 80 }, (_, index) => index + 1);

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
    expect(counts.unnoticed).toBeLessThan(3);
    for (const count of [counts.faults, counts.harmed, counts.damaged]) expect(count).toBeGreaterThan(20);
  }, 120_000);

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
