import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ReadinessPart } from '../admin/readiness.ts';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import type { EtcdStore } from '../coord/etcd.ts';
import type { MirrorFeed } from '../coord/mirror-feed.ts';
import { openSqliteStore } from '../coord/sqlite.ts';
import { CoordError, type CoordStore } from '../coord/store.ts';
import { foldersOverlap, resolveFolder } from '../ufs/folder-overlap.ts';
import { pathOf } from '../ufs/open-backend.ts';
import { advertisedHost } from './cluster.ts';
import { CommandError } from './errors.ts';
import type { Patience } from './patience.ts';
import { isInCluster } from './server-settings.ts';
import type { Settings } from './settings-table.ts';

/** How often etcd is asked whether it still answers. */
const pulseMs = 1000;
const pauseMs = 500;
const defaultPort = 2379;

/** Rejects with `CommandError` what would not work in a cluster, or not mean there what it means on one node. */
export async function refuseUnfitForCluster(settings: Settings): Promise<void> {
  if (!isInCluster(settings)) return;
  advertisedHost(settings);
  if (settings['encryption.keyFile'] === undefined) {
    throw new CommandError(
      'etcd.endpoints is set, and the nodes of a cluster need one encryption key: give each the same file with FOREBAY_ENCRYPTION_KEY_FILE',
    );
  }
  await refuseOwnRootMount(settings);
  if (settings['cluster.secretFile'] === undefined) {
    throw new CommandError(
      'etcd.endpoints is set, and the nodes of a cluster prove to each other that they share a secret: give each the same file with FOREBAY_CLUSTER_SECRET_FILE, made with  (umask 077; openssl rand -base64 32 > FILE)',
    );
  }
}

/** A root mount that no other node reaches. */
async function refuseOwnRootMount(settings: Settings): Promise<void> {
  const { rootMount } = settings;
  if (rootMount !== undefined && !rootMount.startsWith('file:')) return;
  const data = await resolveFolder(resolve(settings.data));
  if (rootMount !== undefined && !foldersOverlap(await resolveFolder(pathOf(rootMount)), data)) return;
  throw new CommandError(
    `etcd.endpoints is set, but the root mount lies in this node's own data folder ${settings.data}, where no other node of the cluster reaches it: set FOREBAY_ROOT_MOUNT to storage that all of them reach, such as s3://bucket/prefix`,
  );
}

/** The coordination store and how it stands. */
export interface Coordination {
  readonly store: CoordStore;
  /** In the data folder, of this node alone. The same as `store` outside a cluster. */
  readonly local: CoordStore;
  /** The file of `local`, which is locked for as long as this process lives. */
  readonly localFile: string;
  /** Whether other nodes share the store. */
  readonly isShared: boolean;
  /** Resolves when the store answers for the first time; rejects as `Patience.until` does. */
  reached(patience: Patience): Promise<void>;
  /** Whether nothing was heard of it for longer than `credentialGraceMs`, so that stored keys are not relied on any more. */
  isLost(): boolean;
  readiness(): ReadinessPart;
  close(): Promise<void>;
}

/**
 * The store in the data folder, which keeps that folder to this process in any case, or the one of the cluster in etcd. Rejects with
 * `CoordError` kind `locked` if another process holds the data folder, and with `CommandError` if a file cannot be read.
 */
export async function openCoordination(
  settings: Settings,
  dataFolder: string,
  clock: Clock,
  random: Random,
  log: Log,
): Promise<Coordination> {
  const localFile = join(dataFolder, 'coord.sqlite');
  const local = openSqliteStore(localFile, clock, random);
  if (!isInCluster(settings)) {
    const readiness = () => ({ details: {} });
    return {
      store: local,
      local,
      localFile,
      isShared: false,
      reached: async () => {},
      isLost: () => false,
      readiness,
      close: () => local.close(),
    };
  }
  try {
    return await openCluster(settings, clock, random, log, local, localFile);
  } catch (error) {
    await local.close();
    throw error;
  }
}

async function openCluster(
  settings: Settings,
  clock: Clock,
  random: Random,
  log: Log,
  local: CoordStore,
  localFile: string,
): Promise<Coordination> {
  // Loaded only here: etcd's client takes some 20 MiB.
  const { EtcdStore } = await import('../coord/etcd.ts');
  const store = new EtcdStore(clock, random, log, {
    endpoints: settings['etcd.endpoints'].map(endpointUrl),
    clusterName: settings['cluster.name'],
    tls: {
      ca: await readPem(settings, 'etcd.caFile'),
      cert: await readPem(settings, 'etcd.cert'),
      key: await readPem(settings, 'etcd.key'),
    },
    user: userOf(settings),
    timeoutMs: settings['etcd.timeout'],
    pulseMs,
  });
  let isReached = false;
  const isLost = () => (store.health.silentMs ?? 0) > settings.credentialGraceMs;
  const reasonNotReady = () => {
    if (!isReached) return 'waiting for the coordination store: etcd has not answered yet';
    return isLost() ? 'etcd is away for longer than credentialGraceMs: no access key is accepted' : undefined;
  };
  return {
    store,
    local,
    localFile,
    isShared: true,
    reached: async (patience) => {
      await patience.until('etcd', () => store.get('cluster'));
      isReached = true;
    },
    isLost,
    readiness: () => ({ reasonNotReady: reasonNotReady(), details: { etcd: describe(store) } }),
    close: async () => {
      await store.close();
      await local.close();
    },
  };
}

/** Of a store that is away, for how long. Why is in the log, since whoever may ask here is nobody known. */
function describe({ health }: EtcdStore): Readonly<Record<string, unknown>> {
  if (health.silentMs === undefined) return { answers: true };
  return { answers: false, silentSeconds: Math.round(health.silentMs / 1000) };
}

/**
 * I/O threads go by what they were told, which they cannot know to be too old: while the store is lost they answer nothing by
 * themselves. Returns what ends this.
 */
export function holdThreadsBack(
  clock: Clock,
  { isLost }: Coordination,
  feed: MirrorFeed,
): () => Promise<void> {
  const ended = new AbortController();
  const run = async () => {
    for (let isHeld = false; !ended.signal.aborted; ) {
      if (isLost() !== isHeld) isHeld = isHeld ? !(await resumed(feed)) : hold(feed);
      // Ended meanwhile: so does the loop.
      await clock.sleep(pauseMs, ended.signal).catch(() => {});
    }
  };
  const running = run();
  return async () => {
    ended.abort();
    await running;
  };
}

function hold(feed: MirrorFeed): true {
  feed.suspend();
  return true;
}

/** False if the store is away again. */
async function resumed(feed: MirrorFeed): Promise<boolean> {
  try {
    await feed.resume();
    return true;
  } catch (error) {
    if (error instanceof CoordError) return false;
    throw error;
  }
}

function userOf(settings: Settings): { readonly name: string; readonly password: string } | undefined {
  const name = settings['etcd.user'];
  const password = settings['etcd.password'];
  return name === undefined || password === undefined ? undefined : { name, password };
}

/** With the scheme and the port that are meant where none is written. */
function endpointUrl(endpoint: string): string {
  const url = endpoint.includes('://') ? endpoint : `http://${endpoint}`;
  return /:\d+$/.test(url) ? url : `${url}:${defaultPort}`;
}

async function readPem(
  settings: Settings,
  key: 'etcd.caFile' | 'etcd.cert' | 'etcd.key',
): Promise<Buffer | undefined> {
  const path = settings[key];
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (error) {
    throw new CommandError(`${key}: ${(error as Error).message}`);
  }
}
