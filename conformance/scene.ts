import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../scripts/run-command.ts';
import { startForebay } from './backends/forebay.ts';
import { startGcs } from './backends/gcs.ts';
import { startHdfs } from './backends/hdfs.ts';
import { startMoto } from './backends/moto.ts';
import { startS3Proxy } from './backends/s3proxy.ts';
import type { MountedName, StorageServer } from './backends/storage-server.ts';
import { type RunningNode, startNode } from './harness.ts';

const root = join(import.meta.dirname, '..');

/** What lies behind the node: its own root mount, `file://`, or another storage. */
export type BackendName = 'file' | MountedName;

/** Clients speak to Forebay, or straight to the backend. */
export type Route = 'forebay' | 'direct';

const starters = {
  s3proxy: startS3Proxy,
  moto: startMoto,
  forebay: startForebay,
  hdfs: startHdfs,
  gcs: startGcs,
} as const;

/** As many buckets of one backend as a test needs at the same time, and what its whole file shares. */
const bucketCount = 3;

/** A node, the storages behind it, and buckets of each: what suites run against, several one after another. */
export class Scene {
  readonly node: RunningNode;
  readonly #folder: string;
  readonly #servers: readonly StorageServer[];

  private constructor(node: RunningNode, folder: string, servers: readonly StorageServer[]) {
    this.node = node;
    this.#folder = folder;
    this.#servers = servers;
  }

  /** Starts everything. Rejects with `NotInstallable` where a server is not to be had on this machine. */
  static async open(names: readonly MountedName[]): Promise<Scene> {
    const folder = await mkdtemp(join(tmpdir(), 'forebay-scene-'));
    const servers: StorageServer[] = [];
    let scene: Scene | undefined;
    try {
      for (const name of names) servers.push(await starters[name]());
      scene = new Scene(await startNode(), folder, servers);
      for (const server of servers) await scene.#mount(server);
      return scene;
    } catch (error) {
      await scene?.node.stop();
      for (const server of servers) await server.stop();
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** What a suite is told of its node. Nothing else of the caller's S3 settings reaches the clients. */
  environment(backend: BackendName, route: Route): NodeJS.ProcessEnv {
    const foreign = /^(FOREBAY_|AWS_|PYTHON|NODE_OPTIONS$)/;
    const inherited = Object.entries(process.env).filter(([name]) => !foreign.test(name));
    const server = this.#servers.find(({ name }) => name === backend);
    const straight = server?.s3;
    if (route === 'direct' && !straight) throw new Error('there is no other S3 to speak to straight');
    const target = route === 'direct' && straight ? { ...straight, s3Port: straight.port } : this.node;
    return {
      ...Object.fromEntries(inherited),
      BACKEND: backend,
      ROUTE: route,
      S3_PORT: String(target.s3Port),
      S3_DOMAIN: this.node.domain,
      // Buckets that are there already. Without them, a test makes its own.
      S3_BUCKETS: server ? bucketNames(server).join(' ') : '',
      COMMAND_FOREBAY: join(root, 'bin/forebay'),
      FOREBAY_ADMIN_URL: this.#adminUrl,
      AWS_ACCESS_KEY_ID: target.accessKeyId,
      AWS_SECRET_ACCESS_KEY: target.secretAccessKey,
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: join(this.#folder, 'aws-config'),
      AWS_SHARED_CREDENTIALS_FILE: join(this.#folder, 'aws-credentials'),
      HOME: this.#folder,
      // Python's own packages come from the virtual environment alone.
      PYTHONNOUSERSITE: '1',
    };
  }

  /** The ends of the logs of everything that runs. */
  async logs(): Promise<string> {
    const parts = [`the node's log ends:\n${await this.node.logTail()}`];
    for (const server of this.#servers) {
      parts.push(`the log of ${server.name} ends:\n${await server.logTail()}`);
    }
    return parts.join('\n');
  }

  /** Ends everything. Rejects if the node or a server did not live through it, or did not end as it should. */
  async close(): Promise<void> {
    const ends = await Promise.allSettled([
      this.node.stop(),
      ...this.#servers.map((server) => server.stop()),
    ]);
    await rm(this.#folder, { recursive: true, force: true });
    const failed = ends.filter((end) => end.status === 'rejected');
    if (failed.length > 0) throw new Error(failed.map(({ reason }) => String(reason)).join('\n'));
  }

  get #adminUrl(): string {
    return `http://127.0.0.1:${this.node.adminPort}`;
  }

  async #mount(server: StorageServer): Promise<void> {
    for (const name of bucketNames(server)) {
      const { uri, options, env } = await server.makePlace(name);
      const command = ['mount', 'add', name, uri, ...options];
      const { code, output } = await runCommand(join(root, 'bin/forebay'), command, {
        env: {
          ...process.env,
          ...env,
          FOREBAY_ADMIN_URL: this.#adminUrl,
          AWS_ACCESS_KEY_ID: this.node.accessKeyId,
          AWS_SECRET_ACCESS_KEY: this.node.secretAccessKey,
        },
        timeoutMs: 120_000,
      });
      if (code !== 0) throw new Error(`${server.name} could not be mounted\n${output}`);
    }
  }
}

/** The same on both routes, so that a case is the same too. */
function bucketNames(server: StorageServer): string[] {
  return Array.from({ length: bucketCount }, (_, index) => `${server.name}-bucket-${index + 1}`);
}
