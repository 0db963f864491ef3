import { type AtOnce, isPending } from '../common/at-once.ts';
import type { ByteRange } from '../common/byte-range.ts';
import type { ObjectMeta, UploadBody } from '../common/object-meta.ts';
import { S3Error } from '../s3api/errors.ts';
import type { ObjectRef, VersionRef } from '../s3api/names.ts';
import { partsClaimed } from '../s3api/representation.ts';
import type { FoundVersion, PartPlace, ReadObject, ReadOptions } from '../s3api/service.ts';
import { isMoved } from '../ufs/errors.ts';
import { nullVersionId } from '../ufs/version-ids.ts';
import {
  type FoundMeta,
  type MetadataSource,
  type MetadataTarget,
  type Missing,
  type PageRead,
  type RangeReader,
  type ReadTarget,
  WorkerError,
} from '../worker/reader.ts';
import { toS3Error } from './error-map.ts';
import { LaterOptions } from './later-options.ts';
import type { Namespace, Place } from './namespace.ts';
import { TakenBody } from './taken-body.ts';
import { ofVersion } from './version-errors.ts';
import { versionNamed, versionTarget } from './version-reads.ts';

const attempts = 4;

export interface ObjectReadsSettings {
  /** This worker's UUID: what `x-forebay-owner` says. */
  readonly workerId: string;
  readonly pageSizeBytes: number;
}

/**
 * HEAD and GET of objects: place, present version, what is wanted of it, its bytes. If the version moves before the first byte, it is
 * all done again with newer metadata.
 */
export class ObjectReads {
  readonly #namespace: Namespace;
  readonly #metadata: MetadataSource;
  readonly #reader: RangeReader;
  readonly #settings: ObjectReadsSettings;

  constructor(
    namespace: Namespace,
    metadata: MetadataSource,
    reader: RangeReader,
    settings: ObjectReadsSettings,
  ) {
    this.#namespace = namespace;
    this.#metadata = metadata;
    this.#reader = reader;
    this.#settings = settings;
  }

  async headObject(ref: ObjectRef, asked: ReadOptions = {}) {
    const options = LaterOptions.of(asked);
    try {
      const place = await this.#namespace.locate(ref.bucket, ref.key);
      refuseEarly(place, options);
      for (let attempt = 1; ; attempt++) {
        const found = await this.#find(place, attempt === 1 ? options : laterOptions(options));
        options.gate?.admit(found.meta);
        try {
          const part = await this.#findPart(place, found.meta, options);
          return {
            ...found,
            part,
            versionId: versionNamed(place, found.meta),
            owner: found.owner ?? this.#settings.workerId,
          };
        } catch (error) {
          this.#startAgain(place, error, attempt);
        }
      }
    } catch (error) {
      throw inBucket(error, ref, options);
    }
  }

  getObject<Selection extends { readonly range?: ByteRange }>(
    ref: ObjectRef,
    select: (found: FoundVersion, part?: PartPlace) => Selection,
    options: ReadOptions = {},
  ): AtOnce<ReadObject<Selection>> {
    try {
      const place = this.#namespace.locate(ref.bucket, ref.key);
      if (isPending(place) || options.partNumber !== undefined || options.versionId !== undefined) {
        return this.#getLater(ref, place, select, options);
      }
      const found = this.#peek(place, options);
      if (!found) return this.#getLater(ref, place, select, options);
      options.gate?.admit(found.meta);
      const selection = select(found);
      const read = this.#openNow(place, found.meta, selection.range, options);
      if (!read) return this.#getLater(ref, place, select, options, { found, selection });
      return this.#readObject(place, found, selection, read);
    } catch (error) {
      throw inBucket(error, ref, options);
    }
  }

  /** The rest of `getObject` where something has to be waited for. `first`: what the first attempt goes on from. */
  async #getLater<Selection extends { readonly range?: ByteRange }>(
    ref: ObjectRef,
    located: AtOnce<Place>,
    select: (found: FoundVersion, part?: PartPlace) => Selection,
    asked: ReadOptions,
    first?: { readonly found: FoundVersion; readonly selection: Selection },
  ): Promise<ReadObject<Selection>> {
    try {
      const options = LaterOptions.of(asked);
      const place = await located;
      refuseEarly(place, options);
      let next = options;
      let read = options.read;
      for (let attempt = 1; ; attempt++) {
        const known = attempt === 1 ? first : undefined;
        let found: FoundMeta | undefined = known?.found;
        try {
          // Where another node owns the object this brings bytes too, whose version may have moved.
          found ??= await this.#find(place, next);
          if (!known) options.gate?.admit(found.meta);
          const selection = known?.selection ?? (await this.#select(place, found, select, options));
          read ??= readAgain(found.meta, selection.range);
          const opened = await this.#open(pagesOf(place, options), found, selection.range, options);
          return this.#readObject(place, found, selection, opened);
        } catch (error) {
          this.#startAgain(place, error, attempt);
          next = options.with({ revalidate: true, read, together: read && !options.onlyIfCached });
        } finally {
          found?.opened?.release();
        }
      }
    } catch (error) {
      throw inBucket(error, ref, asked);
    }
  }

  async #select<Selection>(
    place: Place,
    found: FoundVersion,
    select: (found: FoundVersion, part?: PartPlace) => Selection,
    options: ReadOptions,
  ): Promise<Selection> {
    const asked = this.#findPart(place, found.meta, options);
    return select(found, asked && (await asked));
  }

  #readObject<Selection>(
    place: Place,
    found: FoundMeta,
    selection: Selection,
    { body, giveBack, cache }: Pick<ReadObject<Selection>, 'body' | 'giveBack' | 'cache'>,
  ): ReadObject<Selection> {
    const { meta, validatedMs } = found;
    const versionId = versionNamed(place, found.meta);
    const owner = found.owner ?? this.#settings.workerId;
    return { meta, validatedMs, versionId, selection, body, giveBack, cache, owner };
  }

  /** Runs `use` with the source's present version, again with a newer one if it moved before anything was made of it. */
  async fromSource<T>(
    ref: VersionRef,
    use: (source: Place, meta: ObjectMeta, versionId: string | undefined) => Promise<T>,
  ): Promise<T> {
    try {
      const source = await this.#namespace.locate(ref.bucket, ref.key);
      for (let attempt = 1; ; attempt++) {
        const asked = LaterOptions.of({ revalidate: attempt > 1, versionId: ref.versionId });
        const found = await this.#find(source, asked).catch((error: unknown) => {
          throw inBucket(error, ref, ref);
        });
        try {
          return await use(source, found.meta, versionNamed(source, found.meta));
        } catch (error) {
          this.#startAgain(source, error, attempt);
        }
      }
    } catch (error) {
      throw ref.versionId === undefined ? error : inBucket(error, ref, ref);
    }
  }

  /**
   * The present version, or the one that is asked for by its id: that one's metadata is always asked of the backend, since whatever changes
   * the key may change it too.
   */
  #find(place: Place, options: LaterOptions): Promise<FoundMeta> {
    const versionId = versionAsked(place, options);
    if (versionId === undefined) return this.#lookUp(place, options);
    const { signal, onlyIfCached } = options;
    const asked = { signal, onlyIfCached, revalidate: true, noStore: true };
    return this.#metadata.get(versionTarget(place, versionId), asked);
  }

  async #lookUp(place: Place, options: LaterOptions): Promise<FoundMeta> {
    return this.#peek(place, options) ?? this.#metadata.get(place, this.#reading(place, options));
  }

  #peek(place: Place, options: ReadOptions): FoundVersion | undefined {
    return options.revalidate ? undefined : this.#metadata.peek(place, options);
  }

  /** The bytes to be read come with the metadata, in whole pages, unless some of them may be here or none is to be kept. */
  #reading(place: Place, options: LaterOptions): LaterOptions {
    const { read, noStore, together } = options;
    // What is not kept is not read in whole pages.
    if (!read || this.#reader.isElsewhere?.(place) || place.policy?.keeps(place.path) === 'never')
      return options;
    const isVain = noStore || this.#reader.holdsSome(place);
    if (isVain && !together) return options.with({ read: undefined });
    const { pageSizeBytes } = this.#settings;
    const start = Math.floor(read.start / pageSizeBytes) * pageSizeBytes;
    if (read.end === undefined) return options.with({ read: { start } });
    return options.with({ read: { start, end: Math.ceil(read.end / pageSizeBytes) * pageSizeBytes } });
  }

  /** Runs `write` with a body, whose bytes can be read from here afterwards, where they are kept of what is written. */
  async takingIn(
    place: Place,
    body: UploadBody,
    write: (body: UploadBody) => Promise<ObjectMeta>,
  ): Promise<ObjectMeta> {
    const { pageSizeBytes } = this.#settings;
    const at = { ...place, pageSizeBytes };
    const intake = place.keepsWrites ? this.#reader.takeIn?.(at, body.sizeBytes) : undefined;
    if (!intake) return write(body);
    try {
      const meta = await write(new TakenBody(body, intake));
      await intake.keep(meta);
      return meta;
    } finally {
      intake.drop();
    }
  }

  /** Undefined, at once, where the metadata tells enough. */
  #findPart(
    { backend, path }: Place,
    meta: ObjectMeta,
    options: ReadOptions,
  ): Promise<PartPlace> | undefined {
    const { partNumber } = options;
    if (partNumber === undefined || meta.parts || !backend.findPart) return undefined;
    const count = partsClaimed(meta);
    if (count === 1 || partNumber > count) return undefined;
    if (options.onlyIfCached)
      throw new WorkerError('not-cached', 'the storage alone knows where its parts lie');
    return backend.findPart(path, meta, partNumber, { signal: options.signal });
  }

  /** The version was replaced between its metadata and what was asked of it: the answer starts again with the newer one. */
  #startAgain(place: Place, error: unknown, attempt: number): void {
    if (!isMoved(error) || attempt === attempts) throw error;
    this.#metadata.invalidate(place);
  }

  async #open(
    place: MetadataTarget,
    { meta, opened }: FoundMeta,
    range: ByteRange | undefined,
    options: ReadOptions,
  ) {
    if (!range || range.end === range.start) return withoutBytes(range);
    const target = { ...this.#target(place, meta), opened };
    const sent = opened && this.#reader.takeSent?.(target, range);
    return sent ?? this.#reader.open(target, range, options.signal, missingPages(options));
  }

  #openNow(place: Place, meta: ObjectMeta, range: ByteRange | undefined, options: ReadOptions) {
    if (!range || range.end === range.start) return withoutBytes(range);
    return this.#reader.openNow(this.#target(place, meta), range, missingPages(options));
  }

  #target(at: MetadataTarget, meta: ObjectMeta): ReadTarget {
    const { backend, mount, incarnation, path, bucket, key, versionId, objectHash } = at;
    const { policy, notBeforeSeconds } = at;
    const { pageSizeBytes } = this.#settings;
    return {
      backend,
      mount,
      incarnation,
      path,
      meta,
      pageSizeBytes,
      bucket,
      key,
      versionId,
      objectHash,
      policy,
      notBeforeSeconds,
    };
  }
}

/** A version that was found to have moved is asked for anew, whatever is known of it. */
function laterOptions(options: LaterOptions): LaterOptions {
  return options.with({ revalidate: true, read: options.read });
}

/** What to ask for of the version after this one: what it has in the same place. */
function readAgain({ sizeBytes }: ObjectMeta, range: ByteRange | undefined): ReadOptions['read'] {
  if (!range || range.end < sizeBytes) return range;
  return { start: range.start };
}

/** Undefined also for the null version in a bucket of the root mount that keeps no others: there it is the present one. */
function versionAsked(place: Place, { versionId }: ReadOptions): string | undefined {
  const isOnlyOne = versionId === nullVersionId && place.isRoot && place.versioning === undefined;
  return isOnlyOne ? undefined : versionId;
}

function pagesOf(place: Place, options: ReadOptions): MetadataTarget {
  const versionId = versionAsked(place, options);
  return versionId === undefined ? place : versionTarget(place, versionId);
}

const noBytes = Buffer.alloc(0);

function withoutBytes(
  range: ByteRange | undefined,
): Omit<PageRead, 'body'> & { readonly body: Buffer | undefined } {
  return { body: range && noBytes, cache: 'hit' };
}

function missingPages({ onlyIfCached, noStore }: ReadOptions): Missing {
  if (onlyIfCached) return 'refuse';
  return noStore ? 'bypass' : 'fill';
}

/** Where no object has an ACL of its own there is nothing to look up for a caller who is refused anyway. */
function refuseEarly({ backend }: Place, { gate }: ReadOptions): void {
  if (gate && !backend.capabilities.objectAcls) gate.admitWithoutAcl();
}

/** As S3 does, NoSuchKey names the key; but whoever may not know that there is no such key, or what the cache holds, is told neither. */
function inBucket(error: unknown, ref: ObjectRef, { gate, versionId }: ReadOptions): S3Error {
  const mapped = toS3Error(error);
  const named = versionId === undefined ? naming(mapped, ref) : ofVersion(mapped, ref, versionId);
  return gate && tellsOfKeys.has(named.code) ? gate.absent(named) : named;
}

const tellsOfKeys: ReadonlySet<string> = new Set([
  'NoSuchKey',
  'NoSuchVersion',
  // A delete marker that was asked for by its id.
  'MethodNotAllowed',
  'GatewayTimeout',
]);

function naming(error: S3Error, { key }: ObjectRef): S3Error {
  const { code, extra, headers, cause } = error;
  if (code !== 'NoSuchKey' || extra.Key !== undefined) return error;
  return new S3Error('NoSuchKey', { extra: { Key: key }, headers, cause });
}
