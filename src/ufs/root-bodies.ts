import { dirname, join } from 'node:path';
import type { ByteRange } from '../common/byte-range.ts';
import type { Random } from '../common/random.ts';
import { readRange } from './body-file.ts';
import { type FileSystem, isErrno, type OpenFile, removeQuietly } from './file-system.ts';
import type { RootPaths } from './root-paths.ts';
import type { StoredPart, StoredVersion } from './root-record.ts';

/**
 * The bodies that lie outside records: files beside them, and the directories of completed uploads. A body never changes once it is
 * there; one that no record names any more is removed.
 */
export class RootBodies {
  private readonly fs: FileSystem;
  private readonly random: Random;
  private readonly paths: RootPaths;
  /** Bodies put in place whose record is not committed yet: no orphans. */
  private readonly uncommitted = new Set<string>();
  /** Upload directories that readers are in, which go from file to file, and those to be removed after the last reader. */
  private readonly readers = new Map<string, number>();
  private readonly doomed = new Set<string>();

  constructor(fs: FileSystem, random: Random, paths: RootPaths) {
    this.fs = fs;
    this.random = random;
    this.paths = paths;
  }

  /** Moves a durable file, or gives it a second name, to be the body of a version that is about to be committed. */
  async place(from: string, key: string, generation: string, how: 'move' | 'link'): Promise<void> {
    const to = this.paths.body(key, generation);
    this.uncommitted.add(generation);
    try {
      if (how === 'move') await this.fs.rename(from, to);
      else await this.fs.link(from, to);
      // The record may name the body only when the body's own name is durable.
      await this.fs.syncDirectory(dirname(to));
    } catch (error) {
      await removeQuietly(this.fs, to);
      this.uncommitted.delete(generation);
      throw error;
    }
  }

  isUncommitted(generation: string): boolean {
    return this.uncommitted.has(generation);
  }

  /** The record of a placed body is there, or never will be: then the body is removed. */
  async settle(key: string, generation: string, committed: boolean): Promise<void> {
    if (!committed) await removeQuietly(this.fs, this.paths.body(key, generation));
    this.uncommitted.delete(generation);
  }

  /** Removes the body of a version that no record names any more. A failure leaves it to the sweep. */
  async remove(key: string, version: StoredVersion): Promise<void> {
    // Whoever reads it has it open, and reads on.
    if (version.body === 'file') await removeQuietly(this.fs, this.paths.body(key, version.generation));
    if (version.body === 'parts' && version.uploadId) {
      await this.removeParts(version.uploadId, false).catch(() => {});
    }
  }

  /** Removes the parts of a completed upload, after the last of their readers; with `synced`, at once for good. */
  async removeParts(uploadId: string, synced: boolean): Promise<void> {
    if (this.readers.has(uploadId)) this.doomed.add(uploadId);
    else await this.removeUploadDirectory(this.paths.object(uploadId), synced);
  }

  /** True while something lies there that only readers still keep. */
  get hasDoomed(): boolean {
    return this.doomed.size > 0;
  }

  /**
   * Takes a directory of parts away in one step, and then its files. It is gone for good, also after a power loss, when the parent
   * directory has been synced.
   */
  async removeUploadDirectory(path: string, synced = false): Promise<void> {
    const away = this.paths.newTmp(this.random);
    await this.fs.rename(path, away);
    if (synced) await this.fs.syncDirectory(dirname(path));
    for (const name of await this.fs.readDirectory(away)) await this.fs.unlink(join(away, name));
    await this.fs.removeDirectory(away);
  }

  /** The bytes of a body file; undefined at once if it is not there any more. */
  async openFile(key: string, generation: string): Promise<OpenFile | undefined> {
    return this.open(this.paths.body(key, generation));
  }

  /** Keeps the parts of an upload where they are until `leaveParts`; false if they are not there any more. */
  async holdParts(uploadId: string): Promise<boolean> {
    this.readers.set(uploadId, (this.readers.get(uploadId) ?? 0) + 1);
    try {
      for (const directory of this.placesOf(uploadId)) if (await this.isThere(directory)) return true;
    } catch (error) {
      await this.leaveParts(uploadId);
      throw error;
    }
    await this.leaveParts(uploadId);
    return false;
  }

  async leaveParts(uploadId: string): Promise<void> {
    const others = (this.readers.get(uploadId) ?? 1) - 1;
    if (others > 0) {
      this.readers.set(uploadId, others);
      return;
    }
    this.readers.delete(uploadId);
    if (!this.doomed.delete(uploadId)) return;
    await this.removeUploadDirectory(this.paths.object(uploadId)).catch(() => {});
  }

  /** The bytes of a range over parts that are held. Gives false where a part is not there. */
  async *readParts(
    uploadId: string,
    parts: readonly StoredPart[],
    range: ByteRange,
    check: () => void,
  ): AsyncGenerator<Buffer, boolean> {
    let partStart = 0;
    for (const part of parts) {
      const start = Math.max(range.start - partStart, 0);
      const end = Math.min(range.end - partStart, part.sizeBytes);
      partStart += part.sizeBytes;
      if (start >= end) continue;
      const file = await this.openPart(uploadId, part.file);
      if (!file) return false;
      try {
        yield* readRange(file, part.file, { start, end }, check);
      } finally {
        await file.close();
      }
    }
    return true;
  }

  private async openPart(uploadId: string, name: string): Promise<OpenFile | undefined> {
    for (const directory of this.placesOf(uploadId)) {
      const file = await this.open(join(directory, name));
      if (file) return file;
    }
    return undefined;
  }

  /**
   * Where to look for the parts of an object. Between the commit and the move of their directory they are still where they were
   * uploaded to. The move may come between two looks, but not twice.
   */
  private placesOf(uploadId: string): readonly string[] {
    const moved = this.paths.object(uploadId);
    return [moved, this.paths.upload(uploadId), moved];
  }

  private async isThere(path: string): Promise<boolean> {
    try {
      await this.fs.status(path);
      return true;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }

  private async open(path: string): Promise<OpenFile | undefined> {
    try {
      return await this.fs.openForReading(path, 'read');
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }
}
