import { join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import type { CreateUploadOptions, UploadInfo } from '../ufs/backend.ts';
import { type FileSystem, isErrno, readWhole, removeQuietly, replaceDurably } from '../ufs/file-system.ts';
import { KeyLock } from '../ufs/key-lock.ts';
import { isUploadId, UploadIds } from '../ufs/upload-ids.ts';
import { uploadInfoOf } from '../ufs/upload-info.ts';
import type { BodyFiles } from './body-files.ts';
import { entryBytes } from './pending-entry.ts';
import type { HeldPart } from './records.ts';

/** Marks ids of uploads that are held here; a storage's own are anything else. */
const idPrefix = 'held-';
const infoName = 'upload.json';
const tmpName = 'new';
const smallFileBytes = 1024 * 1024;
export const maxHeldUploads = 10_000;

/** An upload under way. */
export interface HeldUpload {
  /** Names the place at a storage that the key belongs to. */
  readonly chain: string;
  readonly info: UploadInfo;
  /** The storage's own upload that its parts go to, since there is no room for them here. */
  movedTo?: string;
  readonly parts: Map<number, HeldPart>;
  /** When something was done with it in this process that leaves no trace here, ms since the Unix epoch. */
  touchedMs?: number;
}

/**
 * Uploads whose parts lie here until they are completed: a folder each, with `upload.json` and a small JSON file for each part, which names the
 * file of its bytes. All that is there is kept in memory too. What changes is durable when a call returns; rejects with `FileSystemError`.
 */
export class HeldUploads {
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #bodies: BodyFiles;
  readonly #path: string;
  readonly #ids: UploadIds;
  readonly #uploads = new Map<string, HeldUpload>();
  readonly #lock = new KeyLock();

  private constructor(fs: FileSystem, clock: Clock, random: Random, bodies: BodyFiles, path: string) {
    this.#fs = fs;
    this.#clock = clock;
    this.#bodies = bodies;
    this.#path = path;
    this.#ids = new UploadIds(clock, random);
  }

  /** The folder is there. Uploads that were completed and not removed yet go. */
  static async open(
    fs: FileSystem,
    clock: Clock,
    random: Random,
    bodies: BodyFiles,
    path: string,
    completed: ReadonlySet<string>,
  ): Promise<HeldUploads> {
    const uploads = new HeldUploads(fs, clock, random, bodies, path);
    for (const name of await fs.readDirectory(path)) {
      const found = completed.has(name) || !isHeldUpload(name) ? undefined : await uploads.#read(name);
      if (found) uploads.#uploads.set(name, found);
      else await uploads.#removeFolder(name);
    }
    return uploads;
  }

  /** What all of them take of the journal's capacity. */
  get sizeBytes(): number {
    let bytes = 0;
    for (const { parts } of this.#uploads.values()) {
      bytes += entryBytes;
      for (const part of parts.values()) bytes += entryBytes + part.sizeBytes;
    }
    return bytes;
  }

  get count(): number {
    return this.#uploads.size;
  }

  /** Names of the files of all parts. */
  *files(): Generator<string> {
    for (const { parts } of this.#uploads.values()) for (const { file } of parts.values()) yield file;
  }

  /** Those of one place, in no order. */
  of(chain: string): HeldUpload[] {
    return [...this.#uploads.values()].filter((upload) => upload.chain === chain);
  }

  /** Undefined also for an upload of another key. */
  find(chain: string, key: string, uploadId: string): HeldUpload | undefined {
    const upload = this.#uploads.get(uploadId);
    return upload?.chain === chain && upload.info.key === key ? upload : undefined;
  }

  /** Runs `work` while nothing else changes the upload. */
  exclusively<T>(uploadId: string, work: () => Promise<T>): Promise<T> {
    return this.#lock.run(uploadId, work);
  }

  async create(chain: string, key: string, options: CreateUploadOptions): Promise<HeldUpload> {
    const info = uploadInfoOf(key, idPrefix + this.#ids.next(), this.#clock.nowMs(), options);
    const upload: HeldUpload = { chain, info, parts: new Map() };
    await this.#fs.makeDirectory(this.#folderOf(upload));
    try {
      await this.#writeInfo(upload);
      await this.#fs.syncDirectory(this.#path);
    } catch (error) {
      await this.#removeFolder(info.uploadId);
      throw error;
    }
    this.#uploads.set(info.uploadId, upload);
    return upload;
  }

  /** Gives the part whose place it took, whose bytes are gone. The caller has the upload to itself. */
  async addPart(upload: HeldUpload, part: HeldPart): Promise<HeldPart | undefined> {
    await this.#replace(upload, partName(part.partNumber), part);
    const before = upload.parts.get(part.partNumber);
    upload.parts.set(part.partNumber, part);
    if (before) await this.#bodies.remove(before.file);
    return before;
  }

  /** From now on its parts go to the storage's own upload. The caller has the upload to itself. */
  async move(upload: HeldUpload, movedTo: string): Promise<void> {
    await this.#writeInfo({ ...upload, movedTo });
    upload.movedTo = movedTo;
  }

  async removePart(upload: HeldUpload, { partNumber, file }: HeldPart): Promise<void> {
    const folder = this.#folderOf(upload);
    await removeQuietly(this.#fs, join(folder, partName(partNumber)));
    await this.#fs.syncDirectory(folder);
    upload.parts.delete(partNumber);
    await this.#bodies.remove(file);
  }

  /** Takes it away with the bytes of its parts, but for the files in `kept`. False if it has gone already. */
  async remove(upload: HeldUpload, kept: ReadonlySet<string> = new Set()): Promise<boolean> {
    if (!this.#uploads.delete(upload.info.uploadId)) return false;
    await this.#removeFolder(upload.info.uploadId);
    for (const { file } of upload.parts.values()) if (!kept.has(file)) await this.#bodies.remove(file);
    return true;
  }

  /** Its parts went to the storage, or were asked for there. */
  touch(upload: HeldUpload): void {
    upload.touchedMs = this.#clock.nowMs();
  }

  /** Those that nothing was done with since then, milliseconds since the Unix epoch. */
  idleSince(timeMs: number): HeldUpload[] {
    return [...this.#uploads.values()].filter(({ info, parts, touchedMs = 0 }) =>
      [info.initiatedMs, touchedMs, ...[...parts.values()].map((part) => part.lastModifiedMs)].every(
        (ms) => ms < timeMs,
      ),
    );
  }

  /** Names of the places that there are any of. */
  places(): Set<string> {
    return new Set([...this.#uploads.values()].map(({ chain }) => chain));
  }

  async #read(name: string): Promise<HeldUpload | undefined> {
    const folder = join(this.#path, name);
    const upload = (await this.#readJson(join(folder, infoName))) as HeldUpload | undefined;
    if (!upload) return undefined;
    const parts = new Map<number, HeldPart>();
    for (const one of await this.#fs.readDirectory(folder)) {
      if (!/^\d+\.json$/.test(one)) continue;
      const part = (await this.#readJson(join(folder, one))) as HeldPart | undefined;
      // One without its bytes is as if it had never come: Complete says which.
      if (part && (await this.#bodies.has(part.file, part.sizeBytes))) parts.set(part.partNumber, part);
    }
    // What became of it while there was no process is not known.
    return { ...upload, parts, ...(upload.movedTo === undefined ? {} : { touchedMs: this.#clock.nowMs() }) };
  }

  async #readJson(path: string): Promise<unknown> {
    try {
      return JSON.parse((await readWhole(this.#fs, path, smallFileBytes)).toString());
    } catch (error) {
      if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  #writeInfo({ chain, info, movedTo }: HeldUpload): Promise<void> {
    const upload = { chain, info, ...(movedTo === undefined ? {} : { movedTo }) };
    return this.#replace({ info }, infoName, upload);
  }

  /** One at a time for each upload. */
  async #replace(upload: Pick<HeldUpload, 'info'>, name: string, content: object): Promise<void> {
    const folder = this.#folderOf(upload);
    // What an earlier process was writing may be there.
    await removeQuietly(this.#fs, join(folder, tmpName));
    const bytes = Buffer.from(JSON.stringify(content));
    await replaceDurably(this.#fs, join(folder, tmpName), join(folder, name), [bytes]);
  }

  /** Without `upload.json` it is none, whatever else is left of it. */
  async #removeFolder(name: string): Promise<void> {
    const folder = join(this.#path, name);
    await removeQuietly(this.#fs, join(folder, infoName));
    await this.#fs.syncDirectory(folder).catch(() => undefined);
    for (const one of await this.#fs.readDirectory(folder).catch(() => [])) {
      await removeQuietly(this.#fs, join(folder, one));
    }
    await this.#fs.removeDirectory(folder).catch(() => undefined);
  }

  #folderOf({ info }: Pick<HeldUpload, 'info'>): string {
    return join(this.#path, info.uploadId);
  }
}

export function isHeldUpload(uploadId: string): boolean {
  return uploadId.startsWith(idPrefix) && isUploadId(uploadId.slice(idPrefix.length));
}

function partName(partNumber: number): string {
  return `${partNumber}.json`;
}
