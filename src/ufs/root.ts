import { pathToFileURL } from 'node:url';
import type { ByteRange } from '../common/byte-range.ts';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
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
  VersionOptions,
} from './backend.ts';
import type { BackendVersions, Deletion } from './backend-versions.ts';
import { DamagedRecords } from './damaged-records.ts';
import { DirectoryKeeper } from './directory-keeper.ts';
import { type FileSystem, toUfsError, withUfsErrors } from './file-system.ts';
import { pinOf } from './held-versions.ts';
import { minPartSizeBytes } from './multipart-rules.ts';
import { RootAmendments } from './root-amendments.ts';
import { RootBodies } from './root-bodies.ts';
import { RootCommits } from './root-commits.ts';
import { RootCompletion } from './root-completion.ts';
import { RootFolders } from './root-folders.ts';
import { RootHistory } from './root-history.ts';
import { closeRoot, prepareRoot } from './root-layout.ts';
import { RootObjects } from './root-objects.ts';
import { RootOlder } from './root-older.ts';
import { RootPaths } from './root-paths.ts';
import { RootSweep } from './root-sweep.ts';
import { RootUploads } from './root-uploads.ts';
import { RootVersions } from './root-versions.ts';
import { defaultUploadLimits, UploadExpiry, type UploadLimits } from './upload-expiry.ts';
import { checkSignal } from './write-rules.ts';

export interface RootBackendSettings {
  /** Absolute path of the root's directory; made if it is not there. */
  readonly path: string;
  /** Least size of a part that is not the last; S3's 5 MiB by default. */
  readonly minPartSizeBytes?: number;
  /** Of multipart uploads; 10,000 under way, for ever, by default. */
  readonly uploadLimits?: UploadLimits;
  /** How fast the sweep after an unclean stop goes through the directories; 5,000 entries a second by default. */
  readonly sweepEntriesPerSecond?: number;
}

/**
 * Opens Forebay's own layout, in which any key can be held (see `root-names.ts`), and makes it where there is nothing yet; while it is
 * open no other process can open it. Kinds: unavailable (not a root, of an unknown version, or in use), denied, io.
 */
export async function openRootBackend(
  fs: FileSystem,
  clock: Clock,
  random: Random,
  log: Log,
  settings: RootBackendSettings,
): Promise<RootBackend> {
  const uri = pathToFileURL(settings.path).href;
  return withUfsErrors(uri, undefined, async () => {
    const paths = new RootPaths(settings.path, random.uuid());
    const { unclean, versioned, unlock } = await prepareRoot(fs, paths, uri);
    const backend = new RootBackend(uri, fs, clock, random, log, paths, versioned, unlock, settings);
    try {
      await backend.recover(unclean);
      return backend;
    } catch (error) {
      unlock();
      throw error;
    }
  });
}

export class RootBackend implements Backend {
  readonly uri: string;
  readonly capabilities: BackendCapabilities = {
    conditionalCreate: true,
    conditionalPut: true,
    conditionalCompleteCreate: true,
    conditionalComplete: true,
    conditionalCopy: true,
    conditionalDelete: true,
    multipart: true,
    serverSideCopy: true,
    exclusive: true,
    tagging: true,
    objectAcls: true,
    stamps: true,
    uploadStamps: true,
    anyKey: true,
    versions: true,
    versioning: true,
  };
  readonly versions: BackendVersions;
  private readonly fs: FileSystem;
  private readonly activity = new Activity();
  private readonly paths: RootPaths;
  private readonly unlock: () => void;
  private readonly bodies: RootBodies;
  private readonly reads: RootVersions;
  private readonly objects: RootObjects;
  private readonly amendments: RootAmendments;
  private readonly uploads: RootUploads;
  private readonly completion: RootCompletion;
  private readonly limits: UploadLimits;
  private readonly expiry: UploadExpiry;
  private readonly sweep: RootSweep;
  private readonly damaged: DamagedRecords;
  /** Settles with whether nothing is left to be swept. */
  private swept: Promise<boolean> = Promise.resolve(true);

  /** The root is prepared; `versioned`: keys may have older versions; `unlock` gives its lock back. */
  constructor(
    uri: string,
    fs: FileSystem,
    clock: Clock,
    random: Random,
    log: Log,
    paths: RootPaths,
    versioned: boolean,
    unlock: () => void,
    settings: RootBackendSettings,
  ) {
    this.uri = uri;
    this.fs = fs;
    this.paths = paths;
    this.unlock = unlock;
    const limits = settings.uploadLimits ?? defaultUploadLimits;
    this.damaged = new DamagedRecords(clock, log);
    const folders = new RootFolders(fs, this.damaged);
    const keeper = new DirectoryKeeper(fs, paths.root, (parent) => folders.changed(parent));
    this.bodies = new RootBodies(fs, random, paths);
    const history = new RootHistory(fs, paths, keeper, this.bodies, versioned, this.damaged);
    const commits = new RootCommits(
      uri,
      fs,
      clock,
      random,
      paths,
      folders,
      this.bodies,
      history,
      this.damaged,
    );
    this.reads = new RootVersions(uri, this.bodies, commits);
    this.objects = new RootObjects(
      uri,
      fs,
      random,
      paths,
      folders,
      keeper,
      this.bodies,
      history,
      commits,
      this.reads,
      this.damaged,
    );
    const older = new RootOlder(uri, paths, folders, history, commits, this.objects, this.damaged);
    this.versions = this.running(older);
    this.amendments = new RootAmendments(uri, fs, random, paths, history, commits);
    this.uploads = new RootUploads(uri, fs, clock, random, paths, this.bodies, {
      maxCount: limits.maxCount,
      shared: false,
    });
    this.completion = new RootCompletion(uri, fs, paths, this.objects, this.uploads, commits, {
      minPartSizeBytes: settings.minPartSizeBytes ?? minPartSizeBytes,
    });
    this.limits = limits;
    this.expiry = new UploadExpiry(
      clock,
      () =>
        this.uploads.removeIdle(limits.maxIdleMs, async (upload) => {
          const fate = await this.completion.finishIfCommitted(upload);
          return fate !== 'open';
        }),
      (error) => log.warn({ err: error, uri }, 'idle uploads could not be removed'),
    );
    this.sweep = new RootSweep(fs, clock, log, paths, this.bodies, commits, this.uploads, keeper, {
      entriesPerSecond: settings.sweepEntriesPerSecond ?? 5_000,
    });
  }

  /** To be called once, before anything else. After an unclean stop the sweep goes on in the background. */
  async recover(unclean: boolean): Promise<void> {
    await this.completion.finishCommitted();
    if (unclean) this.swept = this.sweep.run();
    this.expiry.start(this.limits);
  }

  /** Resolves when the sweep after an unclean stop is over: with true if nothing is left behind. */
  settled(): Promise<boolean> {
    return this.swept;
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectMeta> {
    return this.run(key, options, () => this.objects.head(key, options));
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
    return this.run(key, options, () => this.objects.put(key, body, options));
  }

  delete(key: string, options: DeleteOptions = {}): Promise<Deletion> {
    return this.run(key, options, () => this.objects.delete(key, options));
  }

  list(options: ListOptions): Promise<ListPage> {
    return this.run(undefined, options, () => this.objects.list(options));
  }

  copy(sourceKey: string, key: string, options: CopyOptions): Promise<ObjectMeta> {
    return this.run(key, options, () => this.objects.copy(sourceKey, key, options));
  }

  getTags(key: string, options: VersionOptions = {}): Promise<readonly Tag[]> {
    return this.run(key, options, () => this.objects.getTags(key, options));
  }

  amend(key: string, change: ObjectChange, options: VersionOptions = {}): Promise<ObjectMeta> {
    return this.run(key, options, () => this.amendments.amend(key, change, options));
  }

  createUpload(key: string, options: CreateUploadOptions): Promise<UploadInfo> {
    return this.run(key, options, () => this.uploads.create(key, options));
  }

  putPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UploadBody,
    options: CallOptions = {},
  ): Promise<UploadedPart> {
    return this.run(key, options, () => this.uploads.putPart(key, uploadId, partNumber, body, options));
  }

  listParts(
    key: string,
    uploadId: string,
    options: CallOptions & { readonly afterPartNumber?: number; readonly limit: number },
  ): Promise<{ upload: UploadInfo; parts: readonly UploadedPart[]; truncated: boolean }> {
    return this.run(key, options, () => this.uploads.listParts(key, uploadId, options));
  }

  completeUpload(
    key: string,
    uploadId: string,
    parts: readonly CompletePart[],
    options: CompleteOptions = {},
  ): Promise<ObjectMeta> {
    return this.run(key, options, () => this.completion.complete(key, uploadId, parts, options));
  }

  abortUpload(key: string, uploadId: string, options: CallOptions = {}): Promise<void> {
    return this.run(key, options, () =>
      this.uploads.abort(
        key,
        uploadId,
        async (upload) => (await this.completion.finishIfCommitted(upload)) === 'object',
      ),
    );
  }

  listUploads(options: ListUploadsOptions): Promise<ListUploadsPage> {
    return this.run(undefined, options, () => this.uploads.list(options));
  }

  async close(): Promise<void> {
    this.sweep.stop();
    await this.expiry.stop();
    await this.activity.idle();
    const clean = (await this.swept) && !this.damaged.leftBodies && !this.bodies.hasDoomed;
    try {
      await this.run(undefined, {}, () => closeRoot(this.fs, this.paths, clean));
    } finally {
      this.unlock();
    }
  }

  private running(older: RootOlder): BackendVersions {
    return {
      head: (key, versionId, options = {}) =>
        this.run(key, options, () => older.head(key, versionId, options)),
      delete: (key, versionId, options = {}) =>
        this.run(key, options, () => older.delete(key, versionId, options)),
      list: (options) => this.run(undefined, options, () => older.list(options)),
    };
  }

  private run<T>(key: string | undefined, { signal }: CallOptions, work: () => Promise<T>): Promise<T> {
    const call = async () => {
      checkSignal(signal, this.uri, key);
      return work();
    };
    return this.activity.run(() => withUfsErrors(this.uri, key, call));
  }
}
