import type { ByteRange } from '../common/byte-range.ts';
import type { Clock } from '../common/clock.ts';
import type { NewObject, ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type {
  Backend,
  BackendCapabilities,
  CallOptions,
  CompleteOptions,
  CompletePart,
  CopyOptions,
  CreateUploadOptions,
  DeleteOptions,
  ListOptions,
  ListPage,
  ListUploadsOptions,
  ListUploadsPage,
  ObjectChange,
  PutOptions,
  UploadedPart,
  UploadInfo,
  VersionOptions,
  WriteCondition,
} from './backend.ts';
import type { BackendVersions, Deletion, VersioningMode } from './backend-versions.ts';
import { UfsError } from './errors.ts';
import { ArrayCursor, groupPage } from './grouping.ts';
import { HeldVersions } from './held-versions.ts';
import { keptAccess } from './kept-access.ts';
import { listedObject } from './listed-object.ts';
import { MemoryHistory, type MemoryVersion } from './memory-history.ts';
import { MemoryUploads } from './memory-uploads.ts';
import { MemoryVersions } from './memory-versions.ts';
import { minPartSizeBytes } from './multipart-rules.ts';
import { answeredPart, needPartChecksum, partChecksums } from './part-checksums.ts';
import { PlainBody } from './plain-body.ts';
import { tagCountOf } from './tags.ts';
import { nullVersionId } from './version-ids.ts';
import {
  checkCondition,
  checkSignal,
  copyChecksum,
  fullChecksum,
  needChecksum,
  nextModifiedMs,
} from './write-rules.ts';

export interface MemoryBackendSettings {
  readonly uri?: string;
  /** Whether to claim that nobody else changes what is stored; false by default. */
  readonly exclusive?: boolean;
  /** Whether to claim that tags are kept; true by default. */
  readonly tagging?: boolean;
  /** Whether to claim that versions are kept; true by default. */
  readonly versions?: boolean;
  /** Least size of a part that is not the last; S3's 5 MiB by default. */
  readonly minPartSizeBytes?: number;
}

type Version = MemoryVersion & { readonly bytes: Buffer };

const chunkSizeBytes = 1024 * 1024;

/** A backend that keeps everything in this process's memory, for tests and trials. */
export class MemoryBackend implements Backend {
  readonly uri: string;
  readonly capabilities: BackendCapabilities;
  readonly versions?: BackendVersions;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly uploads: MemoryUploads;
  private readonly history = new MemoryHistory();
  private readonly held = new HeldVersions<Version>(async () => {});

  constructor(clock: Clock, random: Random, settings: MemoryBackendSettings = {}) {
    this.clock = clock;
    this.random = random;
    this.uri = settings.uri ?? 'memory:';
    const versions = settings.versions ?? true;
    if (versions) this.versions = new MemoryVersions(this.uri, this.history);
    this.capabilities = {
      conditionalCreate: true,
      conditionalPut: true,
      conditionalCompleteCreate: true,
      conditionalComplete: true,
      conditionalCopy: true,
      conditionalDelete: true,
      multipart: true,
      serverSideCopy: true,
      exclusive: settings.exclusive ?? false,
      tagging: settings.tagging ?? true,
      objectAcls: true,
      stamps: true,
      uploadStamps: true,
      anyKey: true,
      versions,
      versioning: versions,
    };
    this.uploads = new MemoryUploads(this.uri, clock, random, settings.minPartSizeBytes ?? minPartSizeBytes);
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectMeta> {
    checkSignal(options.signal, this.uri, key);
    const newest = this.history.newest(key);
    if (newest?.bytes) return newest.meta;
    throw new UfsError('not-found', 'there is no such object', {
      backend: this.uri,
      key,
      ...(newest ? { marker: { versionId: newest.meta.versionId ?? nullVersionId } } : {}),
    });
  }

  async *read(
    key: string,
    meta: ObjectMeta,
    range: ByteRange,
    options: CallOptions = {},
  ): AsyncIterable<Buffer> {
    const { source, release } = await this.hold(key, meta);
    try {
      for (let start = range.start; start < range.end; start += chunkSizeBytes) {
        checkSignal(options.signal, this.uri, key);
        yield source.bytes.subarray(start, Math.min(start + chunkSizeBytes, range.end));
      }
    } finally {
      await release();
    }
  }

  async pin(key: string, meta: ObjectMeta): Promise<() => Promise<void>> {
    return (await this.hold(key, meta)).release;
  }

  async put(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    this.checkChange(key, options);
    body.need('MD5');
    const algorithm = needChecksum(body);
    const bytes = await collect(body, () => checkSignal(options.signal, this.uri, key));
    return this.commit(key, bytes, options, {
      etag: body.digest('MD5').toString('hex'),
      ...fullChecksum(body, algorithm),
    });
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<Deletion> {
    if (options.beforeCommit && this.history.present(key)) await options.beforeCommit();
    this.checkChange(key, options);
    const present = this.history.present(key);
    const versioning =
      options.versioning ?? (present?.meta.versionId === undefined ? undefined : 'suspended');
    if (versioning) return this.mark(key, versioning);
    if (present) this.history.remove(present);
    return {};
  }

  async list(options: ListOptions): Promise<ListPage> {
    checkSignal(options.signal, this.uri);
    const { entries, truncated } = await groupPage(new ArrayCursor(this.history.allPresent()), options);
    return {
      entries: entries.map((entry) => ('kind' in entry ? entry : listedObject(entry.key, entry.meta))),
      truncated,
    };
  }

  async copy(sourceKey: string, key: string, options: CopyOptions): Promise<ObjectMeta> {
    const { sourceVersionId } = options;
    const source = sourceVersionId
      ? this.history.find(sourceKey, ({ meta }) => (meta.versionId ?? nullVersionId) === sourceVersionId)
      : this.history.newest(sourceKey);
    if (!source?.bytes) throw this.error('not-found', 'there is no such object', sourceKey);
    if (source.meta.generation !== options.sourceGeneration) {
      throw this.error('moved', 'the source is not the expected version', sourceKey);
    }
    this.checkChange(key, options);
    const { bytes, meta } = source;
    const body = new PlainBody(this.read(sourceKey, meta, { start: 0, end: bytes.length }), bytes.length);
    body.need('MD5');
    const algorithm = copyChecksum(meta, options.checksumAlgorithm);
    body.need(algorithm);
    const copied = await collect(body, () => checkSignal(options.signal, this.uri, key));
    return this.commit(
      key,
      copied,
      {
        ...newObjectOf(options.replace ?? meta),
        tags: options.tags ?? source.tags,
        ...conditionsOf(options),
      },
      {
        etag: body.digest('MD5').toString('hex'),
        ...fullChecksum(body, algorithm),
      },
    );
  }

  async getTags(key: string, options: VersionOptions = {}): Promise<readonly Tag[]> {
    checkSignal(options.signal, this.uri, key);
    return this.version(key, options).tags ?? [];
  }

  async amend(key: string, change: ObjectChange, options: VersionOptions = {}): Promise<ObjectMeta> {
    checkSignal(options.signal, this.uri, key);
    const present = this.version(key, options);
    if (change.generation !== undefined && change.generation !== present.meta.generation) {
      throw this.error('moved', 'the version is not the present one any more', key);
    }
    const { tagCount: _, access, ...meta } = present.meta;
    const tags = change.tags ?? present.tags;
    const changed = {
      ...present,
      meta: { ...meta, ...tagCountOf(tags), ...keptAccess(change.access ?? access) },
      tags,
    };
    this.history.replace(present, changed);
    return changed.meta;
  }

  async createUpload(key: string, options: CreateUploadOptions): Promise<UploadInfo> {
    checkSignal(options.signal, this.uri, key);
    return this.uploads.create(key, options);
  }

  async putPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UploadBody,
    options: CallOptions = {},
  ): Promise<UploadedPart> {
    const { info } = this.uploads.get(key, uploadId);
    checkSignal(options.signal, this.uri, key);
    body.need('MD5');
    const algorithm = needPartChecksum(info, body, this.uri);
    const bytes = await collect(body, () => checkSignal(options.signal, this.uri, key));
    const part = this.uploads.putPart(key, uploadId, {
      partNumber,
      bytes,
      sizeBytes: bytes.length,
      etag: body.digest('MD5').toString('hex'),
      lastModifiedMs: this.clock.nowMs(),
      checksums: partChecksums(body, algorithm),
    });
    return answeredPart(info, part, body);
  }

  async listParts(
    key: string,
    uploadId: string,
    options: CallOptions & { readonly afterPartNumber?: number; readonly limit: number },
  ): Promise<{ upload: UploadInfo; parts: readonly UploadedPart[]; truncated: boolean }> {
    checkSignal(options.signal, this.uri, key);
    return this.uploads.listParts(key, uploadId, options);
  }

  async completeUpload(
    key: string,
    uploadId: string,
    parts: readonly CompletePart[],
    options: CompleteOptions = {},
  ): Promise<ObjectMeta> {
    const made = this.history.find(key, (version) => version.uploadId === uploadId);
    if (made) return made.meta;
    const { info, plan, bytes } = await this.uploads.plan(key, uploadId, parts, options);
    this.checkChange(key, options);
    const meta = await this.commit(
      key,
      bytes,
      { ...info, ...conditionsOf(options), access: info.access },
      {
        etag: plan.etag,
        parts: plan.objectParts,
        ...(plan.checksums ? { checksums: plan.checksums, checksumType: plan.checksumType } : {}),
      },
      uploadId,
    );
    this.uploads.remove(uploadId);
    return meta;
  }

  async abortUpload(key: string, uploadId: string, options: CallOptions = {}): Promise<void> {
    checkSignal(options.signal, this.uri, key);
    this.uploads.get(key, uploadId);
    this.uploads.remove(uploadId);
  }

  async listUploads(options: ListUploadsOptions): Promise<ListUploadsPage> {
    checkSignal(options.signal, this.uri);
    return this.uploads.list(options);
  }

  async close(): Promise<void> {}

  private hold(key: string, { generation }: ObjectMeta) {
    return this.held.hold(generation, async () => {
      const version = this.history.find(key, ({ meta }) => meta.generation === generation);
      if (version?.bytes) return version as Version;
      throw this.error('moved', 'the version is not the present one any more', key);
    });
  }

  private version(key: string, { versionId }: VersionOptions): Version {
    const version =
      versionId === undefined
        ? this.history.present(key)
        : this.history.find(key, ({ meta }) => (meta.versionId ?? nullVersionId) === versionId);
    if (version?.bytes) return version as Version;
    const kind = versionId === undefined ? 'not-found' : 'no-such-version';
    throw new UfsError(kind, 'there is no such version', { backend: this.uri, key });
  }

  private checkChange(
    key: string,
    { signal, condition }: CallOptions & { readonly condition?: WriteCondition },
  ): void {
    checkSignal(signal, this.uri, key);
    checkCondition(condition, this.history.present(key)?.meta, this.uri, key);
  }

  private mark(key: string, versioning: VersioningMode): Deletion {
    const generation = this.random.uuid();
    const nowMs = this.clock.nowMs();
    const { order, versionId } = this.history.place(key, nowMs, generation, versioning);
    const meta: ObjectMeta = {
      sizeBytes: 0,
      etag: '',
      lastModifiedMs: nowMs,
      generation,
      generationSettled: true,
      headers: {},
      userMetadata: {},
      ...(versionId === undefined ? {} : { versionId }),
    };
    this.history.put({ key, meta, bytes: undefined, order });
    return { versionId: versionId ?? nullVersionId, deleteMarker: true };
  }

  private async commit(
    key: string,
    bytes: Buffer,
    options: NewObject & ChangeOptions,
    found: Pick<ObjectMeta, 'etag' | 'checksums' | 'checksumType' | 'parts'>,
    uploadId?: string,
  ): Promise<ObjectMeta> {
    await options.beforeCommit?.();
    // No other call runs between this check and the change, which are one synchronous step.
    this.checkChange(key, options);
    const previous = this.history.newest(key);
    const nowMs = this.clock.nowMs();
    const generation = this.random.uuid();
    const { order, versionId } = this.history.place(key, nowMs, uploadId ?? generation, options.versioning);
    const meta: ObjectMeta = {
      ...found,
      sizeBytes: bytes.length,
      lastModifiedMs: nextModifiedMs(nowMs, previous?.meta.lastModifiedMs),
      generation,
      generationSettled: true,
      ...(versionId === undefined ? {} : { versionId }),
      headers: options.headers,
      userMetadata: options.userMetadata,
      ...(options.storageClass === undefined ? {} : { storageClass: options.storageClass }),
      ...tagCountOf(options.tags),
      ...keptAccess(options.access),
      ...(options.stamp === undefined ? {} : { stamp: options.stamp }),
    };
    this.history.put({ key, meta, bytes, tags: options.tags, uploadId, order });
    return meta;
  }

  private error(kind: 'not-found' | 'moved', message: string, key: string): UfsError {
    return new UfsError(kind, message, { backend: this.uri, key });
  }
}

function newObjectOf({ headers, userMetadata, storageClass }: NewObject): NewObject {
  return { headers, userMetadata, storageClass };
}

type ChangeOptions = Pick<
  PutOptions,
  'access' | 'condition' | 'beforeCommit' | 'signal' | 'stamp' | 'versioning'
>;

function conditionsOf({ condition, access, beforeCommit, signal, versioning }: ChangeOptions): ChangeOptions {
  return { condition, access, beforeCommit, signal, versioning };
}

async function collect(body: UploadBody, check: () => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) {
    check();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
