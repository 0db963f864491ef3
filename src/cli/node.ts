import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readiness } from '../admin/readiness.ts';
import { AdminServer } from '../admin/server.ts';
import { Authenticator } from '../auth/authenticate.ts';
import { Credentials } from '../auth/credentials.ts';
import { SecretBox } from '../auth/secret-box.ts';
import { UserStore } from '../auth/user-store.ts';
import { systemClock as clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import { Metrics } from '../common/metrics.ts';
import { systemRandom as random } from '../common/random.ts';
import { TlsDoor } from '../common/tls.ts';
import { BucketGate } from '../gateway/bucket-gate.ts';
import { Buckets } from '../gateway/buckets.ts';
import { RequestPipeline } from '../gateway/handle-request.ts';
import { Namespace } from '../gateway/namespace.ts';
import { GatewayObjectService } from '../gateway/object-service.ts';
import { warnOfUnknownBuckets } from '../gateway/unknown-buckets.ts';
import { VersionHolder } from '../gateway/version-holder.ts';
import { mountName } from '../mounts/mount-spec.ts';
import { MountStore } from '../mounts/mount-store.ts';
import { MountedBackends } from '../mounts/mounted-backends.ts';
import type { WriteBack } from '../pending/write-back.ts';
import { placeAmong } from '../ring/place-among.ts';
import { loadWorkerId } from '../ring/worker-identity.ts';
import type { Backend } from '../ufs/backend.ts';
import { limitedBackend } from '../ufs/limited.ts';
import { MeteredBackend } from '../ufs/metered.ts';
import { NodeFileSystem } from '../ufs/node-file-system.ts';
import { type BackendDependencies, openBackend, pathOf } from '../ufs/open-backend.ts';
import { type DiskDirectory, DiskPageStore } from '../worker/disk-page-store.ts';
import { MetadataCache } from '../worker/metadata-cache.ts';
import { defaultPageReaderSettings, PageReader } from '../worker/page-reader.ts';
import type { PageStore } from '../worker/page-store.ts';
import { TieredPageStore } from '../worker/tiered-page-store.ts';
import { advertisedHost, type ClusterPart, openCluster, writerIn } from './cluster.ts';
import { holdThreadsBack, openCoordination } from './coordination.ts';
import { networkOf } from './mount-network.ts';
import { foldersReadiness, pageFoldersOf } from './page-folders.ts';
import { Patience } from './patience.ts';
import { openPeering, redirectsOf } from './peering.ts';
import { openRootMount, rootUriOf } from './root-mount.ts';
import type { NodeLog, NodeSecrets, RunningNode } from './running-node.ts';
import { openOwnDoor, openThreadedDoor } from './s3-door.ts';
import { pipelineSettings } from './server-settings.ts';
import type { Settings } from './settings-table.ts';
import { leaseForThreads, sharedDisk, shareWithThreads, threadsReadiness } from './shared-with-threads.ts';
import { openWriteBack, resumePending, withPending } from './write-back.ts';

const rootUser = 'root';
/** How long a removed mount's backend stays open for the requests that still use it. */
const mountGraceMs = 60_000;

/** What was opened and has to be closed again, the last first, also when a later step fails. */
class Opened {
  readonly #closers: (() => Promise<void>)[] = [];

  add<T>(part: T, close: (part: T) => Promise<void> | void): T {
    this.#closers.push(async () => close(part));
    return part;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.toReversed()) await close();
    this.#closers.length = 0;
  }
}

/** Builds a node out of its components and opens its doors: the only place where they are joined. */
export async function startNode(
  settings: Settings,
  secrets: NodeSecrets,
  log: NodeLog,
  stop: AbortSignal = new AbortController().signal,
): Promise<RunningNode> {
  const opened = new Opened();
  try {
    return await build(settings, secrets, log, opened, stop);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function build(
  settings: Settings,
  secrets: NodeSecrets,
  nodeLog: NodeLog,
  opened: Opened,
  stop: AbortSignal,
): Promise<RunningNode> {
  const { log, droppedLines } = nodeLog;
  const metrics = new Metrics();
  metrics.showDroppedLines(droppedLines);
  const dataFolder = resolve(settings.data);
  const readiness = new Readiness(['the coordination store', 'the mounts', 'the S3 port']);
  const tls = await openTls(settings, log, opened);
  const scheme = tls ? 'https' : 'http';
  await mkdir(dataFolder, { recursive: true, mode: 0o700 });
  // First of all, since it holds the lock on the data folder.
  const coordination = opened.add(await openCoordination(settings, dataFolder, clock, random, log), (part) =>
    part.close(),
  );
  const { store } = coordination;
  const patience = new Patience(clock, log, stop);
  readiness.watch(() => coordination.readiness());
  readiness.watch(() => patience.readiness());
  const admin = opened.add(
    new AdminServer(log, metrics, readiness, tls, {
      host: settings.host,
      port: settings['admin.port'],
      metricsPublic: settings['metrics.public'],
    }),
    (part) => part.close(500),
  );
  const adminPort = (await admin.listen()).port;

  await coordination.reached(patience);
  const workerId = await loadWorkerId(dataFolder, random);
  const cluster = opened.add(
    await openCluster(settings, clock, random, log, coordination, workerId, patience),
    (part) => part.close(),
  );
  readiness.watch(() => cluster.readiness());
  const box = new SecretBox(random, secrets.encryptionKey);
  const credentials = opened.add(
    await patience.until('etcd', () =>
      Credentials.open(clock, store, box, secrets.root, coordination.isLost),
    ),
    (part) => part.close(),
  );
  const users = new UserStore(clock, random, box, credentials);
  readiness.ready('the coordination store');

  const mounts = opened.add(
    await patience.until('etcd', () => MountStore.open(clock, random, store, box, { rootUser })),
    (part) => part.close(),
  );
  const rootUri = rootUriOf(settings, dataFolder);
  const pageFolders = pageFoldersOf(settings, dataFolder);
  const ownFolders = {
    data: dataFolder,
    root: rootUri.startsWith('file:') ? pathOf(rootUri) : undefined,
    pages: pageFolders.map(({ path }) => path),
  };
  const apart = Object.values(ownFolders)
    .flat()
    .filter((folder) => folder !== undefined);
  const network = await networkOf(settings);
  const uploadLimits = { maxCount: settings['limits.uploads'], maxIdleMs: settings['limits.uploadAge'] };
  const fs = new NodeFileSystem();
  const parts = { fs, clock, random, log, uploadLimits, ownFolders: apart, network };
  const root = await patience.until('the root mount', () =>
    openRootMount(settings, rootUri, store, parts, random, writerIn(cluster, 'root')),
  );
  const { ownership, member } = cluster;
  const writeBack = opened.add(
    await openWriteBack(settings, dataFolder, fs, clock, random, metrics, log),
    (part) => part?.close(),
  );
  const backends = opened.add(openBackends(root, parts, metrics, mounts, cluster, writeBack), (part) =>
    part.close(),
  );
  const shared = shareWithThreads(settings, random, metrics, pageFolders);
  const disk = await openDisk(settings, pageFolders, mounts, metrics, log);
  const pages = opened.add(disk ? new TieredPageStore(shared.pages, disk) : shared.pages, (part) =>
    part.close(),
  );
  const forget = followMounts(mounts, backends, pages);
  opened.add(forget, (stop) => stop());
  resumePending(writeBack, mounts, backends, log);
  readiness.ready('the mounts');

  const reader = opened.add(
    new PageReader(clock, metrics, pages, {
      ...defaultPageReaderSettings,
      maxFillBytes: settings['limits.fillMemory'],
      maxFills: settings['limits.fills'],
      maxQueuedFills: settings['limits.queuedFills'],
      readAheadPages: settings['cache.readAhead'],
    }),
    (part) => part.close(),
  );
  metrics.showFills(() => reader.usage);
  metrics.showHolds(() => shared.pages.holds);
  const namespace = new Namespace(mounts.buckets, () => mounts.table, backends, {
    rootUri,
    leaseMs: settings['freshness.lease'],
  });
  const gate = new BucketGate();
  const objects = new MetadataCache(
    clock,
    metrics,
    { capacityBytes: settings['cache.metadata'], shared: shared.metadata },
    (target, generation) => reader.heardOfVersion(target, generation),
  );
  const usage = () => ({ bytes: pages.usage.bytes, keys: objects.usage.entries });
  const peering =
    member &&
    opened.add(
      await openPeering(
        settings,
        clock,
        random,
        metrics,
        log,
        tls,
        ownership,
        namespace,
        objects,
        reader,
        usage,
      ),
      (part) => part.close(),
    );
  const routing = peering?.routing;
  const local = new GatewayObjectService(
    namespace,
    new Buckets(mounts.buckets, namespace, gate, pages),
    gate,
    routing?.metadata ?? objects,
    routing?.reader ?? reader,
    { workerId, pageSizeBytes: settings['page.size'] },
  );
  const service = routing?.serve(local) ?? local;
  const { region } = settings;
  const signatures = new Authenticator(clock, credentials, { region, service: 's3' });
  const pipeline = new RequestPipeline(
    clock,
    random,
    metrics,
    log,
    nodeLog.lines,
    signatures,
    mounts.buckets,
    service,
    {
      ...pipelineSettings(settings, tls !== undefined),
      requests: shared.board,
      redirects: routing && redirectsOf(settings, clock, credentials, routing),
    },
  );
  const facts = { store, secrets, rootUser, rootUri, workerId, dataFolder };
  const { board, metadata } = shared;
  const lease = member && leaseForThreads(ownership);
  const openDoor = () =>
    board && metadata
      ? openThreadedDoor(
          settings,
          clock,
          random,
          metrics,
          nodeLog,
          pipeline,
          new VersionHolder(namespace, reader, settings['page.size']),
          { ...shared, board, metadata, disk: disk && sharedDisk(disk, pageFolders), lease },
          facts,
        )
      : openOwnDoor(settings, pipeline, tls);
  const door = opened.add(await patience.until('etcd', openDoor), (part) =>
    part.close(settings['timeout.shutdown']),
  );
  if (door.feed) opened.add(holdThreadsBack(clock, coordination, door.feed), (end) => end());
  readiness.watch(() => threadsReadiness(door.threads));
  if (disk) readiness.watch(() => foldersReadiness(disk));
  admin.open({
    clock,
    random,
    authenticator: new Authenticator(clock, credentials, { region, service: 'forebay' }),
    users,
    mounts,
    backends,
    leaseMs: settings['freshness.lease'],
    tryBackend: (spec) => openBackend(parts, spec),
    ownFolders,
    writeBack,
    cluster: member,
    cached: async (signal) => routing?.usages(signal) ?? new Map(),
  });
  readiness.ready('the S3 port');
  searchForUnknownBuckets(mounts, backends, log, opened);
  if (peering) {
    // It would own what nobody could ask it for.
    await peering.checkSecret();
    const host = advertisedHost(settings);
    await cluster.join(
      {
        host,
        peerPort: peering.port,
        s3Url: urlOf(scheme, host, door.port),
        adminUrl: urlOf(scheme, host, adminPort),
      },
      stop,
    );
  }
  return {
    s3Url: urlOf(scheme, settings.host, door.port),
    adminUrl: urlOf(scheme, settings.host, adminPort),
    close: async () => {
      readiness.notReady('the node is going down');
      await cluster.drain();
      await opened.close();
    },
  };
}

async function openTls(settings: Settings, log: Log, opened: Opened): Promise<TlsDoor | undefined> {
  const certPath = settings['tls.cert'];
  const keyPath = settings['tls.key'];
  if (certPath === undefined || keyPath === undefined) return undefined;
  return opened.add(await TlsDoor.open(clock, log, { certPath, keyPath }), (door) => door.close());
}

function openBackends(
  root: Backend,
  parts: BackendDependencies,
  metrics: Metrics,
  mounts: MountStore,
  cluster: ClusterPart,
  writeBack: WriteBack | undefined,
): MountedBackends {
  const node = () => placeAmong(cluster.ownership);
  const metered = (backend: Backend, mount: string) => new MeteredBackend(metrics, backend, mount);
  return new MountedBackends(metered(root, 'root'), async (mount) => {
    const backend = await openBackend(parts, {
      ...mount,
      writer: writerIn(cluster, mount.incarnation),
      secretAccessKey: mounts.secretOf(mount),
      credentials: mounts.credentialsOf(mount),
    });
    const limited = limitedBackend(clock, backend, mount, node);
    return withPending(writeBack, mounts, mount, metered(limited, mountName(mount)));
  });
}

async function openDisk(
  settings: Settings,
  directories: readonly DiskDirectory[],
  mounts: MountStore,
  metrics: Metrics,
  log: Log,
): Promise<DiskPageStore | undefined> {
  if (directories.length === 0) return undefined;
  return DiskPageStore.open(clock, metrics, log, {
    directories,
    minFreeBytes: settings['cache.minFree'],
    scrubBytesPerSecond: settings['cache.scrub'],
    // What lies below a mount is kept under the mount's incarnation, and what lies in the root mount under its bucket's.
    wanted: () =>
      new Set([...mounts.table.mounts, ...mounts.buckets.list()].map(({ incarnation }) => incarnation)),
  });
}

/** A mount that is gone gives up its backend and its pages. Returns what ends the following. */
function followMounts(mounts: MountStore, backends: MountedBackends, pages: PageStore): () => void {
  let before = mounts.table.mounts;
  return mounts.onChange((table) => {
    backends.retain(table.mounts, mountGraceMs);
    const kept = new Set(table.mounts.map((mount) => mount.incarnation));
    for (const mount of before) {
      if (!kept.has(mount.incarnation)) void pages.removeIncarnation(mount.incarnation);
    }
    before = table.mounts;
  });
}

/** In the background, since it may take a while over a slow root mount. */
function searchForUnknownBuckets(
  mounts: MountStore,
  backends: MountedBackends,
  log: Log,
  opened: Opened,
): void {
  const ended = new AbortController();
  const isKnown = (name: string) => mounts.buckets.get(name) !== undefined;
  opened.add(warnOfUnknownBuckets(log, backends.root, isKnown, ended.signal), async (search) => {
    ended.abort();
    await search;
  });
}

function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
