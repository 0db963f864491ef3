import { describe, expect, test } from '@jest/globals';
import type { PlantedDefects } from '../../support/fault-file-system.ts';
import { noCounts, runCampaign } from './store-campaign.ts';

describe('a store of regions whose power goes at any step', () => {
  test('has every page right or not at all, and nothing that had been removed', async () => {
    const counts = noCounts();
    for (let seed = 1; seed <= 60; seed++) {
      await runCampaign(seed, counts).catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error });
      });
    }
    expect(counts.crashes).toBe(240);
    expect(counts.survived).toBeGreaterThan(500);
    expect(counts.removals).toBeGreaterThan(200);
    expect(counts.harmed).toBeGreaterThan(100);
    expect(counts.evictions).toBeGreaterThan(100);
  });

  const defects: Record<string, PlantedDefects> = {
    'syncs of files do nothing': { dropFileSync: true },
    'syncs of directories do nothing': { dropDirectorySync: true },
  };
  for (const [name, defect] of Object.entries(defects)) {
    test(`planted defect: is found out where ${name}`, async () => {
      const wrong: unknown[] = [];
      for (let seed = 1; seed <= 60 && wrong.length === 0; seed++) {
        await runCampaign(seed, noCounts(), defect).catch((error: unknown) => wrong.push(error));
      }
      expect(wrong).toHaveLength(1);
    });
  }
});
