/**
 * Server CPU per request of Forebay with one I/O thread and with several, round by round in turn, over the same storage: what the
 * threads cost by themselves.
 *
 *   node bench/io-threads.ts [--threads N] [--seconds N] [--rounds N] [--only NAME,…]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chooseCases } from './lib/cases.ts';
import { type Contestant, hold, type Row } from './lib/contest.ts';
import { ownPlace, storeAt } from './lib/datasets.ts';
import { asLine, circumstances, printRows } from './lib/report.ts';
import { addMount, credentials, type Node, startForebay } from './lib/servers.ts';

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: 'hot-4k,hot-1m' },
  },
});
const chosen = chooseCases(values.only);
if (!chosen || chosen.some(({ operation }) => operation === 'put')) {
  console.error(`--only ${values.only}: no case that reads`);
  process.exit(2);
}

function asContestant({ name, port, process: { pid } }: Node): Contestant {
  const host = '127.0.0.1';
  return { name, host, port, pid, hostHeader: `${host}:${port}`, signing: 'header', credentials };
}

const facts = await circumstances();
const folder = await mkdtemp(join(tmpdir(), 'forebay-bench-'));
const servers: Node[] = [];
try {
  const storage = await startForebay('storage', join(folder, 'storage'));
  servers.push(storage);
  const measured: Node[] = [];
  for (const threads of ['1', values.threads]) {
    const name = `${threads} I/O threads`;
    const node = await startForebay(name, join(folder, name), { FOREBAY_IO_THREADS: threads });
    measured.push(node);
    servers.push(node);
  }
  const rows: Row[] = [];
  const stored = new Set<string>();
  for (const one of chosen) {
    const { bucket } = one.dataset;
    if (!stored.has(bucket)) {
      await storeAt(ownPlace(storage.port), one.dataset, true);
      for (const node of measured) await addMount(node, bucket, storage.port);
    }
    stored.add(bucket);
    const length = { seconds: Number(values.seconds), rounds: Number(values.rounds) };
    rows.push(...(await hold(one, measured.map(asContestant), length)));
  }
  console.log(asLine(facts));
  printRows(rows);
} finally {
  for (const server of servers.reverse()) await server.stop();
  await rm(folder, { recursive: true, force: true });
}
