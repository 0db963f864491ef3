import type { ByteRange } from '../common/byte-range.ts';
import type {
  ChecksumAlgorithm,
  ChecksumType,
  NewObject,
  ObjectMeta,
  UploadBody,
} from '../common/object-meta.ts';
import { S3Error } from '../s3api/errors.ts';
import type { BucketName, ObjectRef } from '../s3api/names.ts';
import { partsClaimed } from '../s3api/representation.ts';
import type {
  BucketInfo,
  CompleteInput,
  CopyInput,
  CopyPartInput,
  FoundVersion,
  Identity,
  ListInput,
  ObjectService,
  PartPlace,
  PutObjectInput,
  ReadObject,
  ReadOptions,
  WriteCondition,
} from '../s3api/service.ts';
import { UfsError } from '../ufs/errors.ts';
import { PlainBody } from '../ufs/plain-body.ts';
import { type MetadataSource, type Missing, type RangeReader, WorkerError } from '../worker/reader.ts';
import type { BucketGate } from './bucket-gate.ts';
import type { Buckets } from './buckets.ts';
import { toS3Error } from './error-map.ts';
import { listMerged } from './list-merge.ts';
import type { Namespace, Place } from './namespace.ts';

import { listUploadsMerged } from './upload-merge.ts';

const attempts = 4;

export interface ObjectServiceSettings {
  /** This worker's UUID: what `x-forebay-owner` says. */
  readonly workerId: string;
  readonly pageSizeBytes: number;
}

/** The S3 operations' object service over mounts, the worker's cache and the backends. */
export class GatewayObjectService implements ObjectService {
  readonly #namespace: Namespace;
  readonly #buckets: Buckets;
  readonly #gate: BucketGate;
  readonly #metadata: MetadataSource;
  readonly #reader: RangeReader;
  readonly #settings: ObjectServiceSettings;

  constructor(
    namespace: Namespace,
    buckets: Buckets,
    gate: BucketGate,
    metadata: MetadataSource,
    reader: RangeReader,
    settings: ObjectServiceSettings,
  ) {
    this.#namespace = namespace;
    this.#buckets = buckets;
    this.#gate = gate;
    this.#metadata = metadata;
    this.#reader = reader;
    this.#settings = settings;
  }

  listBuckets(caller: Identity): Promise<readonly BucketInfo[]> {
    return this.#buckets.ownedBy(caller);
  }

  createBucket(caller: Identity, bucket: BucketName): Promise<void> {
    return this.#buckets.create(caller, bucket);
  }

  getBucket(bucket: BucketName): Promise<BucketInfo> {
    return this.#buckets.info(bucket);
  }

  deleteBucket(bucket: BucketName): Promise<void> {
    return this.#buckets.delete(bucket);
  }

  async headObject(ref: ObjectRef, options: ReadOptions = {}) {
    try {
      const place = await this.#namespace.locate(ref.bucket, ref.key);
      for (let attempt = 1; ; attempt++) {
        const found = await this.#lookUp(place, attempt === 1 ? options : { ...options, revalidate: true });
        try {
          const part = await this.#findPart(place, found.meta, options);
          return { ...found, part, owner: this.#settings.workerId };
        } catch (error) {
          this.#startAgain(place, error, attempt);
        }
      }
    } catch (error) {
      throw inBucket(error, ref);
    }
  }

  async getObject<Selection extends { readonly range?: ByteRange }>(
    ref: ObjectRef,
    select: (found: FoundVersion, part?: PartPlace) => Selection,
    options: ReadOptions = {},
  ): Promise<ReadObject<Selection>> {
    try {
      const located = this.#namespace.locate(ref.bucket, ref.key);
      const place = located instanceof Promise ? await located : located;
      for (let attempt = 1; ; attempt++) {
        const found = await this.#lookUp(place, attempt === 1 ? options : { ...options, revalidate: true });
        try {
          const asked = this.#findPart(place, found.meta, options);
          const selection = select(found, asked && (await asked));
          const read = await this.#open(place, found.meta, selection.range, options);
          return { ...read, ...found, selection, owner: this.#settings.workerId };
        } catch (error) {
          this.#startAgain(place, error, attempt);
        }
      }
    } catch (error) {
      throw inBucket(error, ref);
    }
  }

  async putObject(ref: ObjectRef, input: PutObjectInput): Promise<ObjectMeta> {
    return this.#change(ref, (place, beforeCommit) =>
      this.#metadata.write(place, () =>
        place.backend.put(place.path, input.body, {
          ...newObject(input),
          condition: input.condition,
          signal: input.signal,
          beforeCommit,
        }),
      ),
    );
  }

  async deleteObject(
    ref: ObjectRef,
    options: { condition?: WriteCondition; signal?: AbortSignal } = {},
  ): Promise<void> {
    await this.#change(ref, (place) =>
      this.#metadata.write(place, async () => {
        await place.backend.delete(place.path, options);
        return undefined;
      }),
    );
  }

  async copyObject(ref: ObjectRef, input: CopyInput): Promise<ObjectMeta> {
    return this.#change(ref, (place, beforeCommit) =>
      this.#fromSource(input.source, async (source, meta) => {
        input.checkSource(meta);
        const common = { condition: input.condition, signal: input.signal, beforeCommit };
        return this.#metadata.write(place, () => {
          if (source.backend === place.backend && place.backend.capabilities.serverSideCopy) {
            return place.backend.copy(source.path, place.path, {
              ...common,
              sourceGeneration: meta.generation,
              replace: input.replace,
              checksumAlgorithm: input.checksumAlgorithm,
            });
          }
          const whole = { start: 0, end: meta.sizeBytes };
          const body = this.#bodyOf(source, meta, whole, input.signal);
          if (input.checksumAlgorithm) body.need(input.checksumAlgorithm);
          return place.backend.put(place.path, body, { ...newObject(input.replace ?? meta), ...common });
        });
      }),
    );
  }

  async listObjects(bucket: BucketName, input: ListInput) {
    try {
      const sources = await this.#namespace.sources(bucket, input.prefix);
      const { entries, truncated } = await listMerged(sources, input);
      return { items: entries, truncated };
    } catch (error) {
      throw toS3Error(error);
    }
  }

  async createUpload(
    ref: ObjectRef,
    input: NewObject & { checksumAlgorithm?: ChecksumAlgorithm; checksumType?: ChecksumType },
  ) {
    return this.#change(ref, async (place, beforeCommit) => {
      await beforeCommit();
      return place.backend.createUpload(place.path, {
        ...newObject(input),
        checksumAlgorithm: input.checksumAlgorithm,
        checksumType: input.checksumType,
      });
    });
  }

  async putPart(
    ref: ObjectRef,
    input: { uploadId: string; partNumber: number; body: UploadBody; signal?: AbortSignal },
  ) {
    return this.#change(ref, (place) =>
      place.backend.putPart(place.path, input.uploadId, input.partNumber, input.body, {
        signal: input.signal,
      }),
    );
  }

  async copyPart(ref: ObjectRef, input: CopyPartInput) {
    return this.#change(ref, (place) =>
      this.#fromSource(input.source, (source, meta) => {
        const range = input.selectSource(meta) ?? { start: 0, end: meta.sizeBytes };
        const body = this.#bodyOf(source, meta, range, input.signal);
        return place.backend.putPart(place.path, input.uploadId, input.partNumber, body, {
          signal: input.signal,
        });
      }),
    );
  }

  async listParts(ref: ObjectRef, input: { uploadId: string; afterPartNumber?: number; limit: number }) {
    try {
      const place = await this.#namespace.locate(ref.bucket, ref.key);
      return await place.backend.listParts(place.path, input.uploadId, input);
    } catch (error) {
      throw toS3Error(error);
    }
  }

  async completeUpload(ref: ObjectRef, input: CompleteInput): Promise<ObjectMeta> {
    return this.#change(ref, (place, beforeCommit) =>
      this.#metadata.write(place, () =>
        place.backend.completeUpload(place.path, input.uploadId, input.parts, {
          condition: input.condition,
          checksums: input.checksums,
          checksumType: input.checksumType,
          expectedSizeBytes: input.expectedSizeBytes,
          signal: input.signal,
          beforeCommit,
        }),
      ),
    );
  }

  async abortUpload(ref: ObjectRef, uploadId: string): Promise<void> {
    await this.#change(ref, (place) => place.backend.abortUpload(place.path, uploadId));
  }

  async listUploads(
    bucket: BucketName,
    input: { prefix: string; delimiter?: string; keyMarker?: string; uploadIdMarker?: string; limit: number },
  ) {
    try {
      return await listUploadsMerged(await this.#namespace.sources(bucket, input.prefix), input);
    } catch (error) {
      throw toS3Error(error);
    }
  }

  async #lookUp(place: Place, options: ReadOptions) {
    const known = options.revalidate ? undefined : this.#metadata.peek(place, options.maxAgeMs);
    return known ?? this.#metadata.get(place, options);
  }

  /** Undefined, at once, where the metadata tells enough. */
  #findPart(
    { backend, path }: Place,
    meta: ObjectMeta,
    { partNumber, signal, onlyIfCached }: ReadOptions,
  ): Promise<PartPlace> | undefined {
    if (partNumber === undefined || meta.parts || !backend.findPart) return undefined;
    const count = partsClaimed(meta);
    if (count === 1 || partNumber > count) return undefined;
    if (onlyIfCached) throw new WorkerError('not-cached', 'the storage alone knows where its parts lie');
    return backend.findPart(path, meta, partNumber, { signal });
  }

  /** The version was replaced between its metadata and what was asked of it: the answer starts again with the newer one. */
  #startAgain(place: Place, error: unknown, attempt: number): void {
    if (!isMoved(error) || attempt === attempts) throw error;
    this.#metadata.invalidate(place);
  }

  async #open(place: Place, meta: ObjectMeta, range: ByteRange | undefined, options: ReadOptions) {
    if (!range) return { body: undefined, cache: 'hit' as const };
    if (range.end === range.start) return { body: Buffer.alloc(0), cache: 'hit' as const };
    const target = { ...place, meta, pageSizeBytes: this.#settings.pageSizeBytes };
    return this.#reader.open(target, range, options.signal, missingPages(options));
  }

  /**
   * Runs a change. Its commit is kept apart from the bucket's deletion, and from mounts that changed, by the hook it is given,
   * which it calls when the bytes are in and before they become visible.
   */
  async #change<T>(
    ref: ObjectRef,
    change: (place: Place, beforeCommit: () => Promise<void>) => Promise<T>,
  ): Promise<T> {
    let leave: (() => void) | undefined;
    try {
      const place = await this.#namespace.locateForWrite(ref.bucket, ref.key);
      return await change(place, async () => {
        leave ??= await this.#gate.enterCommit(ref.bucket);
        this.#namespace.checkStill(place, ref.bucket, ref.key);
      });
    } catch (error) {
      throw toS3Error(error);
    } finally {
      leave?.();
    }
  }

  /** Runs `use` with the source's present version, again with a newer one if it moved before anything was made of it. */
  async #fromSource<T>(ref: ObjectRef, use: (source: Place, meta: ObjectMeta) => Promise<T>): Promise<T> {
    const source = await this.#namespace.locate(ref.bucket, ref.key);
    for (let attempt = 1; ; attempt++) {
      const { meta } = await this.#lookUp(source, { revalidate: attempt > 1 });
      try {
        return await use(source, meta);
      } catch (error) {
        this.#startAgain(source, error, attempt);
      }
    }
  }

  #bodyOf(source: Place, meta: ObjectMeta, range: ByteRange, signal: AbortSignal | undefined): PlainBody {
    const sizeBytes = range.end - range.start;
    const chunks = sizeBytes === 0 ? nothing() : source.backend.read(source.path, meta, range, { signal });
    return new PlainBody(chunks, sizeBytes);
  }
}

function newObject(from: NewObject): NewObject {
  return { headers: from.headers, userMetadata: from.userMetadata, storageClass: from.storageClass };
}

function missingPages({ onlyIfCached, noStore }: ReadOptions): Missing {
  if (onlyIfCached) return 'refuse';
  return noStore ? 'bypass' : 'fill';
}

function isMoved(error: unknown): boolean {
  return error instanceof UfsError && error.kind === 'moved';
}

/** As S3 does, NoSuchKey names the key. */
function inBucket(error: unknown, ref: ObjectRef): S3Error {
  const mapped = toS3Error(error);
  if (mapped.code !== 'NoSuchKey' || mapped.extra.Key !== undefined) return mapped;
  const { headers, cause } = mapped;
  return new S3Error('NoSuchKey', { extra: { Key: ref.key }, headers, cause });
}

async function* nothing(): AsyncGenerator<Buffer> {}
