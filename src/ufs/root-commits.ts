import { dirname } from 'node:path';
import type { Clock } from '../common/clock.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { CallOptions, WriteCondition } from './backend.ts';
import { type FileSystem, replaceDurably } from './file-system.ts';
import { KeyLock } from './key-lock.ts';
import type { RootBodies } from './root-bodies.ts';
import type { RootFolders } from './root-folders.ts';
import type { RootPaths } from './root-paths.ts';
import {
  encodeRecord,
  type LoadedRecord,
  loadRecord,
  metaOf,
  type StoredPart,
  type StoredVersion,
} from './root-record.ts';
import { checkCondition, checkSignal, nextModifiedMs } from './write-rules.ts';

export interface CommitOptions extends CallOptions {
  readonly condition?: WriteCondition;
  readonly beforeCommit?: () => Promise<void>;
}

/** A version that is ready to be made visible, but for its time. */
export interface NewVersion {
  readonly version: Omit<StoredVersion, 'lastModifiedMs'>;
  readonly parts?: readonly StoredPart[];
  readonly inlineBody?: Buffer;
  /** Runs after the commit, before any other change of the key. */
  readonly afterCommit?: () => Promise<void>;
}

/** Changes of records: each is one atomic rename or unlink, under the key's lock, so that conditions hold at the very change. */
export class RootCommits {
  private readonly uri: string;
  private readonly fs: FileSystem;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly paths: RootPaths;
  private readonly folders: RootFolders;
  private readonly bodies: RootBodies;
  private readonly lock = new KeyLock();

  constructor(
    uri: string,
    fs: FileSystem,
    clock: Clock,
    random: Random,
    paths: RootPaths,
    folders: RootFolders,
    bodies: RootBodies,
  ) {
    this.uri = uri;
    this.fs = fs;
    this.clock = clock;
    this.random = random;
    this.paths = paths;
    this.folders = folders;
    this.bodies = bodies;
  }

  load(key: string, want?: { parts?: boolean; inlineBody?: boolean }): Promise<LoadedRecord | undefined> {
    return loadRecord(this.fs, this.paths.record(key), want);
  }

  /** Fails early, before a body is read, where the condition fails already. */
  async checkEarly(key: string, { condition, signal }: CommitOptions): Promise<void> {
    checkSignal(signal, this.uri, key);
    if (condition) checkCondition(condition, (await this.load(key))?.current, this.uri, key);
  }

  /** Makes a version visible. The key's directories are held by the caller. */
  async commit(key: string, options: CommitOptions, made: NewVersion): Promise<ObjectMeta> {
    await options.beforeCommit?.();
    return this.lock.run(key, async () => {
      const previous = await this.load(key);
      checkSignal(options.signal, this.uri, key);
      checkCondition(options.condition, previous?.current, this.uri, key);
      const lastModifiedMs = nextModifiedMs(this.clock.nowMs(), previous?.current.lastModifiedMs);
      const current = { ...made.version, lastModifiedMs };
      const head = encodeRecord(current, made.parts);
      await this.replaceRecord(key, made.inlineBody ? [head, made.inlineBody] : [head], !previous);
      await made.afterCommit?.();
      if (previous) await this.bodies.remove(key, previous.current);
      return metaOf({ current, parts: made.parts });
    });
  }

  /** Removes a key's record. The directories are held by the caller. */
  async remove(key: string, options: CommitOptions): Promise<void> {
    await this.lock.run(key, async () => {
      const previous = await this.load(key);
      checkSignal(options.signal, this.uri, key);
      checkCondition(options.condition, previous?.current, this.uri, key);
      if (!previous) return;
      const path = this.paths.record(key);
      await this.fs.unlink(path);
      this.folders.changed(dirname(path));
      await this.fs.syncDirectory(dirname(path));
      await this.bodies.remove(key, previous.current);
    });
  }

  /**
   * Removes a body that was placed for a version whose commit failed, unless the commit came so far that a record names it.
   */
  async giveUp(key: string, generation: string): Promise<void> {
    await this.lock.run(key, async () => {
      const record = await this.load(key);
      await this.bodies.settle(key, generation, record?.current.generation === generation);
    });
  }

  /** Runs `work` while nothing changes the key. */
  exclusively<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.lock.run(key, work);
  }

  private async replaceRecord(key: string, pieces: readonly Buffer[], isNew: boolean): Promise<void> {
    const path = this.paths.record(key);
    try {
      await replaceDurably(this.fs, this.paths.newTmp(this.random), path, pieces);
    } finally {
      // Also after a fault, which may have come behind the rename.
      if (isNew) this.folders.changed(dirname(path));
    }
  }
}
