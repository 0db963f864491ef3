import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { FailurePoints } from '../support/failure-points.ts';
import { SeededRandom } from '../worker/seeded.ts';
import { noJournalCounts, runJournalCampaign } from './journal-campaign.ts';
import { runConflicts, runMoves } from './short-campaigns.ts';
import { runWriteBackCampaign } from './write-back-campaign.ts';
import { noWriteBackCounts } from './write-back-world.ts';

const source = join(import.meta.dirname, '../../src/pending');
/** A call that changes the disk, or that leads to one in `src/ufs`. */
const changing =
  /\b(fs|file)\.(createFile|rename|link|unlink|makeDirectory|removeDirectory|syncDirectory|sync|write)\(|\b(makeDirectoryOnce|writeDurably|replaceDurably|removeQuietly|writeBody)\(/i;
/** Far more than it takes. */
const mostRounds = 1_000;

/** Where the source changes the disk, as it says itself. */
async function changingLines(): Promise<string[]> {
  const lines: string[] = [];
  for (const name of await readdir(source)) {
    if (!name.endsWith('.ts')) continue;
    const text = (await readFile(join(source, name), 'utf8')).split('\n');
    for (const [index, line] of text.entries()) if (changing.test(line)) lines.push(`${name}:${index + 1}`);
  }
  return lines;
}

test('wherever pending writes change the disk, the power may go and the change may fail, and nothing is lost', async () => {
  const random = new SeededRandom(1);
  const points = new FailurePoints(/\/src\/pending\/([a-z-]+\.ts:\d+)/, () => random.next());
  const lines = await changingLines();
  expect(lines.length).toBeGreaterThan(20);
  const unreached = () => lines.filter((line) => !points.lines().has(line));
  const [journal, back] = [noJournalCounts(), noWriteBackCounts()];
  for (let round = 1; round <= mostRounds; round++) {
    const before = points.strikes.length;
    try {
      await runJournalCampaign(round, journal, {}, points);
      await runWriteBackCampaign(round, back, points);
      await runConflicts(points);
      await runMoves(points);
    } catch (error) {
      throw new Error(`round ${round}; struck: ${points.strikes.slice(before).join(', ')}`, { cause: error });
    }
    if (round >= 20 && points.spared().length === 0 && unreached().length === 0) break;
  }
  expect(points.spared()).toEqual([]);
  expect(unreached()).toEqual([]);
}, 240_000);
