import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { answers, ChildServer } from '../../conformance/child-server.ts';
import type { ClusterPlan } from './cluster-folder.ts';
import { inheritedEnvironment } from './environment.ts';
import { storageBucket } from './storage-process.ts';
import { threadsOf } from './threads-of.ts';

const program = join(import.meta.dirname, '../../src/cli/main.ts');
const readyTimeoutMs = 120_000;
const stopTimeoutMs = 60_000;
const maxStarts = 10;

/** Where a node of a cluster listens, and what it reaches. */
export interface NodePlace {
  /** The name of its folder, and in messages. */
  readonly name: string;
  readonly s3Port: number;
  readonly adminPort: number;
  readonly peerPort: number;
  /** Where it reaches etcd. */
  readonly etcdUrl: string;
  /** Where all nodes reach the storage. */
  readonly storageUrl: string;
  /** Settings, and others of its process, that are its own. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** One `forebay serve` of a cluster, which can be ended in every way and started again in its place. */
export class NodeProcess {
  readonly place: NodePlace;
  /** Starts that ended before it was ready. */
  failedStarts = 0;
  /** Of all its processes so far. */
  readonly pids: number[] = [];
  readonly #plan: ClusterPlan;
  #server: ChildServer | undefined;
  #starting: Promise<ChildServer> | undefined;
  #isStopped = false;

  constructor(plan: ClusterPlan, place: NodePlace) {
    this.#plan = plan;
    this.place = place;
  }

  get pid(): number {
    return this.#server?.pid ?? 0;
  }

  get isAlive(): boolean {
    return this.#server?.isAlive ?? false;
  }

  get s3Url(): string {
    return `http://127.0.0.1:${this.place.s3Port}`;
  }

  get adminUrl(): string {
    return `http://127.0.0.1:${this.place.adminPort}`;
  }

  get #folder(): string {
    return join(this.#plan.folder, this.place.name);
  }

  /**
   * Resolves when it is ready. It is started again where it ended before it was, as whoever looks after a node does: etcd may have gone away in
   * between, or a storage be slow. Rejects, with the end of its log, if it never is.
   */
  async start(): Promise<void> {
    this.#isStopped = false;
    for (let attempt = 1; ; attempt++) {
      this.#starting = this.#launch();
      try {
        this.#server = await this.#starting;
        this.pids.push(this.#server.pid);
        return;
      } catch (error) {
        if (attempt === maxStarts || this.#isStopped) throw error;
        this.failedStarts += 1;
      }
      await sleep(500);
    }
  }

  /** As it is kept in its data folder. */
  async nodeId(): Promise<string> {
    return (await readFile(join(this.#folder, 'worker-id'), 'utf8')).trim();
  }

  /** Ends it in good order; nothing happens where it has ended already. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#starting?.catch(() => {});
    if (!this.isAlive) return;
    let seen = 'not looked at';
    const looking = setTimeout(async () => {
      seen = await threadsOf(this.pid);
    }, stopTimeoutMs / 2);
    try {
      await this.#server?.stop();
    } catch (error) {
      throw new Error(`${(error as Error).message}; its threads: ${seen}; its log: ${await this.logTail()}`);
    } finally {
      clearTimeout(looking);
    }
  }

  /** It stands still, with its connections open, until `resume`. */
  pause(): void {
    this.#signal('SIGSTOP');
  }

  resume(): void {
    this.#signal('SIGCONT');
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    while (this.isAlive) await sleep(10);
  }

  /** Everything that it kept is gone. */
  async loseDisk(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  logTail(): Promise<string> {
    return this.#server?.logTail() ?? Promise.resolve('');
  }

  #launch(): Promise<ChildServer> {
    return ChildServer.start({
      name: this.place.name,
      command: process.execPath,
      args: [program, 'serve'],
      cwd: this.#plan.folder,
      env: this.#environment(),
      logFile: join(this.#plan.folder, `${this.place.name}.log`),
      readyTimeoutMs,
      stopTimeoutMs,
      isReady: () => answers(`${this.adminUrl}/readyz`, 200),
    });
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.isAlive) process.kill(this.pid, signal);
  }

  #environment(): NodeJS.ProcessEnv {
    const { place } = this;
    const { root, storage, keyFile, secretFile } = this.#plan;
    return {
      FOREBAY_LOG_LEVEL: 'warn',
      ...inheritedEnvironment(),
      FOREBAY_DATA: this.#folder,
      FOREBAY_S3_PORT: String(place.s3Port),
      FOREBAY_ADMIN_PORT: String(place.adminPort),
      FOREBAY_PEER_PORT: String(place.peerPort),
      FOREBAY_ETCD_ENDPOINTS: place.etcdUrl,
      FOREBAY_ENCRYPTION_KEY_FILE: keyFile,
      FOREBAY_CLUSTER_SECRET_FILE: secretFile,
      FOREBAY_ROOT_ACCESS_KEY_ID: root.accessKeyId,
      FOREBAY_ROOT_SECRET_ACCESS_KEY: root.secretAccessKey,
      FOREBAY_ROOT_MOUNT: `s3://${storageBucket}/`,
      FOREBAY_ROOT_MOUNT_ENDPOINT: place.storageUrl,
      FOREBAY_ROOT_MOUNT_PATH_STYLE: 'true',
      FOREBAY_ROOT_MOUNT_ACCESS_KEY_ID: storage.accessKeyId,
      FOREBAY_ROOT_MOUNT_SECRET_ACCESS_KEY: storage.secretAccessKey,
      ...place.environment,
    };
  }
}
