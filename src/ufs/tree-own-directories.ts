import { dirname, join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import { UfsError } from './errors.ts';
import { type FileStatus, type FileSystem, isErrno, removeQuietly } from './file-system.ts';
import type { RootPaths } from './root-paths.ts';

/** A temporary file that nobody has written to for so long belongs to no upload that goes on. */
const abandonedAfterMs = 24 * 3600 * 1000;

/**
 * The `.forebay` directory of a tree, made when it is first needed, so that a tree that is only read stays as it is. Others can write
 * there too: what is no directory in the place of one, a link above all, is not used. Every refusal is `unavailable`.
 */
export class TreeOwnDirectories {
  private readonly uri: string;
  private readonly fs: FileSystem;
  private readonly clock: Clock;
  private readonly paths: RootPaths;
  /** From the outermost inwards. */
  private readonly all: readonly string[];
  private ready: Promise<void> | undefined;

  constructor(uri: string, fs: FileSystem, clock: Clock, paths: RootPaths, meta: string) {
    this.uri = uri;
    this.fs = fs;
    this.clock = clock;
    this.paths = paths;
    this.all = [paths.own, paths.allTmp, paths.tmp, paths.uploads, meta];
  }

  /** For changes that need the directories: rejects if the tree is not there, since then there is nothing to make them in. */
  async ensure(): Promise<void> {
    if (this.ready) {
      await this.ready;
      if (await this.areThere()) return;
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

  /** For calls that need none of the directories, but use those that are there. Makes nothing. */
  async check(): Promise<void> {
    if (!(await this.areThere())) await this.requireRoot();
  }

  /** Rejects if the tree itself is not there. */
  async requireRoot(): Promise<void> {
    const status = await this.find(() => this.fs.status(this.paths.root));
    if (status?.kind !== 'directory') throw this.refusal(`${this.paths.root} is not there`, true);
  }

  /** Rejects if there is something else than a directory at `path`; gives whether there is one. */
  async isDirectory(path: string): Promise<boolean> {
    const status = await this.find(() => this.fs.linkStatus(path));
    if (!status) return false;
    if (status.kind === 'directory') return true;
    const what = { file: 'a file', link: 'a link', other: 'something else' }[status.kind];
    throw this.refusal(`${path} is to be a directory of Forebay's own, and is ${what}`, false);
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

  /** Somebody may have cleared `.forebay` away, which is made again then, or put something else in its place. */
  private async areThere(): Promise<boolean> {
    const found = await Promise.all(this.all.map((path) => this.isDirectory(path)));
    return found.every((one) => one);
  }

  private async make(): Promise<void> {
    for (const path of this.all) await this.makeOne(path);
    // A process that was killed may have made them without making their entries durable.
    await this.fs.syncDirectory(this.paths.root);
    await this.fs.syncDirectory(this.paths.own);
    await this.removeAbandoned();
  }

  private async makeOne(path: string): Promise<void> {
    try {
      await this.fs.makeDirectory(path);
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) await this.requireRoot();
      if (isErrno(error, 'EEXIST') && (await this.isDirectory(path))) return;
      throw error;
    }
    await this.fs.syncDirectory(dirname(path));
  }

  /** Other processes may have the tree open too, so only what is old is taken for abandoned. */
  private async removeAbandoned(): Promise<void> {
    const before = BigInt(this.clock.nowMs() - abandonedAfterMs) * 1_000_000n;
    for (const { name: run, kind } of await this.fs.readEntries(this.paths.allTmp)) {
      const directory = join(this.paths.allTmp, run);
      if (kind !== 'directory' || directory === this.paths.tmp) continue;
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

  private async find(ask: () => Promise<FileStatus>): Promise<FileStatus | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  private refusal(message: string, retryable: boolean): UfsError {
    return new UfsError('unavailable', message, { backend: this.uri, retryable });
  }
}
