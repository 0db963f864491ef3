import type { ObjectMeta } from '../common/object-meta.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import type { ObjectOutcome } from '../jobs/counts.ts';
import type { JobObjects, ObjectList, Room, Work } from '../jobs/job-objects.ts';
import type { JobSpec } from '../jobs/job-record.ts';
import { bytesIn, rangesOf } from '../jobs/parts.ts';
import type { BucketName } from '../s3api/names.ts';
import { UfsError } from '../ufs/errors.ts';
import type { RegionChecks } from '../worker/disk/region-check.ts';
import type { MetadataCache } from '../worker/metadata-cache.ts';
import type {
  FoundMeta,
  LookUpOptions,
  MetadataSource,
  RangeLoader,
  RangeReader,
  ReadTarget,
} from '../worker/reader.ts';
import { Listings } from './listings.ts';
import type { Namespace, Place } from './namespace.ts';

const attempts = 4;

/** What jobs are done with. */
export interface JobParts {
  readonly namespace: Namespace;
  /** Of whichever nodes own the objects. */
  readonly metadata: MetadataSource;
  readonly reader: Pick<RangeReader, 'holdsSome' | 'isElsewhere'>;
  readonly loader: RangeLoader;
  /** What this node itself knows. */
  readonly known: Pick<MetadataCache, 'knownPaths' | 'look'>;
  /** Of this node's disks; absent where pages lie on none. */
  readonly regions: RegionChecks | undefined;
  readonly workers: () => readonly string[];
  readonly room: (signal: AbortSignal) => Promise<Room>;
  readonly pageSizeBytes: number;
}

/** Loads, frees and checks objects for jobs, wherever their pages lie. */
export class ObjectJobs implements JobObjects {
  readonly #parts: JobParts;
  readonly #listings: Listings;

  constructor(parts: JobParts) {
    this.#parts = parts;
    this.#listings = new Listings(parts.namespace);
  }

  workers(): readonly string[] {
    return this.#parts.workers();
  }

  room(signal: AbortSignal): Promise<Room> {
    return this.#parts.room(signal);
  }

  async list(
    { bucket, prefix, parts }: Pick<JobSpec, 'bucket' | 'prefix' | 'parts'>,
    after: string | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<ObjectList> {
    const input = { prefix, after, limit, signal };
    const { items, truncated } = await this.#listings.objects(bucket as BucketName, input);
    const objects = items.flatMap((item) =>
      item.kind === 'object' ? [{ key: item.key, sizeBytes: this.#bytesOf(parts, item.sizeBytes) }] : [],
    );
    return { objects, goesOn: truncated };
  }

  known(
    { bucket, prefix }: Pick<JobSpec, 'bucket' | 'prefix'>,
    after: string | undefined,
    limit: number,
  ): ObjectList {
    const keys: string[] = [];
    for (const part of this.#parts.namespace.parts(bucket, prefix)) {
      for (const path of this.#parts.known.knownPaths(part.incarnation)) {
        if (!path.startsWith(part.pathPrefix)) continue;
        const key = part.bucketPrefix + path.slice(part.pathPrefix.length);
        if (key.startsWith(prefix) && (after === undefined || compareUtf8(key, after) > 0)) keys.push(key);
      }
    }
    const objects = keys.sort(compareUtf8).map((key) => ({ key, sizeBytes: 0 }));
    return { objects: objects.slice(0, limit), goesOn: objects.length > limit };
  }

  async load(bucket: string, key: string, work: Work): Promise<ObjectOutcome | undefined> {
    return this.#ofPresent(bucket, key, false, work);
  }

  async verify(bucket: string, key: string, work: Work): Promise<ObjectOutcome | undefined> {
    return this.#ofPresent(bucket, key, true, work);
  }

  async sync(bucket: string, key: string, { isPlan, signal }: Work): Promise<ObjectOutcome | undefined> {
    const { namespace, known, metadata } = this.#parts;
    const place = await namespace.locate(bucket, key);
    const before = known.look(place);
    if (isPlan) return { type: 'sync', hasChanged: false };
    try {
      const { meta } = await metadata.get(place, { revalidate: true, signal });
      return {
        type: 'sync',
        hasChanged: before !== undefined && meta.generation !== before.meta?.generation,
      };
    } catch (error) {
      if (!isOf(error, 'not-found')) throw error;
      return before && !before.meta ? { type: 'sync', hasChanged: false } : undefined;
    }
  }

  regions(after: string | undefined, limit: number): ObjectList {
    const names = this.#parts.regions?.names() ?? [];
    const behind = names.filter((name) => after === undefined || name > after);
    const objects = behind.slice(0, limit).map((key) => ({ key, sizeBytes: 0 }));
    return { objects, goesOn: behind.length > limit };
  }

  async scrub(_bucket: string, region: string, work: Work): Promise<ObjectOutcome> {
    const none = { count: 0, bytes: 0 };
    const found = (await this.#parts.regions?.run(region, work)) ?? { whole: none, damaged: none };
    return { type: 'scrub', ...found };
  }

  async free(bucket: string, key: string, { isPlan, signal }: Work): Promise<ObjectOutcome> {
    const place = await this.#parts.namespace.locate(bucket, key);
    const freedBytes = await this.#heldBytes(place, signal);
    if (!isPlan) {
      await this.#parts.loader.free(place, signal);
      this.#parts.metadata.invalidate(place);
    }
    return { type: 'free', freedBytes, hadPages: freedBytes > 0 };
  }

  /** Has the present version's pages here; `isVerified`: of which those that are here already are read and checked. */
  async #ofPresent(
    bucket: string,
    key: string,
    isVerified: boolean,
    work: Work,
  ): Promise<ObjectOutcome | undefined> {
    const place = await this.#parts.namespace.locate(bucket, key);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#loadPresent(place, isVerified, attempt > 1, work);
      } catch (error) {
        if (isOf(error, 'not-found')) return undefined;
        if (!isOf(error, 'moved') || attempt === attempts) throw error;
        this.#parts.metadata.invalidate(place);
      }
    }
  }

  async #loadPresent(
    place: Place,
    isVerified: boolean,
    isAgain: boolean,
    work: Work,
  ): Promise<ObjectOutcome> {
    const { isPlan, signal, pace } = work;
    const { loader, metadata, pageSizeBytes } = this.#parts;
    const along = isPlan || isVerified || work.parts ? {} : this.#alongWith(place);
    const found = await metadata.get(place, { ...along, revalidate: isVerified || isAgain, signal });
    const { meta, opened } = found;
    try {
      const target = { ...this.#target(place, meta), opened };
      const ranges = rangesOf(work.parts, meta.sizeBytes, pageSizeBytes);
      const sizeBytes = bytesIn(ranges);
      // Pages that are here would not be used, and what is fetched would not be kept.
      if (place.policy?.keeps(place.path, meta.sizeBytes) === 'never') {
        return { type: 'load', sizeBytes, loadedBytes: 0, cachedBytes: 0 };
      }
      let loadedBytes = 0;
      let cachedBytes = 0;
      for (const range of ranges) {
        const bytes = range.end - range.start;
        if (isPlan) cachedBytes += await loader.heldBytes(target, range, signal);
        else {
          const checked = isVerified ? await loader.checkedBytes(target, range, signal) : 0;
          if (checked === bytes) cachedBytes += bytes;
          else {
            const loaded = await loader.load(target, range, signal, pace);
            loadedBytes += loaded.loadedBytes;
            cachedBytes += loaded.cachedBytes;
          }
        }
      }
      if (isPlan) loadedBytes = sizeBytes - cachedBytes;
      return { type: 'load', sizeBytes, loadedBytes, cachedBytes };
    } finally {
      opened?.release();
    }
  }

  /** The bytes come along with the metadata where none of them may be here, some are to be kept, and the backend has to be asked for both. */
  #alongWith(place: Place): Pick<LookUpOptions, 'read'> {
    const { reader } = this.#parts;
    if (place.policy?.keeps(place.path) === 'never') return {};
    return reader.isElsewhere?.(place) || reader.holdsSome(place) ? {} : { read: { start: 0 } };
  }

  #bytesOf(parts: JobSpec['parts'], sizeBytes: number): number {
    return bytesIn(rangesOf(parts, sizeBytes, this.#parts.pageSizeBytes));
  }

  /** Of the present version's pages. */
  async #heldBytes(place: Place, signal: AbortSignal): Promise<number> {
    // Elsewhere pages may lie, too; then it is asked there.
    if (!this.#parts.reader.isElsewhere && !this.#parts.reader.holdsSome(place)) return 0;
    let found: FoundMeta;
    try {
      found = await this.#parts.metadata.get(place, { signal });
    } catch (error) {
      if (isOf(error, 'not-found')) return 0;
      throw error;
    }
    const { sizeBytes } = found.meta;
    if (sizeBytes === 0) return 0;
    return this.#parts.loader.heldBytes(
      this.#target(place, found.meta),
      { start: 0, end: sizeBytes },
      signal,
    );
  }

  #target(place: Place, meta: ObjectMeta): ReadTarget {
    const { backend, mount, incarnation, path, bucket, key, objectHash, policy, notBeforeSeconds } = place;
    return {
      backend,
      mount,
      incarnation,
      path,
      bucket,
      key,
      objectHash,
      policy,
      notBeforeSeconds,
      meta,
      pageSizeBytes: this.#parts.pageSizeBytes,
    };
  }
}

function isOf(error: unknown, kind: UfsError['kind']): boolean {
  return error instanceof UfsError && error.kind === kind;
}
