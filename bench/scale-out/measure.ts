import { setTimeout as sleep } from 'node:timers/promises';
import { SmallCluster } from '../../chaos/cluster/small-cluster.ts';
import { storageBucket } from '../../chaos/cluster/storage-process.ts';
import { S3Side } from '../../fuzz/lib/s3-side.ts';
import { bytesOf, type Dataset, keyOf } from '../lib/cases.ts';
import { credentials } from '../lib/servers.ts';
import { seeded } from '../replay/draws.ts';
import { type Dip, dipAfter } from './dips.ts';
import { ZipfLoad } from './zipf-load.ts';

export interface ScaleOutSettings {
  readonly keys: number;
  readonly warmSeconds: number;
  /** How long is looked at after each event. */
  readonly afterSeconds: number;
  readonly perSecond: number;
  readonly handOff: boolean;
  /** Also what a drain and a kill do, which no bound is set for. */
  readonly more: boolean;
}

export interface ScaleOut {
  /** A fourth node joins three. */
  readonly join: Dip;
  /** One of the four is drained, and goes on for as long as is looked at. */
  readonly drain?: Dip;
  /** Another one is killed. */
  readonly kill?: Dip;
}

/** Percentage points that the hit ratio may go down by in the worst window when a node joins. */
export const maxPoints = 2;
const nodeCount = 3;
const clients = 24;
/** Windows of so many ticks, which are about a second each. */
const windowTicks = 10;
const baseTicks = 20;

/** Hit ratios of a cluster under a skewed load, before and after nodes come and go. */
export async function measureScaleOut(
  folder: string,
  settings: ScaleOutSettings,
  say: (line: string) => void,
): Promise<ScaleOut> {
  const environment = { FOREBAY_IO_THREADS: '1', FOREBAY_RING_HAND_OFF: String(settings.handOff) };
  const cluster = await SmallCluster.start(folder, nodeCount, credentials, environment);
  try {
    const dataset = { bucket: 'scale-out', sizeBytes: 4096, keys: settings.keys };
    await store(cluster, dataset);
    say(`${settings.keys} objects stored`);
    const ports = () => cluster.nodes.map(({ place }) => place.s3Port);
    const load = new ZipfLoad(dataset, seeded(1), ports(), () => cluster.storageReads());
    load.begin(clients, settings.perSecond);
    try {
      return await underLoad(cluster, load, settings, say);
    } finally {
      await load.end();
    }
  } finally {
    await cluster.close();
  }
}

async function underLoad(
  cluster: SmallCluster,
  load: ZipfLoad,
  { warmSeconds, afterSeconds, more }: ScaleOutSettings,
  say: (line: string) => void,
): Promise<ScaleOut> {
  const after = async (name: string, event: () => Promise<void>): Promise<Dip> => {
    const start = load.ticks.length;
    await event();
    await sleep(1_000 * afterSeconds);
    const dip = dipAfter(
      load.ticks.slice(Math.max(0, start - baseTicks), start),
      load.ticks.slice(start),
      windowTicks,
    );
    say(`${name}: ${JSON.stringify(dip)}`);
    return dip;
  };
  await sleep(1_000 * warmSeconds);
  const join = await after('join', async () => {
    await (await cluster.add()).start();
    load.ask(cluster.nodes.map(({ place }) => place.s3Port));
  });
  if (!more) return { join };
  const [drained, killed, ...others] = cluster.nodes;
  const portsOf = (nodes: typeof others) => nodes.map(({ place }) => place.s3Port);
  const drain = await after('drain', async () => {
    if (!drained || !killed) throw new Error('there are four nodes');
    load.ask(portsOf([killed, ...others]));
    await cluster.cli(drained, 'node drain');
  });
  await drained?.stop();
  await sleep(1_000 * afterSeconds);
  const kill = await after('kill', async () => {
    load.ask(portsOf(others));
    await killed?.kill();
  });
  return { join, drain, kill };
}

/** Straight into the storage, where a node's bucket has its objects. */
async function store({ plan, nodes }: SmallCluster, { bucket, sizeBytes, keys }: Dataset): Promise<void> {
  const node = new S3Side({ port: nodes[0]?.place.s3Port ?? 0, ...plan.root });
  const made = await node.send({ method: 'PUT', path: `/${bucket}` });
  node.close();
  if (made.status !== 200) throw new Error(`no bucket was made: ${made.status} ${made.body}`);
  const storage = new S3Side({ port: plan.storagePort, ...plan.storage });
  let next = 0;
  const writer = async () => {
    for (let key = next++; key < keys; key = next++) {
      const path = `/${storageBucket}/${bucket}/${keyOf(key)}`;
      const { status } = await storage.send({ method: 'PUT', path, body: bytesOf(key, 0, sizeBytes) });
      if (status !== 200) throw new Error(`an object was not stored: ${status}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, writer));
  storage.close();
}
