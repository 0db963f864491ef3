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
import { ConfigStore } from '../coord/config-store.ts';
import { BucketGate } from '../gateway/bucket-gate.ts';
import { Buckets } from '../gateway/buckets.ts';
import { RequestPipeline } from '../gateway/handle-request.ts';
import { Namespace } from '../gateway/namespace.ts';
import { GatewayObjectService } from '../gateway/object-service.ts';
import { Refusals } from '../gateway/refusals.ts';
import { VersionHolder } from '../gateway/version-holder.ts';
import type { Mount } from '../mounts/mount.ts';
import { MountStore } from '../mounts/mount-store.ts';
import type { MountedBackends } from '../mounts/mounted-backends.ts';
import { loadWorkerId } from '../ring/worker-identity.ts';
import type { Backend } from '../ufs/backend.ts';
import { NodeFileSystem } from '../ufs/node-file-system.ts';
import { openBackend, pathOf } from '../ufs/open-backend.ts';
import { MetadataCache } from '../worker/metadata-cache.ts';
import { defaultPageReaderSettings, PageReader } from '../worker/page-reader.ts';
import { PolicySweep } from '../worker/policy-sweep.ts';
import { TieredPageStore } from '../worker/tiered-page-store.ts';
import { advertisedHost, openCluster, writerIn } from './cluster.ts';
import { holdThreadsBack, openCoordination } from './coordination.ts';
import { DynamicSettings } from './dynamic-settings.ts';
import { followMounts } from './follow-mounts.ts';
import { cacheUsageOf, openLooks } from './looks.ts';
import { networkOf } from './mount-network.ts';
import { openBackends, openStorage } from './mount-storages.ts';
import { NodeJobs } from './node-jobs.ts';
import { holdingsOf, openPolicies } from './node-policies.ts';
import { Opened } from './opened.ts';
import { foldersReadiness, openDisk, pageFoldersOf } from './page-folders.ts';
import { Patience } from './patience.ts';
import { openPeering, openPeerWays, redirectsOf } from './peering.ts';
import {
  clusterPending,
  flushAtEndMs,
  openPendingSets,
  ownPending,
  withPendingSets,
} from './pending-sets.ts';
import { openRootMount, rootUriOf } from './root-mount.ts';
import type { NodeLog, NodeSecrets, RunningNode } from './running-node.ts';
import { openOwnDoor, openThreadedDoor } from './s3-door.ts';
import { searchForUnknownBuckets } from './search-buckets.ts';
import { pipelineSettings } from './server-settings.ts';
import type { Settings } from './settings-table.ts';
import { leaseForThreads, sharedDisk, shareWithThreads, threadsReadiness } from './shared-with-threads.ts';
import { tuneNode } from './tuning.ts';
import { nodePending, openWriteBack, resumePending, withPending } from './write-back.ts';

const rootUser = 'root';

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
  const { ownership, member } = cluster;
  const policies = opened.add(
    await patience.until('etcd', () =>
      openPolicies(clock, store, mounts, ownership, settings['ring.weight'] / 100),
    ),
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
  const uploadLimits = { maxCount: settings['limits.uploads'], maxIdleMs: settings['limits.uploadAge'] };
  const fs = new NodeFileSystem();
  const parts = {
    fs,
    clock,
    random,
    log,
    uploadLimits,
    ownFolders: apart,
    network: await networkOf(settings),
  };
  const root = await patience.until('the root mount', () =>
    openRootMount(settings, rootUri, store, parts, random, writerIn(cluster, 'root')),
  );
  const writeBack = opened.add(
    await openWriteBack(settings, dataFolder, fs, clock, random, metrics, log),
    (part) => part.close(),
  );
  const ways =
    member &&
    opened.add(await openPeerWays(settings, clock, random, log, tls, ownership), ({ pool }) => pool.close());
  const sets =
    member &&
    ways &&
    opened.add(
      await patience.until('etcd', () =>
        openPendingSets(
          settings,
          dataFolder,
          fs,
          clock,
          random,
          metrics,
          log,
          store,
          member,
          ways.pool,
          mounts,
          () => backends,
        ),
      ),
      (part) => part.close(),
    );
  const over = (mount: Mount, backend: Backend) =>
    sets
      ? withPendingSets(sets, writeBack, settings, mounts, mount, backend, (at) => objects.invalidate(at))
      : withPending(writeBack, settings, mounts, mount, backend);
  const backends: MountedBackends = opened.add(
    openBackends(clock, root, parts, metrics, mounts, cluster, over),
    (part) => part.close(),
  );
  const shared = shareWithThreads(settings, clock, random, metrics, pageFolders, policies);
  const disk = await openDisk(settings, pageFolders, mounts, policies, clock, metrics, log);
  const pages = opened.add(disk ? new TieredPageStore(shared.pages, disk) : shared.pages, (part) =>
    part.close(),
  );
  opened.add(new PolicySweep(clock, policies, pages), (sweep) => sweep.close());
  opened.add(followMounts(mounts, backends, pages), (forget) => forget());
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
  const naming = { rootUri, leaseMs: settings['freshness.lease'] };
  const namespace = new Namespace(mounts.buckets, () => mounts.table, backends, naming, policies, clock);
  const gate = new BucketGate();
  const objects = new MetadataCache(
    clock,
    metrics,
    { capacityBytes: settings['cache.metadata'], shared: shared.metadata },
    (target, generation) => reader.heardOfVersion(target, generation),
  );
  const peering =
    ways &&
    opened.add(
      await openPeering(settings, clock, metrics, log, tls, ownership, ways, namespace, objects, reader),
      (part) => part.close(),
    );
  const routing = peering?.routing;
  if (sets) routing?.servePending((question, exchange) => sets.answer(question, exchange));
  const knowledge = routing?.metadata ?? objects;
  const local = new GatewayObjectService(
    namespace,
    new Buckets(mounts.buckets, namespace, gate, pages),
    gate,
    knowledge,
    routing?.reader ?? reader,
    { workerId, pageSizeBytes: settings['page.size'] },
  );
  const service = routing?.serve(local) ?? local;
  const jobs = opened.add(
    await patience.until('etcd', () => NodeJobs.open(clock, random, log, store, workerId)),
    (part) => part.close(),
  );
  const { region } = settings;
  const refusals = new Refusals(clock);
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
      refusals,
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
  const config = opened.add(await patience.until('etcd', () => ConfigStore.open(clock, store)), (part) =>
    part.close(),
  );
  const dynamic = new DynamicSettings(settings, config);
  opened.add(tuneNode(dynamic, { log, namespace, pipeline, admin, reader, disk }), (end) => end());
  const looks = opened.add(
    await openLooks(settings, clock, random, log, {
      ...{ fs, dataFolder, metrics, readiness, ownership, routing, mounts, backends, policies },
      ...{ namespace, objects, pages, refusals, credentials },
      pending: sets ? ownPending(sets) : writeBack,
      cluster: member,
      cache: () => cacheUsageOf(shared.pages, disk, objects),
      holdings: holdingsOf(mounts, policies, config, pages),
    }),
    (part) => part.close(),
  );
  admin.open({
    clock,
    random,
    authenticator: new Authenticator(clock, credentials, { region, service: 'forebay' }),
    users,
    mounts,
    backends,
    get leaseMs() {
      return dynamic.get('freshness.lease');
    },
    tryBackend: (spec) => openBackend(parts, spec),
    openStorage: (mount) => openStorage(parts, mounts, cluster, mount),
    ownFolders,
    pending: sets ? clusterPending(sets, mounts) : nodePending(writeBack),
    ...looks,
    cluster: member,
    jobs: jobs.jobs,
    policies,
    clusterSettings: dynamic,
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
  jobs.run(
    namespace,
    ownership,
    knowledge,
    routing,
    reader,
    objects,
    disk,
    looks.reports,
    settings['page.size'],
  );
  return {
    s3Url: urlOf(scheme, settings.host, door.port),
    adminUrl: urlOf(scheme, settings.host, adminPort),
    close: async () => {
      readiness.notReady('the node is going down');
      await cluster.drain();
      await sets?.flush(flushAtEndMs);
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

function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
