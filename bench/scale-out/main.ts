/**
 * How far the hit ratio goes down when a fourth node joins three: reads of objects by Zipf's law, answers that say `hit`, and the storage's
 * own count of what it was asked, in windows of ten seconds. Exit code 1 if the worst one is two points or more below what was before, or a
 * read failed; with `--no-hand-off` it is. `--more` also drains a node and kills one, and tells what that does.
 *
 *   npm run bench:scale-out -- [--keys N] [--warm SECONDS] [--after SECONDS] [--rate N] [--no-hand-off] [--more] [--json FILE]
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { asLine, circumstances } from '../lib/report.ts';
import type { Dip } from './dips.ts';
import { maxPoints, measureScaleOut } from './measure.ts';

/** Power is not lost here, so that nothing has to reach a disk. */
const memoryFolder = '/dev/shm';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '50000' },
    warm: { type: 'string', default: '300' },
    after: { type: 'string', default: '60' },
    rate: { type: 'string', default: '500' },
    'no-hand-off': { type: 'boolean', default: false },
    more: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const settings = {
  keys: Number(values.keys),
  warmSeconds: Number(values.warm),
  afterSeconds: Number(values.after),
  perSecond: Number(values.rate),
  handOff: !values['no-hand-off'],
  more: values.more,
};
const { keys, warmSeconds, afterSeconds, perSecond } = settings;
if (!(keys >= 1 && warmSeconds > 0 && afterSeconds >= 10 && perSecond > 0)) {
  console.error(
    'usage: bench:scale-out [--keys N] [--warm SECONDS] [--after SECONDS, at least 10] [--rate N]',
  );
  process.exit(2);
}

const percent = (part: number) => `${(100 * part).toFixed(2)} %`;
const rowOf = ({ before, worst, points, requests, failures }: Dip) => ({
  'before, by header': percent(before.byHeader),
  'worst, by header': percent(worst.byHeader),
  'before, by storage': percent(before.byStorage),
  'worst, by storage': percent(worst.byStorage),
  points: points.toFixed(2),
  requests,
  failures,
});

const facts = await circumstances();
const folder = await mkdtemp(join(existsSync(memoryFolder) ? memoryFolder : tmpdir(), 'forebay-scale-out-'));
try {
  const result = await measureScaleOut(folder, settings, (line) => console.error(line));
  console.log(`${asLine(facts)}; ${JSON.stringify(settings)}`);
  console.table(Object.fromEntries(Object.entries(result).map(([name, dip]) => [name, rowOf(dip)])));
  if (values.json)
    await writeFile(values.json, JSON.stringify({ ...facts, ...settings, ...result }, null, 2));
  const { points, failures } = result.join;
  const isGood = points < maxPoints && failures === 0;
  console.log(
    isGood ? `below ${maxPoints} points` : `missed: ${points.toFixed(2)} points, ${failures} failures`,
  );
  process.exitCode = isGood ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
