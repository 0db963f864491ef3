import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChildServer } from '../../conformance/child-server.ts';
import { TcpProxy } from '../../test/support/tcp-proxy.ts';
import { type ClusterPlan, planCluster } from '../cluster/cluster-folder.ts';
import { EtcdServer } from '../cluster/etcd-process.ts';
import { NodeProcess } from '../cluster/node-process.ts';
import { steadyPorts } from '../cluster/steady-ports.ts';
import { startStorage } from '../cluster/storage-process.ts';
import { FakeClock } from './fake-clock.ts';
import { PeerLinks } from './peer-links.ts';
import { StorageProxy } from './storage-proxy.ts';
import { WorldNode } from './world-node.ts';

export interface WorldOptions {
  readonly nodes: number;
  readonly etcdProgram: string;
  /** The library that sets clocks; undefined where there is none. */
  readonly fakeTime: string | undefined;
  /** Further settings of all nodes. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Power is not lost here, so that nothing has to reach a disk. */
const memoryFolder = '/dev/shm';

/** A cluster with everything between its parts in the campaign's hands. */
export class World {
  readonly plan: ClusterPlan;
  readonly etcd: EtcdServer;
  readonly storage: StorageProxy;
  readonly links = new PeerLinks();
  /** Those that were there from the beginning, then those that joined. */
  readonly nodes: WorldNode[] = [];
  private readonly storageServer: ChildServer;
  private readonly options: WorldOptions;

  private constructor(
    plan: ClusterPlan,
    etcd: EtcdServer,
    storage: StorageProxy,
    storageServer: ChildServer,
    options: WorldOptions,
  ) {
    this.plan = plan;
    this.etcd = etcd;
    this.storage = storage;
    this.storageServer = storageServer;
    this.options = options;
  }

  /** Resolves when all nodes are ready. */
  static async start(options: WorldOptions): Promise<World> {
    const parent = existsSync(memoryFolder) ? memoryFolder : tmpdir();
    const plan = await planCluster(await mkdtemp(join(parent, 'forebay-chaos-')));
    const etcdFolder = join(plan.folder, 'etcd');
    await mkdir(etcdFolder, { mode: 0o700 });
    const etcd = await EtcdServer.start(options.etcdProgram, [], etcdFolder);
    const storageServer = await startStorage(plan);
    const proxy = await StorageProxy.start(plan.storagePort);
    const world = new World(plan, etcd, proxy, storageServer, options);
    try {
      for (let count = 0; count < options.nodes; count++) await world.addNode();
      // The first one tries what the storage can do, and leaves what it found to the others.
      const [first, ...others] = world.nodes;
      await first?.process.start();
      await Promise.all(others.map((node) => node.process.start()));
    } catch (error) {
      await world.close();
      throw error;
    }
    return world;
  }

  /** Nodes that take requests, or would if nothing were done to them. */
  get members(): readonly WorldNode[] {
    return this.nodes.filter((node) => node.process.isAlive);
  }

  get folder(): string {
    return this.plan.folder;
  }

  /** One more, which is not started yet. */
  async addNode(): Promise<WorldNode> {
    const index = this.nodes.length;
    const [s3Port = 0, adminPort = 0, peerPort = 0] = await steadyPorts(3);
    const name = `node-${index + 1}`;
    const etcd = await TcpProxy.start(this.etcd.port);
    const clock = new FakeClock(join(this.folder, `${name}.clock`), this.options.fakeTime);
    await clock.set(0);
    const node = new NodeProcess(this.plan, {
      name,
      s3Port,
      adminPort,
      peerPort,
      etcdUrl: `http://127.0.0.1:${etcd.port}`,
      storageUrl: `http://127.0.0.1:${this.storage.port}`,
      environment: {
        FOREBAY_ADVERTISE_HOST: this.links.addressOf(index),
        FOREBAY_PAGE_SIZE: '64KiB',
        FOREBAY_CACHE_MEMORY: '16MiB',
        FOREBAY_CACHE_DISK: '64MiB',
        ...this.options.settings,
        ...clock.environment(),
      },
    });
    const worldNode = new WorldNode(node, etcd, clock, index >= this.options.nodes);
    this.nodes.push(worldNode);
    await this.links.add(index, worldNode);
    return worldNode;
  }

  /** Ends everything that was started, by force, and removes what it kept. */
  async close(): Promise<void> {
    for (const node of this.nodes) {
      node.process.resume();
      await node.process.kill();
      await node.etcd.close();
      await node.clock.clean(node.process.pids);
    }
    await this.links.close();
    await this.storage.close();
    if (this.storageServer.isAlive) await this.storageServer.stop();
    this.etcd.resume();
    await this.etcd.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
