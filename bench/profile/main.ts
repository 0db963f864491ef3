/**
 * Where a node's time goes in a case of the bench: a flame graph, and the functions that take longest by themselves.
 *
 *   npm run profile -- CASE [--seconds N] [--out FILE.svg]
 */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Case, cases } from '../lib/cases.ts';
import { type Span, takeThrough } from '../lib/contest.ts';
import { Field } from '../lib/field.ts';
import { addProfile, newRoot, selfTimes, totalMicros } from './cpu-profile.ts';
import { flameGraph } from './flame-graph.ts';

const usage = `usage: profile CASE [--seconds N] [--out FILE.svg]
CASE: ${cases.map(({ name }) => name).join(' ')}`;
const shownFunctions = 25;

function refuse(message: string): never {
  console.error(`${message}\n${usage}`);
  process.exit(2);
}

function parsed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { seconds: { type: 'string', default: '5' }, out: { type: 'string' } },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const { values, positionals } = parsed();
const [name, ...others] = positionals;
const chosen = cases.find((one) => one.name === name || one.alias === name);
if (!chosen || others.length > 0)
  refuse(name === undefined ? 'which case?' : `there is no case ${positionals.join(' ')}`);
const seconds = Number(values.seconds);
if (!(seconds > 0)) refuse('--seconds takes a number above 0');

/** The profiles that the node's threads leave in `profiles` at its end, and the time that counts. */
async function record(
  one: Case,
  folder: string,
  profiles: string,
): Promise<{ span: Span; micros: number | null }> {
  const field = await Field.open(folder, [], {
    NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles} --cpu-prof-interval=500`,
  });
  try {
    const [node] = await field.contestantsOf(one);
    if (!node) throw new Error('no node to look at');
    return await takeThrough(one, node, seconds);
  } finally {
    await field.close();
  }
}

const folder = await mkdtemp(join(tmpdir(), 'forebay-profile-'));
try {
  const profiles = join(folder, 'profiles');
  const { span, micros } = await record(chosen, folder, profiles);
  const root = newRoot(chosen.name);
  for (const file of await readdir(profiles)) await addProfile(root, join(profiles, file), span);
  const all = totalMicros(root);
  const cpu = micros === null ? '' : `, ${micros.toFixed(1)} µs of CPU a request (with the profiler on)`;
  const title = `${chosen.name}: ${(all / 1000).toFixed(0)} ms of JavaScript threads in ${seconds} s${cpu}`;
  console.log(title);
  for (const one of selfTimes(root).slice(0, shownFunctions)) {
    console.log(`${((100 * one.micros) / all).toFixed(1).padStart(5)} %  ${one.name}  ${one.place}`);
  }
  const out = resolve(values.out ?? `profile-${chosen.name}.svg`);
  await writeFile(out, flameGraph(root, title));
  console.log(out);
} finally {
  await rm(folder, { recursive: true, force: true });
}
