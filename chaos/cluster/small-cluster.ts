import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChildServer } from '../../conformance/child-server.ts';
import { run } from '../../src/cli/run.ts';
import { type ClusterPlan, type Keys, planCluster } from './cluster-folder.ts';
import { EtcdServer, findEtcd } from './etcd-process.ts';
import { NodeProcess } from './node-process.ts';
import { steadyPorts } from './steady-ports.ts';
import { startStorage } from './storage-process.ts';

/** Processes of one cluster on this machine: etcd, a storage that counts what it is asked, and nodes that come and go. */
export class SmallCluster {
  readonly plan: ClusterPlan;
  readonly nodes: NodeProcess[] = [];
  readonly etcd: EtcdServer;
  private readonly storage: ChildServer;
  private readonly storageAdminPort: number;
  private readonly environment: Readonly<Record<string, string>>;

  private constructor(
    plan: ClusterPlan,
    etcd: EtcdServer,
    storage: ChildServer,
    storageAdminPort: number,
    environment: Readonly<Record<string, string>>,
  ) {
    this.plan = plan;
    this.etcd = etcd;
    this.storage = storage;
    this.storageAdminPort = storageAdminPort;
    this.environment = environment;
  }

  /** Resolves when so many nodes are ready. `environment`: settings of all of them. Rejects if there is no etcd to be had. */
  static async start(
    folder: string,
    count: number,
    root: Keys,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<SmallCluster> {
    const plan = await planCluster(folder, root);
    const found = await findEtcd();
    if ('missing' in found) throw new Error(`etcd is not to be had: ${found.missing}`);
    await mkdir(join(folder, 'etcd'), { recursive: true, mode: 0o700 });
    const etcd = await EtcdServer.start(found.program, [], join(folder, 'etcd'));
    const [adminPort = 0] = await steadyPorts(1);
    const storage = await startStorage(plan, adminPort).catch(async (error: unknown) => {
      await etcd.close();
      throw error;
    });
    const cluster = new SmallCluster(plan, etcd, storage, adminPort, environment);
    try {
      for (let index = 0; index < count; index++) await cluster.add();
      // The first one tries what the storage can do, and leaves what it found to the others.
      const [first, ...others] = cluster.nodes;
      await first?.start();
      await Promise.all(others.map((node) => node.start()));
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** One more, which is not started yet. */
  async add(): Promise<NodeProcess> {
    const [s3Port = 0, adminPort = 0, peerPort = 0] = await steadyPorts(3);
    const node = new NodeProcess(this.plan, {
      name: `node-${this.nodes.length + 1}`,
      s3Port,
      adminPort,
      peerPort,
      etcdUrl: this.etcd.url,
      storageUrl: `http://127.0.0.1:${this.plan.storagePort}`,
      environment: this.environment,
    });
    this.nodes.push(node);
    return node;
  }

  /** What `forebay …` at a node has printed. Rejects if it failed. */
  async cli(
    node: NodeProcess,
    line: string,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    let said = '';
    const print = (text: string) => {
      said += text;
    };
    const environment = {
      ...variables,
      FOREBAY_ADMIN_URL: node.adminUrl,
      AWS_ACCESS_KEY_ID: this.plan.root.accessKeyId,
      AWS_SECRET_ACCESS_KEY: this.plan.root.secretAccessKey,
    };
    if ((await run(line.split(' '), { environment, print, printError: print })) === 0) return said;
    throw new Error(said);
  }

  /** How many GETs of objects the storage has answered, by its own count. */
  async storageReads(): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.storageAdminPort}/metrics`);
    return readsIn(await answer.text());
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.nodes.map((node) => node.stop()));
    if (this.storage.isAlive) await this.storage.stop();
    await this.etcd.close();
  }
}

function readsIn(metrics: string): number {
  const counts = metrics.matchAll(/^forebay_requests_total\{[^}]*operation="GetObject"[^}]*\} (\d+)/gm);
  let reads = 0;
  for (const [, count] of counts) reads += Number(count);
  return reads;
}
