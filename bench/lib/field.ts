import { join } from 'node:path';
import type { Case, Dataset, State } from './cases.ts';
import type { Contestant } from './contest.ts';
import { ownPlace, removeFrom, type S3Place, storeAsFiles, storeAt } from './datasets.ts';
import { findNginx, startCachingNginx, startStaticNginx } from './nginx.ts';
import type { Peer } from './peer.ts';
import { addMount, credentials, type Node, type Server, startForebay } from './servers.ts';

/**
 * What replaces the default in some states: enough for the store to work as it does, and next to nothing beside what the cases read; or
 * enough for all of it.
 */
const memoryOf: { readonly [state in State]?: string } = { disk: '1MiB', memory: '512MiB' };

/**
 * The servers of a run: Forebay's nodes (one for each set of settings that a case asks for) over `s3://` mounts, the storage behind
 * them, which is a node over its own root mount, nginx, and peers. They are started when the first case needs them.
 */
export class Field {
  /** What could not take part, and why. */
  readonly notes: string[] = [];
  private readonly folder: string;
  private readonly nodeEnvironment: Record<string, string>;
  private readonly storage: Node;
  private readonly peers: readonly Peer[];
  private readonly servers: Server[];
  private readonly nodes = new Map<string, Node>();
  private readonly stored = new Map<string, Dataset>();
  private readonly mounted = new Set<string>();
  private nginxStatic: Server | undefined;
  private nginxReading: Server | undefined;
  private nginxCache: Server | undefined;

  /** `nodeEnvironment` is for the nodes that are looked at alone. */
  static async open(
    folder: string,
    peers: readonly Peer[],
    nodeEnvironment: Record<string, string> = {},
  ): Promise<Field> {
    const storage = await startForebay('storage itself', join(folder, 'storage'), {
      FOREBAY_IO_THREADS: '1',
    });
    const field = new Field(folder, storage, peers, nodeEnvironment);
    try {
      await field.startNginx();
    } catch (error) {
      await field.close();
      throw error;
    }
    return field;
  }

  private constructor(
    folder: string,
    storage: Node,
    peers: readonly Peer[],
    nodeEnvironment: Record<string, string>,
  ) {
    this.folder = folder;
    this.nodeEnvironment = nodeEnvironment;
    this.storage = storage;
    this.peers = peers;
    this.servers = [storage];
  }

  /** Those who take part in a case, with all that it reads in its place. */
  async contestantsOf(one: Case): Promise<Contestant[]> {
    await this.store(one);
    const node = await this.nodeFor(one);
    await this.mount(node, one);
    const ask = { credentials, signing: one.signing } as const;
    const own = (server: Server): Contestant => ({ ...placeOf(server), ...ask });
    const all = [{ ...own(node), name: 'forebay' }];
    const isRead = one.operation === 'get' || one.operation === 'range';
    for (const nginx of isRead ? [this.nginxStatic, this.nginxReading] : []) {
      if (nginx) all.push({ ...placeOf(nginx), credentials, signing: 'none' });
    }
    // How a request is signed, and Forebay's threads, make no difference to the others, but for peers.
    const isPlain = one.signing === 'header' && one.threads === 1;
    if (isPlain && isRead && this.nginxCache) {
      const hostHeader = `127.0.0.1:${this.storage.port}`;
      all.push({ ...placeOf(this.nginxCache), hostHeader, credentials, signing: 'presigned' });
    }
    if (isPlain) all.push(own(this.storage));
    if (one.threads === 1) for (const peer of this.peers) all.push(asContestant(peer, one));
    return all;
  }

  async close(): Promise<void> {
    for (const peer of this.peers) {
      for (const dataset of this.stored.values()) {
        await removeFrom(peer, dataset).catch((error: Error) =>
          this.notes.push(`${peer.name}: the bucket ${dataset.bucket} is still there: ${error.message}`),
        );
      }
    }
    for (const server of this.servers.reverse()) await server.stop();
  }

  private async startNginx(): Promise<void> {
    const nginx = await findNginx();
    if (!nginx) {
      this.notes.push('nginx is not installed: no ratios to it');
      return;
    }
    this.nginxStatic = await startStaticNginx(nginx, this.folder, 'on');
    this.servers.push(this.nginxStatic);
    this.nginxReading = await startStaticNginx(nginx, this.folder, 'off');
    this.servers.push(this.nginxReading);
    if (nginx.hasSlice) {
      this.nginxCache = await startCachingNginx(nginx, this.folder, this.storage.port);
      this.servers.push(this.nginxCache);
    } else this.notes.push('this nginx has no slice module: nginx cache is left out');
  }

  private async store({ dataset, operation }: Case): Promise<void> {
    if (this.stored.has(dataset.bucket)) return;
    const places: S3Place[] = [ownPlace(this.storage.port), ...this.peers];
    this.stored.set(dataset.bucket, dataset);
    for (const place of places) await storeAt(place, dataset, operation !== 'put');
    const isRead = operation === 'get' || operation === 'range';
    if (isRead && this.nginxStatic) await storeAsFiles(join(this.folder, 'www'), dataset);
  }

  private async nodeFor({ state, threads, isBack }: Case): Promise<Node> {
    const memory = memoryOf[state];
    const name = `forebay-${threads}-${memory ?? 'default'}${isBack ? '-back' : ''}`;
    const present = this.nodes.get(name);
    if (present) return present;
    const node = await startForebay(name, join(this.folder, name), {
      ...this.nodeEnvironment,
      FOREBAY_IO_THREADS: String(threads),
      ...(memory ? { FOREBAY_CACHE_MEMORY: memory } : {}),
      // Nothing is brought to the storage as long as it is measured what taking it costs.
      ...(isBack ? { FOREBAY_WRITE_BACK_DELAY: '1h' } : {}),
    });
    this.nodes.set(name, node);
    this.servers.push(node);
    return node;
  }

  private async mount(node: Node, { dataset: { bucket }, isBack }: Case): Promise<void> {
    const name = `${node.name} ${bucket}`;
    if (this.mounted.has(name)) return;
    await addMount(node, bucket, this.storage.port, isBack && { writeMode: 'back' });
    this.mounted.add(name);
  }
}

function placeOf({ name, port, process: { pid } }: Server) {
  return { name, host: '127.0.0.1', port, pid, hostHeader: `127.0.0.1:${port}` };
}

function asContestant(peer: Peer, { signing }: Case): Contestant {
  const { name, host, port, pid, accessKeyId, secretAccessKey } = peer;
  const hostHeader = `${host}:${port}`;
  return { name, host, port, pid, hostHeader, signing, credentials: { accessKeyId, secretAccessKey } };
}
