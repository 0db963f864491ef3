/**
 * What the ring costs: time and evenness of rings of many workers, and what nodes ask of the coordination store when they join and in
 * steady state, in virtual time over a store in memory. `docs/cluster.md` has the figures.
 *
 *   npm run bench:ring -- [--workers N,…] [--nodes N] [--json FILE]
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { circumstances } from '../lib/report.ts';
import { measureLoad, viewBytes } from './load.ts';
import { measureRing } from './value.ts';

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '3,50,1500' },
    nodes: { type: 'string', default: '100' },
    json: { type: 'string' },
  },
});
const counts = values.workers.split(',').map(Number);
const nodes = Number(values.nodes);
if (![...counts, nodes].every((count) => Number.isInteger(count) && count > 1)) {
  console.error('--workers and --nodes take whole numbers above 1');
  process.exit(2);
}

const rings = counts.map(measureRing);
const load = await measureLoad(nodes);
const bytes = counts.map((count) => ({ workers: count, ...viewBytes(count) }));
const report = { ...(await circumstances()), rings, load, bytes };
for (const rows of [rings, load, bytes]) console.table(rows);
if (values.json) await writeFile(values.json, JSON.stringify(report, undefined, 2));
