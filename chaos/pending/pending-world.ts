import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildServer } from '../../conformance/child-server.ts';
import { S3Side } from '../../fuzz/lib/s3-side.ts';
import { type ClusterPlan, planCluster } from '../cluster/cluster-folder.ts';
import { startStorage, storageBucket } from '../cluster/storage-process.ts';
import { StorageProxy } from '../world/storage-proxy.ts';
import type { Applied } from './judge-log.ts';
import { LoneNode } from './lone-node.ts';
import { SmallDisk } from './small-disk.ts';

/** The bucket whose writes are acknowledged from the journal, and where its storage keeps it. */
export const bucket = 'front';
const storagePrefix = 'kept/';
const diskBytes = 160 * 1024 * 1024;
/** How long an attempt may be on its way here at most; longer than any that is done late. */
const settle = '8s';

/** A node with a mount in write mode back, its storage, and what stands between and below. */
export class PendingWorld {
  readonly plan: ClusterPlan;
  readonly disk: SmallDisk;
  readonly node: LoneNode;
  readonly proxy: StorageProxy;
  /** What clients speak to behind the node's back. */
  readonly storage: S3Side;
  /** Versions in the order in which the storage carried them out. */
  readonly applied: Applied[] = [];
  private readonly storageServer: ChildServer;

  private constructor(
    plan: ClusterPlan,
    disk: SmallDisk,
    node: LoneNode,
    proxy: StorageProxy,
    storageServer: ChildServer,
  ) {
    this.plan = plan;
    this.disk = disk;
    this.node = node;
    this.proxy = proxy;
    this.storageServer = storageServer;
    this.storage = new S3Side({ port: plan.storagePort, ...plan.storage });
    proxy.onAnswered = ({ method, url, version, status = 0 }) => {
      const path = decodeURIComponent(url.split('?')[0] as string);
      const key = path.slice(`/${storageBucket}/${storagePrefix}`.length);
      if (method === 'PUT' && version !== undefined && status === 200)
        this.applied.push({ key, version: Number(version) });
    };
  }

  /** Resolves when the node is ready and has the mount. */
  static async start(settings: Readonly<Record<string, string>>): Promise<PendingWorld> {
    const plan = await planCluster(await mkdtemp(join(tmpdir(), 'forebay-chaos-pending-')));
    const disk = await SmallDisk.create(join(plan.folder, 'disk'), diskBytes);
    const storageServer = await startStorage(plan);
    const proxy = await StorageProxy.start(plan.storagePort);
    const node = await LoneNode.plan({
      dataFolder: disk.folder,
      logFile: join(plan.folder, 'node.log'),
      root: plan.root,
      keyFile: plan.keyFile,
      settings: {
        FOREBAY_CACHE_MEMORY: '16MiB',
        FOREBAY_CACHE_DISK: '32MiB',
        FOREBAY_WRITE_BACK_CAPACITY: '32MiB',
        FOREBAY_BACKEND_SETTLING: settle,
        ...settings,
      },
    });
    const world = new PendingWorld(plan, disk, node, proxy, storageServer);
    try {
      await node.start();
      await node.admin('POST', '/v1/mounts', {
        target: bucket,
        uri: `s3://${storageBucket}/${storagePrefix}`,
        endpoint: `http://127.0.0.1:${proxy.port}`,
        pathStyle: true,
        accessKeyId: plan.storage.accessKeyId,
        secretAccessKey: plan.storage.secretAccessKey,
        writeMode: 'back',
      });
    } catch (error) {
      await world.close();
      throw error;
    }
    return world;
  }

  async setMode(writeMode: string): Promise<void> {
    await this.node.admin('POST', `/v1/mounts/${bucket}/write-mode`, { writeMode });
  }

  /** How many writes are pending. */
  async pending(): Promise<number> {
    const { places } = (await this.node.admin('GET', '/v1/pending')) as { places: { entries: number }[] };
    return places.reduce((sum, { entries }) => sum + entries, 0);
  }

  /** Resolves when nothing is pending any more; false if that takes too long. */
  async flushed(patienceMs: number): Promise<boolean> {
    const untilMs = Date.now() + patienceMs;
    while ((await this.pending()) > 0) {
      if (Date.now() > untilMs) return false;
      await sleep(200);
    }
    return true;
  }

  /** The path of a key at the storage itself. */
  pathAtStorage(key: string): string {
    return `/${storageBucket}/${storagePrefix}${key}`;
  }

  /** Where its list is asked for, and what stands before each key in it. */
  get listAtStorage() {
    return { path: `/${storageBucket}`, prefix: storagePrefix };
  }

  /** Ends everything that was started, by force, and removes what it kept. */
  async close(): Promise<void> {
    this.storage.close();
    await this.node.kill();
    await this.proxy.close();
    if (this.storageServer.isAlive) await this.storageServer.stop();
    await this.disk.close();
    await rm(this.plan.folder, { recursive: true, force: true });
  }
}
