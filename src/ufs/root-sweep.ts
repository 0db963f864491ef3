import { join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import type { DirectoryKeeper } from './directory-keeper.ts';
import { type FileSystem, isErrno, removeQuietly } from './file-system.ts';
import type { RootBodies } from './root-bodies.ts';
import type { RootCommits } from './root-commits.ts';
import { bodyName, parseName, recordName } from './root-names.ts';
import type { RootPaths } from './root-paths.ts';
import type { RootUploads } from './root-uploads.ts';

/** How many directory entries are looked at before a pause. */
const burstCount = 200;

/**
 * Removes, after a stop that was not clean, what a killed process left behind: temporary files, bodies that no record names, bytes
 * that no part names, and empty directories. Works beside everything else, at a bounded rate, and never touches what is in use.
 */
export class RootSweep {
  private readonly fs: FileSystem;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly paths: RootPaths;
  private readonly bodies: RootBodies;
  private readonly commits: RootCommits;
  private readonly uploads: RootUploads;
  private readonly keeper: DirectoryKeeper;
  private readonly entriesPerSecond: number;
  private readonly stopping = new AbortController();
  private seenCount = 0;

  constructor(
    fs: FileSystem,
    clock: Clock,
    log: Log,
    paths: RootPaths,
    bodies: RootBodies,
    commits: RootCommits,
    uploads: RootUploads,
    keeper: DirectoryKeeper,
    settings: { readonly entriesPerSecond: number },
  ) {
    this.fs = fs;
    this.clock = clock;
    this.log = log;
    this.paths = paths;
    this.bodies = bodies;
    this.commits = commits;
    this.uploads = uploads;
    this.keeper = keeper;
    this.entriesPerSecond = settings.entriesPerSecond;
  }

  /** True when everything was looked at; false if it was stopped, or could not go on. Does not reject. */
  async run(): Promise<boolean> {
    try {
      await this.sweepTmp();
      await this.sweepUploads();
      await this.sweepObjects();
      await this.sweepFolder([]);
      return true;
    } catch (error) {
      if (!this.stopping.signal.aborted) this.log.warn({ err: error }, 'sweeping the root mount failed');
      return false;
    }
  }

  stop(): void {
    this.stopping.abort(new Error('the root is being closed'));
  }

  /** Waits after each burst, so that a sweep takes a small part of the disk's time. */
  private async pace(): Promise<void> {
    this.stopping.signal.throwIfAborted();
    this.seenCount++;
    if (this.seenCount % burstCount > 0) return;
    await this.clock.sleep((burstCount / this.entriesPerSecond) * 1000, this.stopping.signal);
  }

  private async sweepTmp(): Promise<void> {
    for (const run of await this.fs.readDirectory(this.paths.allTmp)) {
      const path = join(this.paths.allTmp, run);
      if (path !== this.paths.tmp) await this.removeTree(path);
    }
    await this.fs.syncDirectory(this.paths.allTmp);
  }

  private async sweepUploads(): Promise<void> {
    for (const uploadId of await this.fs.readDirectory(this.paths.uploads)) {
      await this.pace();
      await this.uploads.removeOrphans(uploadId).catch(ignoreGone);
    }
  }

  private async sweepObjects(): Promise<void> {
    for (const uploadId of await this.fs.readDirectory(this.paths.objects)) {
      await this.pace();
      const directory = this.paths.object(uploadId);
      const info = await this.uploads.readInfo(directory);
      if (!info) continue;
      await this.commits.exclusively(info.key, async () => {
        const record = await this.commits.findBody(info.key, uploadId);
        if (record) {
          const files = new Set(record.parts?.map((part) => part.file));
          await this.uploads.tidy(directory, files).catch(ignoreGone);
        } else if (!(await this.commits.hasDamage(info.key))) {
          // What a damaged record names nobody knows, so what may be its body stays.
          await this.bodies.removeParts(uploadId, true).catch(ignoreGone);
        }
      });
    }
  }

  private async sweepFolder(directories: readonly string[]): Promise<void> {
    const path = join(this.paths.root, ...directories);
    const names = await this.namesOf(path);
    if (!names) return;
    let removed = false;
    for (const name of names.sort(compareUtf8)) {
      await this.pace();
      const stored = parseName(name);
      if (stored?.kind === 'body' && (await this.sweepBody(directories, stored.name, stored.id)))
        removed = true;
      if (stored?.kind === 'history') await this.commits.settle(keyOf(directories, stored.text));
      if (stored?.kind === 'folder' || stored?.kind === 'continuation') {
        await this.sweepFolder([...directories, name]);
      }
    }
    // What was removed must not come back after the root was closed as clean.
    if (removed) await this.fs.syncDirectory(path).catch(ignoreGone);
    // What was swept inside may have been the last there was.
    if (directories.length > 0 && (await this.namesOf(path))?.length === 0)
      await this.removeEmpty(directories);
  }

  private async sweepBody(
    directories: readonly string[],
    name: string,
    generation: string,
  ): Promise<boolean> {
    const { text } = parseName(recordName(name)) as { readonly text: string };
    const key = keyOf(directories, text);
    const isOrphan = async () => {
      if (this.bodies.isUncommitted(generation) || (await this.commits.findBody(key, generation)))
        return false;
      return !(await this.commits.hasDamage(key));
    };
    if (!(await isOrphan())) return false;
    return this.commits.exclusively(key, async () => {
      // A writer that placed the body when the directory was read may have committed it meanwhile; and what is an orphan now stays one,
      // since only the process that placed a body commits it.
      if (!(await isOrphan())) return false;
      await removeQuietly(this.fs, join(this.paths.root, ...directories, bodyName(name, generation)));
      return true;
    });
  }

  private async removeEmpty(directories: readonly string[]): Promise<void> {
    await this.keeper.release(await this.keeper.hold(directories), true);
    for (let depth = directories.length - 1; depth >= 0; depth--) {
      const path = join(this.paths.root, ...directories.slice(0, depth));
      try {
        return await this.fs.syncDirectory(path);
      } catch (error) {
        ignoreGone(error); // It was the only one in its own parent, which is gone too.
      }
    }
  }

  /** Undefined for something that is no directory; it is not the sweep's to remove. */
  private async namesOf(path: string): Promise<string[] | undefined> {
    try {
      return await this.fs.readDirectory(path);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      if (isErrno(error, 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  private async removeTree(path: string): Promise<void> {
    await this.pace();
    const { kind } = await this.fs.linkStatus(path);
    if (kind !== 'directory') return this.fs.unlink(path);
    for (const name of await this.fs.readDirectory(path)) await this.removeTree(join(path, name));
    await this.fs.removeDirectory(path);
  }
}

/** The key of a record in nested directories; `text` is what its own name adds. */
function keyOf(directories: readonly string[], text: string): string {
  const texts = directories.map((name) => (parseName(name) as { readonly text: string }).text);
  return texts.join('') + text;
}

/** Somebody else took it away in the meantime, which is all that was wanted. */
function ignoreGone(error: unknown): void {
  if (!isErrno(error, 'ENOENT')) throw error;
}
