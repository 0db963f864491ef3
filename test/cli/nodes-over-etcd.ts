import { cp, lstat, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { refuseUnfitForCluster } from '../../src/cli/coordination.ts';
import { startNode } from '../../src/cli/node.ts';
import { prepareSecrets } from '../../src/cli/node-secrets.ts';
import { run } from '../../src/cli/run.ts';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { EtcdStore } from '../../src/coord/etcd.ts';
import { credentials as below } from '../gateway/memory-node.ts';
import { EtcdServer } from '../support/etcd-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { everything, type S3UnderTest, startS3 } from '../ufs/s3-under-test.ts';

const clusterName = 'ring';
const rootMount = `s3://under/${clusterName}/`;
export const rootKey = { accessKeyId: 'AKIDROOTOFTHENODES', secretAccessKey: 'secret-of-the-nodes' };

export interface Answer {
  readonly exitCode: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes.
  readonly json: any;
}

/** Nodes of one cluster in this process, over a real etcd and an S3 storage, each in a data folder of its own. */
export class NodesOverEtcd {
  readonly etcd: EtcdServer;
  readonly storage: S3UnderTest;
  private readonly folder: string;
  private readonly running = new Set<RunningNode>();
  /** Between etcd and the nodes, by data folder. */
  private readonly proxies = new Map<string, TcpProxy>();

  private constructor(etcd: EtcdServer, storage: S3UnderTest, folder: string) {
    this.etcd = etcd;
    this.storage = storage;
    this.folder = folder;
  }

  static async start(program: string): Promise<NodesOverEtcd> {
    const etcd = await EtcdServer.start(program);
    const storage = await startS3();
    const nodes = new NodesOverEtcd(etcd, storage, await mkdtemp(join(tmpdir(), 'forebay-nodes-')));
    const key = `${Buffer.alloc(32, 7).toString('base64')}\n`;
    await writeFile(join(nodes.folder, 'key'), key, { mode: 0o600 });
    await nodes.sayThatStorageWasProbed();
    return nodes;
  }

  proxyOf(name: string): TcpProxy {
    const proxy = this.proxies.get(name);
    if (!proxy) throw new Error(`no node ${name} was started`);
    return proxy;
  }

  /** Resolves when the node has joined. `name` is its data folder. */
  async open(name: string, changes: Record<string, string> = {}, stop?: AbortSignal): Promise<RunningNode> {
    const proxy = this.proxies.get(name) ?? (await TcpProxy.start(this.etcd.port));
    this.proxies.set(name, proxy);
    const environment = { ...this.environment(name, proxy.port), ...changes };
    const { settings } = resolveSettings({ flags: new Map(), environment });
    await refuseUnfitForCluster(settings);
    const { secrets } = await prepareSecrets(settings, systemRandom);
    const quiet = { log: silentLog(), lines: { write: () => {} }, droppedLines: () => 0 };
    const node = await startNode(settings, secrets, quiet, stop);
    this.running.add(node);
    return node;
  }

  async end(node: RunningNode): Promise<void> {
    this.running.delete(node);
    await node.close();
  }

  /** Has the node that will be started in this folder be this worker. */
  async identify(name: string, workerId: string): Promise<void> {
    await mkdir(join(this.folder, name), { recursive: true });
    await writeFile(join(this.folder, name, 'worker-id'), `${workerId}\n`);
  }

  /** Makes a copy of a node's data folder, as it is now. */
  async copyFolder(from: string, to: string): Promise<void> {
    await cp(join(this.folder, from), join(this.folder, to), {
      recursive: true,
      // Sockets are no part of it.
      filter: async (path) => !(await lstat(path)).isSocket(),
    });
  }

  /** What a node is set to that has a secret of its own. */
  async otherSecret(): Promise<Record<string, string>> {
    const path = join(this.folder, 'other-secret');
    await writeFile(path, 'a secret that the others do not have', { mode: 0o600 });
    return { FOREBAY_CLUSTER_SECRET_FILE: path };
  }

  async cli(node: RunningNode, line: string): Promise<Answer> {
    let said = '';
    let wrong = '';
    const print = (text: string) => {
      said += text;
    };
    const printError = (text: string) => {
      wrong += text;
    };
    const environment = {
      FOREBAY_ADMIN_URL: node.adminUrl,
      AWS_ACCESS_KEY_ID: rootKey.accessKeyId,
      AWS_SECRET_ACCESS_KEY: rootKey.secretAccessKey,
      SECRET: below.secretAccessKey,
    };
    const exitCode = await run([...line.split(' '), '--json'], { environment, print, printError });
    return { exitCode, json: exitCode === 0 ? JSON.parse(said) : said + wrong };
  }

  async close(): Promise<void> {
    for (const proxy of this.proxies.values()) proxy.mend();
    await Promise.all([...this.running].map((node) => this.end(node)));
    for (const proxy of this.proxies.values()) await proxy.close();
    await this.storage.close();
    await this.etcd.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  private environment(name: string, etcdPort: number): Record<string, string> {
    return {
      FOREBAY_DATA: join(this.folder, name),
      FOREBAY_S3_PORT: '0',
      FOREBAY_ADMIN_PORT: '0',
      FOREBAY_PEER_PORT: '0',
      FOREBAY_CACHE_MEMORY: '4MiB',
      FOREBAY_CACHE_DISK: '0',
      FOREBAY_ETCD_ENDPOINTS: `http://127.0.0.1:${etcdPort}`,
      FOREBAY_ETCD_TIMEOUT: '1s',
      FOREBAY_TIMEOUT_LEAVE: '0s',
      FOREBAY_CLUSTER_NAME: clusterName,
      FOREBAY_CLUSTER_SECRET_FILE: join(this.folder, 'key'),
      FOREBAY_ENCRYPTION_KEY_FILE: join(this.folder, 'key'),
      FOREBAY_ROOT_ACCESS_KEY_ID: rootKey.accessKeyId,
      FOREBAY_ROOT_SECRET_ACCESS_KEY: rootKey.secretAccessKey,
      FOREBAY_ROOT_MOUNT: rootMount,
      FOREBAY_ROOT_MOUNT_ENDPOINT: `http://127.0.0.1:${this.storage.proxy.port}`,
      FOREBAY_ROOT_MOUNT_PATH_STYLE: 'true',
      FOREBAY_ROOT_MOUNT_ACCESS_KEY_ID: below.accessKeyId,
      FOREBAY_ROOT_MOUNT_SECRET_ACCESS_KEY: below.secretAccessKey,
    };
  }

  private async sayThatStorageWasProbed(): Promise<void> {
    const settings = { endpoints: [this.etcd.url], clusterName, timeoutMs: 60_000, pulseMs: 1_000 };
    const store = new EtcdStore(systemClock, systemRandom, silentLog(), settings);
    const endpoint = `http://127.0.0.1:${this.storage.proxy.port}`;
    const entry = { uri: rootMount, endpoint, abilities: everything };
    await store.putIf('cluster/root-mount', JSON.stringify(entry), 'absent');
    await store.close();
  }
}
