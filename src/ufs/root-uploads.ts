import { join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import type { UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type {
  CallOptions,
  CreateUploadOptions,
  ListUploadsOptions,
  ListUploadsPage,
  UploadedPart,
  UploadInfo,
} from './backend.ts';
import { writeBody } from './body-file.ts';
import { mapBounded } from './bounded.ts';
import { UfsError } from './errors.ts';
import {
  type FileSystem,
  FileSystemError,
  isErrno,
  readWhole,
  removeQuietly,
  replaceDurably,
  writeDurably,
} from './file-system.ts';
import { KeyLock } from './key-lock.ts';
import { answeredPart, needPartChecksum, partChecksums, shownPart } from './part-checksums.ts';
import type { RootBodies } from './root-bodies.ts';
import type { RootPaths } from './root-paths.ts';
import { isUploadId, UploadIds } from './upload-ids.ts';
import { type IndexedUpload, UploadIndex } from './upload-index.ts';
import { uploadInfoOf } from './upload-info.ts';
import { checkSignal } from './write-rules.ts';

/** A part as its small JSON file (`<number>.json`) describes it; `file` is the name of its bytes beside it. */
export interface RootPart extends UploadedPart {
  readonly file: string;
}

export interface UploadSettings {
  /** Uploads under way at once. */
  readonly maxCount: number;
  /** Whether other processes may make and end uploads there too. */
  readonly shared: boolean;
}

const infoName = 'upload.json';
const smallFileLimitBytes = 1024 * 1024;

/**
 * Uploads under way: a directory each, with `upload.json`, and for each part its bytes and a JSON file that names them. The
 * directory appears and goes by one rename; a part is there when its JSON file is.
 */
export class RootUploads {
  private readonly uri: string;
  private readonly fs: FileSystem;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly ids: UploadIds;
  private readonly paths: RootPaths;
  private readonly bodies: RootBodies;
  private readonly settings: UploadSettings;
  private readonly index: UploadIndex;
  private readonly lock = new KeyLock();
  /** Being made at the moment. */
  private beginning = 0;

  constructor(
    uri: string,
    fs: FileSystem,
    clock: Clock,
    random: Random,
    paths: RootPaths,
    bodies: RootBodies,
    settings: UploadSettings,
  ) {
    this.uri = uri;
    this.fs = fs;
    this.clock = clock;
    this.random = random;
    this.ids = new UploadIds(clock, random);
    this.paths = paths;
    this.bodies = bodies;
    this.settings = settings;
    const directory = { names: () => this.idsThere(), read: (id: string) => this.readInfo(paths.upload(id)) };
    this.index = new UploadIndex(directory, settings.shared);
  }

  /** throttled, if too many are under way. */
  async create(key: string, options: CreateUploadOptions): Promise<UploadInfo> {
    await this.takeRoom(key);
    try {
      const info = await this.make(key, options);
      this.index.add(info);
      return info;
    } finally {
      this.beginning--;
    }
  }

  private async make(key: string, options: CreateUploadOptions): Promise<UploadInfo> {
    const info = uploadInfoOf(key, this.ids.next(), this.clock.nowMs(), options);
    const tmp = join(this.paths.tmp, info.uploadId);
    await this.fs.makeDirectory(tmp);
    try {
      await writeDurably(this.fs, join(tmp, infoName), [Buffer.from(JSON.stringify(info))]);
      await this.fs.syncDirectory(tmp);
      await this.fs.rename(tmp, this.paths.upload(info.uploadId));
    } catch (error) {
      await removeQuietly(this.fs, join(tmp, infoName));
      await this.fs.removeDirectory(tmp).catch(() => {});
      throw error;
    }
    await this.fs.syncDirectory(this.paths.uploads);
    return info;
  }

  /** no-such-upload, also for an upload of another key. */
  async get(key: string, uploadId: string): Promise<UploadInfo> {
    const info = isUploadId(uploadId) ? await this.readInfo(this.paths.upload(uploadId)) : undefined;
    if (info?.key !== key) throw this.noSuchUpload(key);
    return info;
  }

  private noSuchUpload(key: string): UfsError {
    return new UfsError('no-such-upload', 'there is no such upload', { backend: this.uri, key });
  }

  /** Of a directory of an upload, under way or completed; undefined if there is none, or it does not say what it is. */
  async readInfo(directory: string): Promise<UploadInfo | undefined> {
    try {
      return (await this.readJson(join(directory, infoName))) as UploadInfo | undefined;
    } catch (error) {
      if (error instanceof DamagedFileError) return undefined;
      throw error;
    }
  }

  list(options: ListUploadsOptions): Promise<ListUploadsPage> {
    return this.index.list(options);
  }

  /** All that are under way. */
  async all(): Promise<readonly IndexedUpload[]> {
    await this.index.look();
    return this.index.all();
  }

  /** Counts one more that is beginning, if there is room for it. */
  private async takeRoom(key: string): Promise<void> {
    const isFull = () => this.index.count + this.beginning >= this.settings.maxCount;
    // Others may have ended some of those that are known.
    if (isFull() || !this.index.isLoaded) await this.index.look();
    if (isFull()) {
      const message = `${this.settings.maxCount} uploads are under way: complete or abort some`;
      throw new UfsError('throttled', message, { backend: this.uri, key });
    }
    this.beginning++;
  }

  /** Of all uploads under way; none where there is no directory for them yet. */
  private async idsThere(): Promise<string[]> {
    try {
      return await this.fs.readDirectory(this.paths.uploads);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }

  async putPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UploadBody,
    { signal }: CallOptions,
  ): Promise<UploadedPart> {
    const upload = await this.get(key, uploadId);
    body.need('MD5');
    const algorithm = needPartChecksum(upload, body, this.uri);
    const tmp = this.paths.newTmp(this.random);
    await writeBody(this.fs, tmp, body, () => checkSignal(signal, this.uri, key));
    const part: RootPart = {
      partNumber,
      sizeBytes: body.sizeBytes,
      etag: body.digest('MD5').toString('hex'),
      lastModifiedMs: this.clock.nowMs(),
      checksums: partChecksums(body, algorithm),
      file: `${partNumber}.${this.random.bytes(8).toString('hex')}`,
    };
    try {
      await this.lock.run(uploadId, () => this.addPart(key, uploadId, part, tmp));
    } catch (error) {
      await removeQuietly(this.fs, tmp);
      throw error;
    }
    return answeredPart(upload, withoutFile(part), body);
  }

  async parts(uploadId: string): Promise<Map<number, RootPart>> {
    return new Map((await this.readParts(uploadId, await this.partNumbers(uploadId))).map(byNumber));
  }

  /** An upload with parts in order of number; reads no others. no-such-upload. */
  async listParts(
    key: string,
    uploadId: string,
    { afterPartNumber = 0, limit }: { readonly afterPartNumber?: number; readonly limit: number },
  ): Promise<{ upload: UploadInfo; parts: readonly UploadedPart[]; truncated: boolean }> {
    const upload = await this.get(key, uploadId);
    const numbers = (await this.partNumbers(uploadId)).filter((number) => number > afterPartNumber);
    const parts = await this.readParts(uploadId, numbers.sort((a, b) => a - b).slice(0, limit));
    const shown = parts.map((part) => shownPart(upload, withoutFile(part)));
    return { upload, parts: shown, truncated: numbers.length > limit };
  }

  private async partNumbers(uploadId: string): Promise<number[]> {
    const names = await this.fs.readDirectory(this.paths.upload(uploadId));
    return names.filter((name) => /^\d+\.json$/.test(name)).map((name) => Number.parseInt(name, 10));
  }

  private async readParts(uploadId: string, numbers: readonly number[]): Promise<RootPart[]> {
    const directory = this.paths.upload(uploadId);
    const parts = await mapBounded(numbers, 16, (number) => this.readJson(join(directory, `${number}.json`)));
    return (parts as (RootPart | undefined)[]).filter((part) => part !== undefined);
  }

  /**
   * `isObject` is asked, while nothing changes the upload, whether it was completed after all; then there is nothing to abort.
   */
  async abort(
    key: string,
    uploadId: string,
    isObject: (upload: UploadInfo) => Promise<boolean> = async () => false,
  ): Promise<void> {
    await this.exclusively(uploadId, async () => {
      if (await isObject(await this.get(key, uploadId))) throw this.noSuchUpload(key);
      await this.remove(uploadId, true);
    });
  }

  /** Takes an upload away with all its parts; `synced` for good at once. The caller has the upload to itself. */
  async remove(uploadId: string, synced: boolean): Promise<void> {
    await this.bodies.removeUploadDirectory(this.paths.upload(uploadId), synced);
    this.index.remove(uploadId);
  }

  /** Removes the uploads that nothing was done with for `idleMs`; not those of which `isObject` says that they are objects. */
  async removeIdle(idleMs: number, isObject: (upload: UploadInfo) => Promise<boolean>): Promise<void> {
    const beforeMs = this.clock.nowMs() - idleMs;
    await this.index.look();
    for (const { key, uploadId } of this.index.begunBefore(beforeMs)) {
      await this.exclusively(uploadId, async () => {
        // Its directory changes with each part.
        const { mtimeNs } = await this.fs.status(this.paths.upload(uploadId));
        if (Number(mtimeNs / 1_000_000n) >= beforeMs) return;
        if (!(await isObject(await this.get(key, uploadId)))) await this.remove(uploadId, true);
      }).catch(ignoreEnded);
    }
  }

  /** Runs `work` while nothing changes the upload. */
  exclusively<T>(uploadId: string, work: () => Promise<T>): Promise<T> {
    return this.lock.run(uploadId, work);
  }

  /**
   * Takes a completed upload out of those under way: its directory becomes the place of an object's body, without the files that
   * the object does not need.
   */
  async finish(uploadId: string, files: ReadonlySet<string>): Promise<void> {
    const from = this.paths.upload(uploadId);
    const to = this.paths.object(uploadId);
    await this.fs.rename(from, to);
    this.index.remove(uploadId);
    await this.fs.syncDirectory(this.paths.objects);
    await this.fs.syncDirectory(this.paths.uploads);
    await this.tidy(to, files);
  }

  /** Removes the files of a completed upload that its object does not need. */
  async tidy(directory: string, files: ReadonlySet<string>): Promise<void> {
    const names = await this.fs.readDirectory(directory);
    const needless = names.filter((name) => name !== infoName && !files.has(name));
    await mapBounded(needless, 16, (name) => this.fs.unlink(join(directory, name)));
    if (needless.length > 0) await this.fs.syncDirectory(directory);
  }

  /** Removes bytes of an upload under way that no part names, and all of it if it does not say what it is. */
  async removeOrphans(uploadId: string): Promise<void> {
    await this.exclusively(uploadId, async () => {
      if (!(await this.readInfo(this.paths.upload(uploadId)))) {
        return this.remove(uploadId, true);
      }
      const files = new Set([...(await this.parts(uploadId)).values()].map((part) => part.file));
      const directory = this.paths.upload(uploadId);
      for (const name of await this.fs.readDirectory(directory)) {
        if (!name.endsWith('.json') && !files.has(name)) await this.fs.unlink(join(directory, name));
      }
      await this.fs.syncDirectory(directory);
    });
  }

  private async addPart(key: string, uploadId: string, part: RootPart, tmp: string): Promise<void> {
    // The upload may have ended while the bytes came.
    await this.get(key, uploadId);
    const directory = this.paths.upload(uploadId);
    const jsonPath = join(directory, `${part.partNumber}.json`);
    const previous = (await this.readJson(jsonPath)) as RootPart | undefined;
    await this.fs.rename(tmp, join(directory, part.file));
    // The JSON file may name the bytes only when their own name is durable.
    await this.fs.syncDirectory(directory);
    const bytes = Buffer.from(JSON.stringify(part));
    await replaceDurably(this.fs, this.paths.newTmp(this.random), jsonPath, [bytes]);
    if (previous) await removeQuietly(this.fs, join(directory, previous.file));
  }

  private async readJson(path: string): Promise<unknown> {
    try {
      const bytes = await readWhole(this.fs, path, smallFileLimitBytes);
      return JSON.parse(bytes.toString());
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      if (error instanceof SyntaxError) throw new DamagedFileError(path, error);
      throw error;
    }
  }
}

class DamagedFileError extends FileSystemError {
  override name = 'DamagedFileError';
  constructor(path: string, cause: unknown) {
    super('EIO', `${path} is damaged`, { cause });
  }
}

/** Somebody completed or aborted it in the meantime. */
function ignoreEnded(error: unknown): void {
  const hasEnded = error instanceof UfsError && error.kind === 'no-such-upload';
  if (!hasEnded && !isErrno(error, 'ENOENT')) throw error;
}

function byNumber(part: RootPart): [number, RootPart] {
  return [part.partNumber, part];
}

export function withoutFile({ file: _, ...part }: RootPart): UploadedPart {
  return part;
}
