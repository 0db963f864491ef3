import { join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import type { UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { CallOptions, CreateUploadOptions, UploadedPart, UploadInfo } from './backend.ts';
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
import type { RootBodies } from './root-bodies.ts';
import type { RootPaths } from './root-paths.ts';
import { uploadInfoOf } from './upload-info.ts';
import { checkSignal, keptChecksums } from './write-rules.ts';

/** A part as its small JSON file (`<number>.json`) describes it; `file` is the name of its bytes beside it. */
export interface RootPart extends UploadedPart {
  readonly file: string;
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
  private readonly paths: RootPaths;
  private readonly bodies: RootBodies;
  private readonly lock = new KeyLock();

  constructor(
    uri: string,
    fs: FileSystem,
    clock: Clock,
    random: Random,
    paths: RootPaths,
    bodies: RootBodies,
  ) {
    this.uri = uri;
    this.fs = fs;
    this.clock = clock;
    this.random = random;
    this.paths = paths;
    this.bodies = bodies;
  }

  async create(key: string, options: CreateUploadOptions): Promise<UploadInfo> {
    const info = uploadInfoOf(key, this.random.uuid(), this.clock.nowMs(), options);
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
    if (info?.key !== key) {
      throw new UfsError('no-such-upload', 'there is no such upload', { backend: this.uri, key });
    }
    return info;
  }

  /** Of a directory of an upload, under way or completed; undefined if there is none. */
  async readInfo(directory: string): Promise<UploadInfo | undefined> {
    return (await this.readJson(join(directory, infoName))) as UploadInfo | undefined;
  }

  async list(): Promise<UploadInfo[]> {
    const ids = await this.ids();
    const infos = await mapBounded(ids, 16, (id) => this.readInfo(this.paths.upload(id)));
    return infos.filter((info) => info !== undefined);
  }

  /** Of all uploads under way; none where there is no directory for them yet. */
  private async ids(): Promise<string[]> {
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
    const { checksumAlgorithm } = await this.get(key, uploadId);
    body.need('MD5');
    if (checksumAlgorithm) body.need(checksumAlgorithm);
    const tmp = this.paths.newTmp(this.random);
    await writeBody(this.fs, tmp, body, () => checkSignal(signal, this.uri, key));
    const part: RootPart = {
      partNumber,
      sizeBytes: body.sizeBytes,
      etag: body.digest('MD5').toString('hex'),
      lastModifiedMs: this.clock.nowMs(),
      checksums: keptChecksums(body, checksumAlgorithm),
      file: `${partNumber}.${this.random.bytes(8).toString('hex')}`,
    };
    try {
      await this.lock.run(uploadId, () => this.addPart(key, uploadId, part, tmp));
    } catch (error) {
      await removeQuietly(this.fs, tmp);
      throw error;
    }
    return withoutFile(part);
  }

  async parts(uploadId: string): Promise<Map<number, RootPart>> {
    const directory = this.paths.upload(uploadId);
    const names = (await this.fs.readDirectory(directory)).filter((name) => /^\d+\.json$/.test(name));
    const parts = await mapBounded(names, 16, (name) => this.readJson(join(directory, name)));
    return new Map(
      (parts as (RootPart | undefined)[]).flatMap((part) => (part ? [[part.partNumber, part]] : [])),
    );
  }

  async abort(key: string, uploadId: string): Promise<void> {
    await this.exclusively(uploadId, async () => {
      await this.get(key, uploadId);
      await this.bodies.removeUploadDirectory(this.paths.upload(uploadId), true);
    });
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
        return this.bodies.removeUploadDirectory(this.paths.upload(uploadId), true);
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
      if (error instanceof SyntaxError)
        throw new FileSystemError('EIO', `${path} is damaged`, { cause: error });
      throw error;
    }
  }
}

/** An id is used as a name, so nothing but a UUID is one. */
export function isUploadId(uploadId: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uploadId);
}

export function withoutFile({ file: _, ...part }: RootPart): UploadedPart {
  return part;
}
