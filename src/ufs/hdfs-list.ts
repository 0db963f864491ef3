import type { ListEntry, ListOptions, ListPage } from './backend.ts';
import { mapBounded } from './bounded.ts';
import { groupPage } from './grouping.ts';
import { type HdfsClient, type HdfsListing, type HdfsStatus, isAbsent } from './hdfs-client.ts';
import type { HdfsObjects } from './hdfs-objects.ts';
import type { HdfsPlace } from './hdfs-place.ts';
import { generationOf } from './hdfs-record.ts';
import { type FoundEntry, type HdfsFolders, HdfsWalk } from './hdfs-walk.ts';
import { listedObject } from './listed-object.ts';
import { reservedName } from './tree-keys.ts';
import { checkSignal } from './write-rules.ts';

/** Files whose attributes are asked for at once. */
const atOnce = 32;
/** Objects of which it is remembered what a list tells of them. */
const maxRemembered = 50_000;

type Told = ReturnType<typeof listedObject>;

/** Lists of a mount: a walk through its directories, with what attributes tell of each file. */
export class HdfsLister {
  readonly #client: HdfsClient;
  readonly #place: HdfsPlace;
  readonly #objects: HdfsObjects;
  /** Of versions that have a record, of which nothing that a list tells can change. */
  readonly #told = new Map<string, Told>();

  constructor(client: HdfsClient, place: HdfsPlace, objects: HdfsObjects) {
    this.#client = client;
    this.#place = place;
    this.#objects = objects;
  }

  async list(options: ListOptions): Promise<ListPage> {
    const { signal, prefix, delimiter } = options;
    const entries: ListEntry[] = [];
    let after = options.after;
    for (;;) {
      checkSignal(signal, this.#place.uri);
      const limit = options.limit - entries.length;
      const walk = new HdfsWalk(this.#folders(signal), this.#place.path([]), prefix, delimiter === '/');
      const page = await groupPage(walk, { ...options, after, limit });
      const found = await mapBounded(page.entries, atOnce, (entry) => this.#tell(entry, signal));
      // An object that went away since its directory was read leaves room for another.
      for (const entry of found) if (entry) entries.push(entry);
      if (!page.truncated || entries.length === options.limit) return { entries, truncated: page.truncated };
      after = page.entries.at(-1)?.key;
    }
  }

  /** Whether a file or a folder marker lies in a directory, or below, or it is one. */
  async isOccupied(path: string, status: HdfsStatus, signal?: AbortSignal): Promise<boolean> {
    if (await this.#isMarked(path, status, signal)) return true;
    if (status.childrenNum === 0) return false;
    let after: string | undefined;
    for (;;) {
      const { entries, hasMore } = await this.#entries(path, after, signal);
      if (entries.some(({ type }) => type === 'FILE')) return true;
      for (const inner of entries) {
        if (inner.pathSuffix === reservedName) continue;
        if (await this.isOccupied(`${path}/${inner.pathSuffix}`, inner, signal)) return true;
      }
      after = entries.at(-1)?.pathSuffix;
      if (!hasMore || after === undefined) return false;
    }
  }

  #folders(signal: AbortSignal | undefined): HdfsFolders {
    return {
      list: async (path, after) => {
        const listing = await this.#entries(path, after, signal);
        // Where there is nothing at all, the mount's own directory may be missing.
        if (path === this.#place.path([]) && listing.entries.length === 0 && after === undefined) {
          await this.#objects.requireRoot(signal);
        }
        return listing;
      },
      find: (path) => this.#client.find(path, { signal }),
      isMarked: (path, status) => this.#isMarked(path, status, signal),
      isOccupied: (path, status) => this.isOccupied(path, status, signal),
    };
  }

  async #entries(
    path: string,
    after: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<HdfsListing> {
    try {
      return await this.#client.list(path, after, { signal });
    } catch (error) {
      if (isAbsent(error)) return { entries: [], hasMore: false };
      throw error;
    }
  }

  async #isMarked(path: string, status: HdfsStatus, signal: AbortSignal | undefined): Promise<boolean> {
    return (await this.#objects.ofListed(path, status, { signal })) !== undefined;
  }

  async #tell(
    entry: FoundEntry | { readonly kind: 'prefix'; readonly key: string },
    signal: AbortSignal | undefined,
  ): Promise<ListEntry | undefined> {
    if ('kind' in entry) return entry;
    const { key, path, status } = entry;
    const generation = generationOf(status);
    const told = status.type === 'FILE' ? this.#told.get(generation) : undefined;
    if (told) return { ...told, key };
    const object = await this.#objects.ofListed(path, status, { key, signal });
    if (!object) return undefined;
    const listed = listedObject(key, object.meta);
    if (status.type === 'FILE' && object.record) this.#remember(generation, listed);
    return listed;
  }

  #remember(generation: string, listed: Told): void {
    const [oldest] = this.#told.size >= maxRemembered ? this.#told.keys() : [];
    if (oldest !== undefined) this.#told.delete(oldest);
    this.#told.set(generation, listed);
  }
}
