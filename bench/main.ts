/**
 * Server CPU per request, with req/s and latencies beside it, of Forebay, nginx, the storage behind Forebay and peers, in one run.
 * `docs/bench.md` tells the cases.
 *
 *   npm run bench -- [--quick] [--only NAME,…] [--seconds N] [--rounds N] [--json FILE]
 *                    [--peer NAME=http://host:port,ACCESS_KEY,SECRET[,PID]]…
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Case, cases, chooseCases, proxiedName, quickNames, restartName } from './lib/cases.ts';
import { hold, type Length, type Row } from './lib/contest.ts';
import { Field } from './lib/field.ts';
import { type Peer, parsePeer } from './lib/peer.ts';
import { asLine, circumstances, printRows } from './lib/report.ts';
import { measureProxied } from './proxied/measure.ts';
import { measureRestart, restartObjects } from './restart/measure.ts';

const usage = `usage: bench [--quick] [--only NAME,…] [--seconds N] [--rounds N] [--json FILE] [--peer NAME=http://host:port,ACCESS_KEY,SECRET[,PID]]…
NAME, or how names begin: ${[...cases.map(({ name }) => name), restartName, proxiedName].join(' ')}`;

function refuse(message: string): never {
  console.error(`${message}\n${usage}`);
  process.exit(2);
}

function options() {
  try {
    return parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        json: { type: 'string' },
        peer: { type: 'string', multiple: true, default: [] },
      },
    }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const values = options();
const length: Length = {
  seconds: Number(values.seconds ?? (values.quick ? 1 : 1.5)),
  rounds: Number(values.rounds ?? (values.quick ? 1 : 3)),
};
if (!(length.seconds > 0)) refuse('--seconds takes a number above 0');
if (!Number.isInteger(length.rounds) || length.rounds < 1) refuse('--rounds takes a whole number above 0');
const only = values.only ?? (values.quick ? quickNames : undefined);
const chosen = chooseCases(only) ?? refuse(`--only ${only} names no case`);
const withRestart = only?.split(',').includes(restartName) === true;
const withProxied = only?.split(',').includes(proxiedName) === true;
const peers = values.peer.map((text): Peer => {
  const peer = parsePeer(text);
  return typeof peer === 'string' ? refuse(peer) : peer;
});

async function contests(folder: string): Promise<{ rows: Row[]; notes: readonly string[] }> {
  const rows: Row[] = [];
  if (chosen.length === 0) return { rows, notes: [] };
  const field = await Field.open(folder, peers);
  try {
    for (const one of chosen) rows.push(...(await contest(field, one)));
  } finally {
    await field.close();
  }
  return { rows, notes: field.notes };
}

async function contest(field: Field, one: Case): Promise<Row[]> {
  const startMs = performance.now();
  const rows = await hold(one, await field.contestantsOf(one), length);
  console.error(`${one.name}: ${((performance.now() - startMs) / 1000).toFixed(0)} s`);
  return rows;
}

const facts = await circumstances();
const folder = await mkdtemp(join(tmpdir(), 'forebay-bench-'));
try {
  const { rows, notes } = await contests(folder);
  const restart = withRestart ? await measureRestart(join(folder, 'restart'), restartObjects) : undefined;
  const proxied = withProxied ? await measureProxied(join(folder, 'proxied'), length) : undefined;
  console.log(asLine(facts));
  if (rows.length > 0) {
    console.log(`median of ${length.rounds} × ${length.seconds} s (cold: of ${length.rounds} parts)`);
    printRows(rows);
  }
  for (const note of notes) console.log(note);
  if (restart) {
    console.log(JSON.stringify({ [restartName]: restart }, null, 2));
    for (const what of restart.missed) console.log(`${restartName}: missed: ${what}`);
    if (restart.missed.length > 0) process.exitCode = 1;
  }
  if (proxied) console.log(JSON.stringify({ [proxiedName]: proxied }, null, 2));
  const report = { ...facts, ...length, notes, rows, restart, proxied };
  if (values.json) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
