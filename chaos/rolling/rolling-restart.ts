import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProcess } from '../cluster/node-process.ts';
import type { SmallCluster } from '../cluster/small-cluster.ts';
import { Balancer } from './balancer.ts';
import { type ClientReport, SteadyClients } from './steady-clients.ts';

export interface RollingSettings {
  readonly clients: number;
  /** How many of the nodes are restarted, one after the other. */
  readonly restarts: number;
  /** Whether each is drained first; else it is just asked to end. */
  readonly drain: boolean;
  /** How often the balancer looks. */
  readonly lookEveryMs: number;
  /** How long clients go on before, between and after restarts. */
  readonly calmMs: number;
}

/** What one restart took. */
export interface Restart {
  /** `forebay node drain`. */
  readonly drainMs: number;
  /** From SIGTERM until it has ended. */
  readonly endMs: number;
  /** From the start of the process until it is ready. */
  readonly startMs: number;
}

export interface Rolling extends ClientReport {
  readonly restarts: readonly Restart[];
}

/** Restarts the nodes of a cluster one by one, as `docs/cluster.md` tells, while clients write and read through all that are ready. */
export async function rollThrough(cluster: SmallCluster, settings: RollingSettings): Promise<Rolling> {
  const balancer = new Balancer(cluster.nodes, settings.lookEveryMs);
  await balancer.begin();
  const clients = new SteadyClients(balancer, 'rolling', cluster.plan.root);
  const restarts: Restart[] = [];
  try {
    await clients.prepare();
    clients.begin(settings.clients);
    for (const node of cluster.nodes.slice(0, settings.restarts)) {
      await sleep(settings.calmMs);
      restarts.push(await restart(cluster, balancer, clients, node, settings.drain));
    }
    await sleep(settings.calmMs);
  } finally {
    await clients.end();
    await balancer.end();
  }
  return { ...clients.report, restarts };
}

async function restart(
  cluster: SmallCluster,
  balancer: Balancer,
  clients: SteadyClients,
  node: NodeProcess,
  isDrained: boolean,
): Promise<Restart> {
  clients.phase = 'drain';
  const drainMs = isDrained ? await timed(() => cluster.cli(node, 'node drain')) : 0;
  if (isDrained) await balancer.untilIdle(node);
  clients.phase = 'end';
  const endMs = await timed(() => node.stop());
  clients.phase = 'start';
  const startMs = await timed(() => node.start());
  await balancer.untilUsed(node);
  clients.phase = 'nothing';
  return { drainMs, endMs, startMs };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return Math.round(performance.now() - startMs);
}
