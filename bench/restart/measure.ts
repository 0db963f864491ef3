import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { openSqliteStore } from '../../src/coord/sqlite.ts';
import { type Dataset, pageBytes } from '../lib/cases.ts';
import { ownPlace, storeAt } from '../lib/datasets.ts';
import { treeCpuSeconds } from '../lib/process-cpu.ts';
import { addMount, type Node, spawnForebay, startForebay } from '../lib/servers.ts';
import type { Filled, FillJob } from './fill-pages.ts';
import { SignedGets } from './signed-gets.ts';

const objectBytes = 4096;
const capacityBytes = 10 * 2 ** 30;
/** Objects that the storage has: those that are asked for. The others are in the page store alone, which is what is measured. */
const samples: Dataset = { bucket: 'bench-restart', sizeBytes: objectBytes, keys: 200 };
const fewObjects = 10_000;
export const restartObjects = 1_000_000;

/** What must be reached. */
export const goals = {
  restartSeconds: 3,
  memoryBytesPerObject: 300,
  indexBytesPerObject: 250,
  diskBytesOfTenThousand: 60e6,
} as const;

export interface Restart {
  readonly objects: number;
  /** From the start of the process to the end of the first answer that was a hit, by how it ended before. */
  readonly restartSeconds: { readonly ended: number; readonly killed: number };
  /** What the process and its children had used of the processors by then; on a busy machine the time alone tells little. */
  readonly restartCpuSeconds: { readonly ended: number; readonly killed: number };
  /** Answers before it that were no hits. */
  readonly missesBefore: { readonly ended: number; readonly killed: number };
  /** Of the sample, how many were hits and right. */
  readonly sampleHits: { readonly ended: number; readonly killed: number };
  readonly memoryBytesPerObject: number;
  readonly indexBytesPerObject: number;
  readonly diskBytesPerObject: number;
  readonly diskBytesOfTenThousand: number;
  /** Which goals were missed. */
  readonly missed: readonly string[];
}

const run = promisify(execFile);

/** Restarts of a node with so many objects of 4 KiB in its page store, and what each takes. */
export async function measureRestart(folder: string, objects: number): Promise<Restart> {
  const storage = await startForebay('storage', join(folder, 'storage'));
  try {
    await storeAt(ownPlace(storage.port), samples, true);
    const data = join(folder, 'node');
    const emptyRss = await firstRun(data, storage.port);
    const pages = join(data, 'pages');
    const few = { objects: fewObjects, incarnation: 'a-mount' };
    await fill({ ...few, path: join(folder, 'few') });
    const filled = await fill({ objects, path: pages, incarnation: await incarnationOf(data) });
    if (filled.pages < objects) throw new Error(`only ${filled.pages} pages of ${objects} were kept`);
    console.error(`${filled.pages} pages written in ${filled.seconds.toFixed(0)} s`);
    const disk = await diskBytes(pages);
    const ended = await restart(data, 'SIGKILL');
    const killed = await restart(data, 'SIGTERM');
    const result = {
      objects: filled.pages,
      restartSeconds: { ended: ended.seconds, killed: killed.seconds },
      restartCpuSeconds: { ended: ended.cpuSeconds, killed: killed.cpuSeconds },
      missesBefore: { ended: ended.misses, killed: killed.misses },
      sampleHits: { ended: ended.sampleHits, killed: killed.sampleHits },
      memoryBytesPerObject: Math.max(0, ended.rssBytes - emptyRss) / filled.pages,
      indexBytesPerObject: disk.index / filled.pages,
      diskBytesPerObject: disk.all / filled.pages,
      diskBytesOfTenThousand: (await diskBytes(join(folder, 'few'))).all,
    };
    return { ...result, missed: missedBy(result) };
  } finally {
    await storage.stop();
  }
}

/** Reads the sample once, so that its pages are there; what the node's memory is then is what it is without the others. */
async function firstRun(data: string, storagePort: number): Promise<number> {
  const first = await startForebay('forebay', data);
  try {
    await addMount(first, samples.bucket, storagePort);
    await new SignedGets(first.port, samples).readAll();
  } finally {
    await first.stop();
  }
  const again = await startForebay('forebay', data);
  try {
    await new SignedGets(again.port, samples).readAll();
    return rssBytes(again);
  } finally {
    await again.stop();
  }
}

/** The node has ended: nobody else has its store open. */
async function incarnationOf(data: string): Promise<string> {
  const store = openSqliteStore(join(data, 'coord.sqlite'), systemClock, systemRandom);
  try {
    const { entries } = await store.list('mounts/');
    return (JSON.parse(entries[0]?.value ?? '{}') as { incarnation: string }).incarnation;
  } finally {
    await store.close();
  }
}

async function fill(what: Pick<FillJob, 'path' | 'objects' | 'incarnation'>): Promise<Filled> {
  const job: FillJob = { ...what, capacityBytes, objectBytes, pageSizeBytes: pageBytes };
  const program = fileURLToPath(new URL('fill-pages.ts', import.meta.url));
  const { stdout } = await run(process.execPath, ['--no-warnings', program, JSON.stringify(job)]);
  return JSON.parse(stdout) as Filled;
}

/** Starts the node, asks until a hit comes, reads the sample, and ends it by the signal. */
async function restart(data: string, signal: 'SIGKILL' | 'SIGTERM') {
  const startMs = performance.now();
  const node = await spawnForebay('forebay', data);
  try {
    const gets = new SignedGets(node.port, samples);
    const misses = await gets.untilHit();
    const seconds = (performance.now() - startMs) / 1000;
    const cpuSeconds = treeCpuSeconds(node.process.pid ?? 0);
    const sampleHits = await gets.readAll();
    return { seconds, cpuSeconds, misses, sampleHits, rssBytes: rssBytes(node) };
  } finally {
    await node.stop(signal);
  }
}

function rssBytes({ process: { pid } }: Pick<Node, 'process'>): number {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB$/m);
  return Number(line?.[1]) * 1024;
}

/** As the file system counts them, where that is more than the files' lengths. */
async function diskBytes(path: string): Promise<{ readonly all: number; readonly index: number }> {
  let all = 0;
  let index = 0;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const { size, blocks } = await stat(join(entry.parentPath, entry.name));
    const bytes = Math.max(size, blocks * 512);
    all += bytes;
    if (!entry.name.endsWith('.region')) index += bytes;
  }
  return { all, index };
}

function missedBy(result: Omit<Restart, 'missed'>): string[] {
  const missed: string[] = [];
  const atMost = (name: keyof typeof goals, value: number) => {
    if (!(value <= goals[name])) missed.push(`${name}: ${value.toFixed(2)}, at most ${goals[name]}`);
  };
  for (const way of ['ended', 'killed'] as const) {
    atMost('restartSeconds', result.restartSeconds[way]);
    if (result.sampleHits[way] !== samples.keys) {
      missed.push(`${result.sampleHits[way]} hits of ${samples.keys} after it was ${way}`);
    }
  }
  for (const name of ['memoryBytesPerObject', 'indexBytesPerObject', 'diskBytesOfTenThousand'] as const) {
    atMost(name, result[name]);
  }
  return missed;
}
