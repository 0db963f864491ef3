import { S3Side } from '../../fuzz/lib/s3-side.ts';
import type { Keys } from '../cluster/cluster-folder.ts';
import type { NodeProcess } from '../cluster/node-process.ts';
import { SmallCluster } from '../cluster/small-cluster.ts';

/** A job as `forebay job show` tells of it, as far as is looked at here. */
export interface SeenJob {
  readonly id: string;
  readonly state: string;
  readonly reason?: string;
  /** Another job that goes on where this one ended. */
  readonly next?: string;
  readonly seconds: number;
  readonly listed: { readonly complete: boolean; readonly objects: number; readonly bytes: number };
  readonly objects: Readonly<Record<'loaded' | 'cached' | 'freed' | 'gone' | 'failed', number>>;
  readonly bytes: Readonly<Record<'loaded' | 'cached' | 'freed', number>>;
  readonly failures?: readonly { readonly key: string; readonly reason: string }[];
  readonly workers?: readonly string[];
  readonly coordinator?: string;
}

export interface SetOfObjects {
  readonly small: number;
  readonly smallBytes: number;
  readonly large: number;
  readonly largeBytes: number;
}

/** The bucket of the cluster, and what it shows of the storage. */
const bucket = 'lake';
const atStorage = 'data';
const prefix = 'set/';
const writersAtOnce = 4;
const readersAtOnce = 4;
const largestReadBytes = 16 * 1024 * 1024;

/** A cluster with a mount over objects that were put at the storage, none of which it knows. */
export class LoadedCluster {
  readonly cluster: SmallCluster;
  readonly set: SetOfObjects;
  private readonly storage: S3Side;

  private constructor(cluster: SmallCluster, set: SetOfObjects) {
    this.cluster = cluster;
    this.set = set;
    this.storage = new S3Side({ port: cluster.plan.storagePort, ...cluster.plan.storage });
  }

  static async start(
    folder: string,
    nodes: number,
    root: Keys,
    set: SetOfObjects,
    environment: Readonly<Record<string, string>>,
  ): Promise<LoadedCluster> {
    const cluster = await SmallCluster.start(folder, nodes, root, environment);
    const loaded = new LoadedCluster(cluster, set);
    try {
      await loaded.fill();
      await loaded.mount();
      return loaded;
    } catch (error) {
      await loaded.close();
      throw error;
    }
  }

  get target(): string {
    return `s3://${bucket}/${prefix}`;
  }

  get objects(): number {
    return this.set.small + this.set.large;
  }

  get bytes(): number {
    const { small, smallBytes, large, largeBytes } = this.set;
    return small * smallBytes + large * largeBytes;
  }

  /** A node that is alive and ready for questions, other than those given. */
  other(...without: readonly (NodeProcess | undefined)[]): NodeProcess {
    const node = this.cluster.nodes.find((one) => one.isAlive && !without.includes(one));
    if (!node) throw new Error('no node is left that could be asked');
    return node;
  }

  async nodeOf(workerId: string): Promise<NodeProcess | undefined> {
    for (const node of this.cluster.nodes) if ((await node.nodeId()) === workerId) return node;
    return undefined;
  }

  /** Starts a job and gives its id. `words`: such as `load s3://… --plan`. */
  async begin(words: string): Promise<string> {
    const said = await this.cluster.cli(this.other(), `${words} --detach --json`);
    return (JSON.parse(said) as SeenJob).id;
  }

  /** By way of any node that answers. */
  async job(id: string): Promise<SeenJob> {
    let last: unknown = new Error('no node is alive');
    for (const node of this.cluster.nodes.filter(({ isAlive }) => isAlive)) {
      try {
        // What has failed is shown too, with an exit code of its own.
        const said = this.cluster.cli(node, `job show ${id} --json`).catch((error: Error) => error.message);
        return JSON.parse(await said) as SeenJob;
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  /** Reads every object through nodes in turn; gives the keys of those that were not what was put there. */
  async readAll(): Promise<string[]> {
    const wrong: string[] = [];
    const { root } = this.cluster.plan;
    const sides = this.cluster.nodes.map(({ place }) => new S3Side({ port: place.s3Port, ...root }));
    let next = 0;
    const reader = async () => {
      for (;;) {
        const index = next++;
        if (index >= this.objects) return;
        const { key, bytes } = this.at(index);
        const side = sides[index % sides.length] as S3Side;
        if (!(await isWhole(side, `/${bucket}/${key}`, bytes))) wrong.push(key);
      }
    };
    await Promise.all(Array.from({ length: readersAtOnce }, reader));
    for (const side of sides) side.close();
    return wrong;
  }

  async close(): Promise<void> {
    this.storage.close();
    await this.cluster.close();
  }

  private at(index: number): { key: string; bytes: Buffer } {
    const { small, smallBytes, largeBytes } = this.set;
    const isSmall = index < small;
    const name = isSmall ? `small/${String(index).padStart(7, '0')}` : `large/${index - small}`;
    return { key: prefix + name, bytes: bytesOf(name, isSmall ? smallBytes : largeBytes) };
  }

  private async fill(): Promise<void> {
    await this.put(`/${atStorage}`);
    let next = 0;
    const writer = async () => {
      for (;;) {
        const index = next++;
        if (index >= this.objects) return;
        const { key, bytes } = this.at(index);
        await this.put(`/${atStorage}/${key}`, bytes);
      }
    };
    await Promise.all(Array.from({ length: writersAtOnce }, writer));
  }

  private async put(path: string, body?: Buffer): Promise<void> {
    const { status } = await this.storage.send({ method: 'PUT', path, body });
    if (status !== 200) throw new Error(`the storage answered ${status} to PUT ${path}`);
  }

  private async mount(): Promise<void> {
    const { storagePort, storage } = this.cluster.plan;
    const where = `--endpoint http://127.0.0.1:${storagePort} --path-style`;
    const key = `--access-key-id ${storage.accessKeyId} --secret-access-key-env STORAGE_SECRET`;
    await this.cluster.cli(this.other(), `mount add ${bucket} s3://${atStorage}/ ${where} ${key}`, {
      STORAGE_SECRET: storage.secretAccessKey,
    });
  }
}

/** The name again and again: other bytes for each object, at no cost. */
function bytesOf(name: string, length: number): Buffer {
  return Buffer.alloc(length, `${name}\n`);
}

async function isWhole(side: S3Side, path: string, expected: Buffer): Promise<boolean> {
  for (let start = 0; start < expected.length; start += largestReadBytes) {
    const end = Math.min(expected.length, start + largestReadBytes);
    const headers = { Range: `bytes=${start}-${end - 1}` };
    const { status, body } = await side.send({ method: 'GET', path, headers });
    if (status !== 206 || !body.equals(expected.subarray(start, end))) return false;
  }
  return true;
}
