import { setTimeout as sleep } from 'node:timers/promises';
import { Draws } from '../../fuzz/lib/draws.ts';
import { complaintsOf, isOver, jobsToTheEnd, victimOf } from './kills.ts';
import type { LoadedCluster, SeenJob } from './loaded-cluster.ts';

export interface KillCampaignSettings {
  readonly kills: number;
  readonly seed: number;
  /** Of each load that is killed at, as the command takes it. */
  readonly bandwidth: string;
  readonly print: (line: string) => void;
}

/** How long is waited before a kill, and before what was killed is started again, ms. */
const longestWaitMs = 6_000;

/** Loads while nodes are killed, until so many were; then verifies and reads. Gives what was wrong. */
export async function runKillCampaign(
  loaded: LoadedCluster,
  settings: KillCampaignSettings,
): Promise<string[]> {
  let told = '';
  const print = (line: string) => {
    if (line !== told) settings.print(line);
    told = line;
  };
  const draws = new Draws(settings.seed);
  const complaints: string[] = [];
  const judge = (job: SeenJob, kills: number) => {
    print(
      `the load ${job.id} took ${job.seconds.toFixed(1)} s with ${kills} kills: ${JSON.stringify(job.objects)}`,
    );
    complaints.push(...complaintsOf(loaded, job).map((complaint) => `${job.id}: ${complaint}`));
  };
  for (let left = settings.kills; left > 0; ) {
    const id = await loaded.begin(`load ${loaded.target} --bandwidth ${settings.bandwidth}`);
    const kills = await killWhile(loaded, id, draws, left, print);
    const [job] = await jobsToTheEnd(loaded, id, (seen) => print(progressOf(seen)));
    judge(job as SeenJob, kills);
    left -= kills;
    if (left > 0) await jobsToTheEnd(loaded, await loaded.begin(`free ${loaded.target}`));
  }
  // What came to lie elsewhere while nodes were away is loaded where it belongs, and found there the last time.
  const ended = await jobsToTheEnd(loaded, await loaded.begin(`load ${loaded.target} --verify`));
  for (const job of ended) judge(job, 0);
  if (ended.length < 2 || ended.at(-1)?.objects.cached !== loaded.objects)
    complaints.push('not everything was there when it was verified');
  complaints.push(...(await readWithoutStorage(loaded, print)));
  return complaints;
}

/** Kills nodes, one at a time, while the job runs; gives how many. */
async function killWhile(
  loaded: LoadedCluster,
  id: string,
  draws: Draws,
  most: number,
  print: (line: string) => void,
): Promise<number> {
  let kills = 0;
  while (kills < most) {
    await sleep(draws.below(longestWaitMs));
    const job = await loaded.job(id);
    if (isOver(job)) break;
    const victim = draws.pick(['coordinator', 'worker'] as const);
    const node = await victimOf(loaded, job, victim);
    if (!node) continue;
    print(`${progressOf(job)}; the ${victim} ${node.place.name} is killed`);
    await node.kill();
    kills++;
    await sleep(draws.below(longestWaitMs));
    await node.start();
  }
  return kills;
}

async function readWithoutStorage(loaded: LoadedCluster, print: (line: string) => void): Promise<string[]> {
  const before = await loaded.cluster.storageReads();
  const wrong = await loaded.readAll();
  const asked = (await loaded.cluster.storageReads()) - before;
  print(`${loaded.objects} objects read: ${wrong.length} wrong, ${asked} reads of the storage`);
  const complaints = wrong.slice(0, 10).map((key) => `${key} is not what was put`);
  return asked > 0
    ? [...complaints, `${asked} reads of the storage after everything was loaded`]
    : complaints;
}

function progressOf({ id, state, objects, listed, workers = [] }: SeenJob): string {
  const done = objects.loaded + objects.cached + objects.failed + objects.gone;
  return `${id} ${state}: ${done} of ${listed.objects}, ${workers.length} at work`;
}
