import { nextTurn } from '../common/next-turn.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import { placeNameOf } from '../mounts/mount.ts';
import type { MountTable } from '../mounts/mount-table.ts';
import type { PendingEntry } from '../pending/pending-entry.ts';
import type { Ownership } from '../ring/ownership.ts';
import { hashObject } from '../ring/ring.ts';
import type { Eviction } from '../worker/eviction-log.ts';
import type { MetadataCache } from '../worker/metadata-cache.ts';
import type { PageStore } from '../worker/page-store.ts';
import type { Namespace, Place } from './namespace.ts';

/** What tells one version of an object from others. */
export type Version = Pick<ObjectMeta, 'etag' | 'generation' | 'lastModifiedMs' | 'sizeBytes' | 'versionId'>;

export interface ObjectQuestion {
  readonly bucket: string;
  readonly key: string;
  /** Of which the pages are counted; without it, of the version that the node knows. */
  readonly version?: Version;
}

/** What a node knows of an object, and may be too old to be used. */
export interface KnownVersion {
  /** Absent: that there is none. */
  readonly version?: Version;
  readonly validatedMs: number;
  /** Whether it may be used now without asking the storage, as far as its age goes. */
  readonly isYoung: boolean;
}

/** Which pages of a version a node holds. */
export interface HeldPages {
  readonly pageSizeBytes: number;
  /** Of the version. */
  readonly pages: number;
  /** Of them, those that were looked for. */
  readonly looked: number;
  readonly inMemory: number;
  readonly onDisk: number;
  /** `[first, end)` of each run of pages that are there, in order; the first of them where there are many. */
  readonly runs: readonly (readonly [first: number, end: number])[];
}

/** What one node has to tell of an object. */
export interface ObjectTold {
  /** Of the mount, or of the bucket where the root mount holds it. */
  readonly incarnation: string;
  readonly known?: KnownVersion;
  /** Whether this node may act on what is known of it, as its owner. */
  readonly mayUse: boolean;
  readonly held?: HeldPages;
  /** Whether pages of it lie here, of whichever version. */
  readonly holdsSome: boolean;
  readonly evicted?: Eviction;
  /** Acknowledged, and not at its storage yet. */
  readonly pending?: {
    readonly type: string;
    readonly atMs: number;
    readonly sizeBytes?: number;
    readonly etag?: string;
    readonly lastError?: string;
  };
}

/** What this node has to bring to storages. */
export interface PendingChanges {
  /** Below a prefix of a place, each key once. */
  changes(
    name: string,
    prefix: string,
  ): readonly { readonly entry: PendingEntry; readonly lastError?: string | undefined }[];
}

const maxPages = 65_536;
const pagesAtOnce = 1_024;
const maxRuns = 64;

/** Tells what this node knows and holds of an object. */
export class ObjectTeller {
  readonly #namespace: Namespace;
  readonly #table: () => MountTable;
  readonly #ownership: Ownership;
  readonly #objects: MetadataCache;
  readonly #pages: PageStore;
  readonly #pending: PendingChanges;
  readonly #pageSizeBytes: number;

  constructor(
    namespace: Namespace,
    table: () => MountTable,
    ownership: Ownership,
    objects: MetadataCache,
    pages: PageStore,
    pending: PendingChanges,
    settings: { readonly pageSizeBytes: number },
  ) {
    this.#namespace = namespace;
    this.#table = table;
    this.#ownership = ownership;
    this.#objects = objects;
    this.#pages = pages;
    this.#pending = pending;
    this.#pageSizeBytes = settings.pageSizeBytes;
  }

  /** NoSuchBucket. */
  async tell({ bucket, key, version }: ObjectQuestion): Promise<ObjectTold> {
    const place = await this.#namespace.locate(bucket, key);
    const { incarnation, path } = place;
    const known = this.#objects.look(place);
    const counted = version ?? known?.meta;
    return {
      incarnation,
      known: known && {
        version: known.meta && versionOf(known.meta),
        validatedMs: known.validatedMs,
        isYoung: known.isYoung,
      },
      mayUse: this.#ownership.mayUseMetadata(hashObject(incarnation, path)),
      held: counted && (await this.#held(place, counted)),
      holdsSome: this.#pages.hasSome(incarnation, path),
      evicted: this.#pages.lastEviction?.(incarnation, path),
      pending: this.#pendingOf(bucket, key),
    };
  }

  async #held(place: Place, version: Version): Promise<HeldPages> {
    const pageSizeBytes = this.#pageSizeBytes;
    const pages = Math.ceil(version.sizeBytes / pageSizeBytes);
    const looked = Math.min(pages, maxPages);
    const runs: [number, number][] = [];
    let [inMemory, onDisk] = [0, 0];
    for (let index = 0; index < looked; index++) {
      if (index > 0 && index % pagesAtOnce === 0) await nextTurn();
      const tier = this.#tierOf(place, version, index);
      if (tier === undefined) continue;
      if (tier === 'memory') inMemory++;
      else onDisk++;
      const last = runs.at(-1);
      if (last && last[1] === index) last[1]++;
      else if (runs.length < maxRuns) runs.push([index, index + 1]);
    }
    return { pageSizeBytes, pages, looked, inMemory, onDisk, runs };
  }

  #tierOf(place: Place, version: Version, pageIndex: number): 'memory' | 'disk' | undefined {
    const { incarnation, path } = place;
    const { generation } = version;
    const key = { incarnation, path, generation, pageSizeBytes: this.#pageSizeBytes, pageIndex };
    if (this.#pages.tierOf) return this.#pages.tierOf(key);
    return this.#pages.has(key) ? 'memory' : undefined;
  }

  #pendingOf(bucket: string, key: string): ObjectTold['pending'] {
    const { mount, path } = this.#table().resolve(bucket, key);
    if (mount === 'root') return undefined;
    const newest = this.#pending
      .changes(placeNameOf(mount), path)
      .findLast(({ entry }) => entry.key === path);
    if (!newest) return undefined;
    const { type, atMs, meta } = newest.entry.change;
    return { type, atMs, sizeBytes: meta?.sizeBytes, etag: meta?.etag, lastError: newest.lastError };
  }
}

export function versionOf({ etag, generation, lastModifiedMs, sizeBytes, versionId }: ObjectMeta): Version {
  return { etag, generation, lastModifiedMs, sizeBytes, versionId };
}
