import { join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import { type FileSystem, isErrno, removeQuietly } from './file-system.ts';
import { ensureDirectory } from './root-layout.ts';
import type { RootPaths } from './root-paths.ts';

/** A temporary file that nobody has written to for so long belongs to no upload that goes on. */
const abandonedAfterMs = 24 * 3600 * 1000;

/** The `.forebay` directory of a tree, made when it is first needed, so that a tree that is only read stays as it is. */
export class TreeOwnDirectories {
  private readonly fs: FileSystem;
  private readonly clock: Clock;
  private readonly paths: RootPaths;
  private readonly meta: string;
  private ready: Promise<void> | undefined;

  constructor(fs: FileSystem, clock: Clock, paths: RootPaths, meta: string) {
    this.fs = fs;
    this.clock = clock;
    this.paths = paths;
    this.meta = meta;
  }

  async ensure(): Promise<void> {
    if (this.ready) {
      await this.ready;
      if (await this.isThere()) return;
    }
    const making = this.make();
    this.ready = making;
    try {
      await making;
    } catch (error) {
      if (this.ready === making) this.ready = undefined; // The next change tries again.
      throw error;
    }
  }

  async close(): Promise<void> {
    if (!this.ready) return;
    try {
      for (const name of await this.fs.readDirectory(this.paths.tmp)) {
        await removeQuietly(this.fs, join(this.paths.tmp, name));
      }
      await this.fs.removeDirectory(this.paths.tmp);
    } catch {
      // What stays behind is removed by a later process, when it is old.
    }
  }

  /** Somebody may have cleared `.forebay` away, which is made again then. */
  private async isThere(): Promise<boolean> {
    try {
      await this.fs.status(this.paths.tmp);
      return true;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }

  private async make(): Promise<void> {
    const { own, allTmp, tmp, uploads } = this.paths;
    for (const path of [own, allTmp, tmp, uploads, this.meta]) await ensureDirectory(this.fs, path);
    // A process that was killed may have made them without making their entries durable.
    await this.fs.syncDirectory(this.paths.root);
    await this.fs.syncDirectory(own);
    await this.removeAbandoned();
  }

  /** Other processes may have the tree open too, so only what is old is taken for abandoned. */
  private async removeAbandoned(): Promise<void> {
    const before = BigInt(this.clock.nowMs() - abandonedAfterMs) * 1_000_000n;
    for (const run of await this.fs.readDirectory(this.paths.allTmp)) {
      const directory = join(this.paths.allTmp, run);
      if (directory === this.paths.tmp) continue;
      try {
        for (const name of await this.fs.readDirectory(directory)) {
          const path = join(directory, name);
          if ((await this.fs.linkStatus(path)).mtimeNs < before) await removeQuietly(this.fs, path);
        }
      } catch (error) {
        if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
      }
    }
  }
}
