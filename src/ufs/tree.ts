import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ByteRange } from '../common/byte-range.ts';
import type { Clock } from '../common/clock.ts';
import { nothing } from '../common/nothing.ts';
import type { ChecksumAlgorithm, NewObject, ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import { Activity } from './activity.ts';
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
} from './backend.ts';
import type { Deletion } from './backend-versions.ts';
import { digestFiles, readFiles } from './body-file.ts';
import { DirectoryKeeper } from './directory-keeper.ts';
import { UfsError } from './errors.ts';
import { type FileSystem, toUfsError, withUfsErrors } from './file-system.ts';
import { foldersOverlap } from './folder-overlap.ts';
import { pinOf } from './held-versions.ts';
import { minPartSizeBytes, objectParts, planCompletion } from './multipart-rules.ts';
import { PlainBody } from './plain-body.ts';
import { RootBodies } from './root-bodies.ts';
import { RootPaths } from './root-paths.ts';
import { RootUploads } from './root-uploads.ts';
import { TreeFiles } from './tree-files.ts';
import { requireTreeKey } from './tree-keys.ts';
import { TreeOwnDirectories } from './tree-own-directories.ts';
import { TreeReads } from './tree-reads.ts';
import { TreeRecords } from './tree-records.ts';
import { TreeWrites } from './tree-writes.ts';
import { defaultUploadLimits, UploadExpiry, type UploadLimits } from './upload-expiry.ts';
import { VersionClock } from './version-clock.ts';
import { checkSignal, copyChecksum, fullChecksum, needChecksum } from './write-rules.ts';

export interface TreeBackendSettings {
  /** Absolute path of an existing directory. */
  readonly path: string;
  /** Of multipart uploads; 10,000 under way, for ever, by default. A tree that is not to be written keeps its uploads for ever. */
  readonly uploadLimits?: UploadLimits;
  /** Hears of faults of work in the background, which goes on. */
  readonly onFault?: (error: unknown) => void;
  /** Folders that it may not overlap with, whichever way links lead when it is opened. */
  readonly apartFrom?: readonly string[];
  /** Least size of a part that is not the last; S3's 5 MiB by default. */
  readonly minPartSizeBytes?: number;
}

/**
 * Opens a directory as it is: keys are real paths below it, and other programs may change it at any time. Nothing is written until
 * the first change, which makes `.forebay` there. Kinds: unavailable, if the directory is not there, cannot be read, or overlaps with
 * one that it is to be apart from.
 */
export async function openTreeBackend(
  fs: FileSystem,
  clock: Clock,
  random: Random,
  settings: TreeBackendSettings,
): Promise<TreeBackend> {
  const uri = pathToFileURL(settings.path).href;
  try {
    const root = await fs.realPath(settings.path);
    await refuseOverlap(fs, uri, root, settings.apartFrom ?? []);
    await fs.readDirectory(root);
    const localDev = (await fs.sharesClock(root)) ? (await fs.status(root)).dev : undefined;
    return new TreeBackend(uri, fs, clock, random, root, localDev, settings);
  } catch (error) {
    if (error instanceof UfsError) throw error;
    throw new UfsError('unavailable', `${settings.path} cannot be read`, { backend: uri, cause: error });
  }
}

async function refuseOverlap(
  fs: FileSystem,
  uri: string,
  root: string,
  apartFrom: readonly string[],
): Promise<void> {
  for (const folder of apartFrom) {
    if (!foldersOverlap(root, await fs.realPath(folder))) continue;
    const message = `${root} overlaps with ${folder}, which is Forebay's own`;
    throw new UfsError('unavailable', message, { backend: uri, retryable: false });
  }
}

export class TreeBackend implements Backend {
  readonly uri: string;
  readonly capabilities: BackendCapabilities = {
    conditionalCreate: true,
    conditionalPut: true,
    conditionalCompleteCreate: true,
    conditionalComplete: true,
    conditionalCopy: true,
    conditionalDelete: true,
    multipart: true,
    serverSideCopy: false,
    exclusive: false,
    tagging: true,
    objectAcls: true,
    stamps: false,
    uploadStamps: false,
    anyKey: false,
    versions: false,
    versioning: false,
  };
  private readonly fs: FileSystem;
  private readonly activity = new Activity();
  private readonly paths: RootPaths;
  private readonly own: TreeOwnDirectories;
  private readonly reads: TreeReads;
  private readonly writes: TreeWrites;
  private readonly uploads: RootUploads;
  private readonly expiry: UploadExpiry;
  private readonly minPartSizeBytes: number;

  /** `root` is resolved. `localDev`: the device whose times come from this machine's clock, if it is one. */
  constructor(
    uri: string,
    fs: FileSystem,
    clock: Clock,
    random: Random,
    root: string,
    localDev: bigint | undefined,
    settings: TreeBackendSettings,
  ) {
    this.uri = uri;
    this.fs = fs;
    this.paths = new RootPaths(root, random.uuid());
    this.minPartSizeBytes = settings.minPartSizeBytes ?? minPartSizeBytes;
    const limits = settings.uploadLimits ?? defaultUploadLimits;
    const meta = join(this.paths.own, 'meta');
    this.own = new TreeOwnDirectories(uri, fs, clock, this.paths, meta);
    const files = new TreeFiles(uri, fs, new VersionClock(clock, localDev), root);
    const keeper = new DirectoryKeeper(fs, meta, undefined, async (path) => {
      await this.own.isDirectory(path);
    });
    const records = new TreeRecords(fs, random, this.paths, keeper, meta);
    this.reads = new TreeReads(uri, fs, files, records);
    this.writes = new TreeWrites(uri, fs, clock, random, this.paths, files, records, this.reads);
    const bodies = new RootBodies(fs, random, this.paths);
    this.uploads = new RootUploads(uri, fs, clock, random, this.paths, bodies, {
      maxCount: limits.maxCount,
      shared: true,
    });
    this.expiry = new UploadExpiry(
      clock,
      () => this.removeIdle(limits.maxIdleMs),
      settings.onFault ?? (() => {}),
    );
    this.expiry.start(limits);
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectMeta> {
    return this.run(key, options, async () => {
      const present = await this.reads.find(key);
      if (!present) throw new UfsError('not-found', 'there is no such object', { backend: this.uri, key });
      return present.meta;
    });
  }

  async *read(
    key: string,
    meta: ObjectMeta,
    range: ByteRange,
    options: CallOptions = {},
  ): AsyncGenerator<Buffer> {
    try {
      yield* this.reads.read(key, meta, range, options);
    } catch (error) {
      throw toUfsError(error, this.uri, key);
    }
  }

  pin(key: string, meta: ObjectMeta, options: CallOptions = {}): Promise<() => Promise<void>> {
    return this.run(key, options, async () => pinOf(await this.reads.hold(key, meta)));
  }

  put(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    return this.change(key, options, async () => {
      await this.writes.checkEarly(key, options);
      body.need('MD5');
      const algorithm = needChecksum(body);
      return this.writes.store(key, body, options, options, () => digestsOf(body, algorithm));
    });
  }

  delete(key: string, options: DeleteOptions = {}): Promise<Deletion> {
    return this.run(key, options, async () => {
      await this.own.check();
      await this.writes.delete(key, options);
      return {};
    });
  }

  list(options: ListOptions): Promise<ListPage> {
    return this.run(undefined, options, () => this.reads.list(options));
  }

  copy(sourceKey: string, key: string, options: CopyOptions): Promise<ObjectMeta> {
    return this.change(key, options, async () => {
      await this.writes.checkEarly(key, options);
      const found = await this.reads.find(sourceKey);
      const source = found?.meta;
      if (!source)
        throw new UfsError('not-found', 'there is no such object', { backend: this.uri, key: sourceKey });
      if (source.generation !== options.sourceGeneration) {
        throw new UfsError('moved', 'the source is not the expected version', {
          backend: this.uri,
          key: sourceKey,
        });
      }
      const about = { ...(options.replace ?? source), tags: options.tags ?? found.tags };
      return this.copyBytes(sourceKey, key, source, about, options);
    });
  }

  getTags(key: string, options: CallOptions = {}): Promise<readonly Tag[]> {
    return this.run(key, options, async () => {
      const present = await this.reads.find(key);
      if (!present) throw new UfsError('not-found', 'there is no such object', { backend: this.uri, key });
      return present.tags ?? [];
    });
  }

  amend(key: string, change: ObjectChange, options: CallOptions = {}): Promise<ObjectMeta> {
    return this.run(key, options, async () => {
      await this.own.ensure();
      return this.writes.amend(key, change, options);
    });
  }

  createUpload(key: string, options: CreateUploadOptions): Promise<UploadInfo> {
    return this.change(key, options, async () => {
      if (requireTreeKey(key, this.uri).isFolder) {
        throw new UfsError('invalid-key', 'a folder marker has no parts', { backend: this.uri, key });
      }
      return this.uploads.create(key, options);
    });
  }

  putPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UploadBody,
    options: CallOptions = {},
  ): Promise<UploadedPart> {
    return this.change(key, options, () => this.uploads.putPart(key, uploadId, partNumber, body, options));
  }

  listParts(
    key: string,
    uploadId: string,
    options: CallOptions & { readonly afterPartNumber?: number; readonly limit: number },
  ): Promise<{ upload: UploadInfo; parts: readonly UploadedPart[]; truncated: boolean }> {
    return this.run(key, options, async () => {
      await this.own.check();
      return this.uploads.listParts(key, uploadId, options);
    });
  }

  completeUpload(
    key: string,
    uploadId: string,
    parts: readonly CompletePart[],
    options: CompleteOptions = {},
  ): Promise<ObjectMeta> {
    return this.change(key, options, () =>
      this.uploads.exclusively(uploadId, () => this.complete(key, uploadId, parts, options)),
    );
  }

  abortUpload(key: string, uploadId: string, options: CallOptions = {}): Promise<void> {
    return this.change(key, options, () => this.uploads.abort(key, uploadId));
  }

  listUploads(options: ListUploadsOptions): Promise<ListUploadsPage> {
    return this.run(undefined, options, async () => {
      await this.own.check();
      return this.uploads.list(options);
    });
  }

  async close(): Promise<void> {
    await this.expiry.stop();
    await this.activity.idle();
    await this.own.close();
  }

  private removeIdle(idleMs: number): Promise<void> {
    return this.run(undefined, {}, async () => {
      await this.own.check();
      // A file of its own was made of a completed one, so removing the upload does no harm to it.
      await this.uploads.removeIdle(idleMs, async () => false);
    });
  }

  private async complete(
    key: string,
    uploadId: string,
    named: readonly CompletePart[],
    options: CompleteOptions,
  ): Promise<ObjectMeta> {
    const directory = this.paths.upload(uploadId);
    const present = await this.reads.find(key);
    if (present?.uploadId !== undefined && present.uploadId === uploadId) {
      // The process that made the object may have been killed before it took the upload away.
      await this.uploads.remove(uploadId, false).catch(() => {});
      return present.meta;
    }
    const upload = await this.uploads.get(key, uploadId);
    const stored = await this.uploads.parts(uploadId);
    const context = { backend: this.uri, minSizeBytes: this.minPartSizeBytes };
    const plan = await planCompletion(upload, stored, named, options, context, (parts, algorithm) =>
      digestFiles(this.fs, directory, parts, algorithm),
    );
    await this.writes.checkEarly(key, options);
    const { parts, sizeBytes, etag, checksums, checksumType } = plan;
    const check = () => checkSignal(options.signal, this.uri, key);
    const body = new PlainBody(readFiles(this.fs, directory, parts, check), sizeBytes);
    const facts = {
      etag,
      parts: objectParts(parts),
      uploadId,
      ...(checksums ? { checksums, checksumType } : {}),
    };
    const { access } = upload;
    const meta = await this.writes.store(key, body, upload, { ...options, access }, () => facts);
    await this.uploads.remove(uploadId, true);
    return meta;
  }

  private copyBytes(
    sourceKey: string,
    key: string,
    source: ObjectMeta,
    about: NewObject,
    options: CopyOptions,
  ): Promise<ObjectMeta> {
    const range = { start: 0, end: source.sizeBytes };
    const bytes = source.sizeBytes > 0 ? this.reads.read(sourceKey, source, range, options) : nothing();
    const body = new PlainBody(bytes, source.sizeBytes);
    const algorithm = copyChecksum(source, options.checksumAlgorithm);
    for (const name of ['MD5', algorithm] as const) body.need(name);
    return this.writes.store(key, body, about, options, () => digestsOf(body, algorithm));
  }

  /** A change needs the directories of Forebay's own. */
  private change<T>(key: string, options: CallOptions, work: () => Promise<T>): Promise<T> {
    return this.run(key, options, async () => {
      requireTreeKey(key, this.uri);
      await this.own.ensure();
      try {
        return await work();
      } catch (error) {
        // The tree may have gone while the bytes came, which explains whatever is missing.
        await this.own.requireRoot();
        throw error;
      }
    });
  }

  private run<T>(key: string | undefined, { signal }: CallOptions, work: () => Promise<T>): Promise<T> {
    const call = async () => {
      checkSignal(signal, this.uri, key);
      return work();
    };
    return this.activity.run(() => withUfsErrors(this.uri, key, call));
  }
}

function digestsOf(body: UploadBody, algorithm: ChecksumAlgorithm) {
  return { etag: body.digest('MD5').toString('hex'), ...fullChecksum(body, algorithm) };
}
