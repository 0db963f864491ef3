import { describe, expect, test } from '@jest/globals';
import { noSetsCounts } from './campaign-world.ts';
import { runSetsCampaign } from './sets-campaign.ts';

/** More of them: `SEEDS=1-200`. */
const [first = 1, last = 10] = (process.env.SEEDS ?? '1-10').split('-').map(Number);

describe('pending writes on several nodes', () => {
  test('nothing that was acknowledged is lost, and nothing old is seen, whatever befalls the nodes', async () => {
    const counts = noSetsCounts();
    for (let seed = first; seed <= last; seed++) {
      await runSetsCampaign(seed, counts).catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${error}`);
      });
    }
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(0);
  }, 3_600_000);
});
