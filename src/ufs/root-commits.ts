import { dirname } from 'node:path';
import type { Clock } from '../common/clock.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { CallOptions, WriteCondition } from './backend.ts';
import type { DamagedRecords } from './damaged-records.ts';
import { type FileSystem, isErrno, removeQuietly, replaceDurably } from './file-system.ts';
import { KeyLock } from './key-lock.ts';
import type { RootBodies } from './root-bodies.ts';
import type { RootFolders } from './root-folders.ts';
import type { RootPaths } from './root-paths.ts';
import {
  DamagedRecordError,
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
  private readonly damaged: DamagedRecords;
  private readonly lock = new KeyLock();

  constructor(
    uri: string,
    fs: FileSystem,
    clock: Clock,
    random: Random,
    paths: RootPaths,
    folders: RootFolders,
    bodies: RootBodies,
    damaged: DamagedRecords,
  ) {
    this.uri = uri;
    this.fs = fs;
    this.clock = clock;
    this.random = random;
    this.paths = paths;
    this.folders = folders;
    this.bodies = bodies;
    this.damaged = damaged;
  }

  load(key: string, want?: { parts?: boolean; inlineBody?: boolean }): Promise<LoadedRecord | undefined> {
    return loadRecord(this.fs, this.paths.record(key), want);
  }

  /** As `load`, for changes, which a damaged record does not stop: it is given instead of being thrown. */
  async present(
    key: string,
    want?: { parts?: boolean; inlineBody?: boolean },
  ): Promise<LoadedRecord | DamagedRecordError | undefined> {
    try {
      return await this.load(key, want);
    } catch (error) {
      if (error instanceof DamagedRecordError) return error;
      throw error;
    }
  }

  /** Fails early, before a body is read, where the condition fails already. */
  async checkEarly(key: string, { condition, signal }: CommitOptions): Promise<void> {
    checkSignal(signal, this.uri, key);
    if (condition) this.check(key, condition, await this.present(key));
  }

  /** Makes a version visible. The key's directories are held by the caller. */
  async commit(key: string, options: CommitOptions, made: NewVersion): Promise<ObjectMeta> {
    await options.beforeCommit?.();
    return this.lock.run(key, async () => {
      const previous = await this.present(key);
      checkSignal(options.signal, this.uri, key);
      this.check(key, options.condition, previous);
      const known = previous instanceof DamagedRecordError ? undefined : previous?.current;
      const lastModifiedMs = nextModifiedMs(this.clock.nowMs(), known?.lastModifiedMs);
      const current = { ...made.version, lastModifiedMs };
      await this.replaceRecord(key, encodeRecord(current, made.parts, made.inlineBody), !previous);
      await made.afterCommit?.();
      await this.leave(key, previous);
      return metaOf({ current, parts: made.parts });
    });
  }

  /** Removes a key's record. The directories are held by the caller. */
  async remove(key: string, options: CommitOptions): Promise<void> {
    await this.lock.run(key, async () => {
      const previous = await this.present(key);
      checkSignal(options.signal, this.uri, key);
      this.check(key, options.condition, previous);
      if (!previous) return;
      const path = this.paths.record(key);
      if (previous instanceof DamagedRecordError) await this.moveAway(path);
      else await this.fs.unlink(path);
      this.folders.changed(dirname(path));
      await this.fs.syncDirectory(dirname(path));
      await this.leave(key, previous);
    });
  }

  /**
   * Removes a body that was placed for a version whose commit failed, unless the commit came so far that a record names it.
   */
  async giveUp(key: string, generation: string): Promise<void> {
    await this.lock.run(key, async () => {
      const record = await this.present(key);
      // What a damaged record names nobody knows, so the body stays.
      const named = record instanceof DamagedRecordError || record?.current.generation === generation;
      await this.bodies.settle(key, generation, named);
    });
  }

  /** Runs `work` while nothing changes the key. */
  exclusively<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.lock.run(key, work);
  }

  private check(
    key: string,
    condition: WriteCondition | undefined,
    present: LoadedRecord | DamagedRecordError | undefined,
  ): void {
    if (!(present instanceof DamagedRecordError)) {
      checkCondition(condition, present?.current, this.uri, key);
      return;
    }
    // There is an object, but nobody can tell whether its ETag is the one that is asked for.
    if (condition && 'ifMatch' in condition && condition.ifMatch !== '*') throw present;
    checkCondition(condition, { etag: '' }, this.uri, key);
  }

  /** Removes the body of the version that a change took away. */
  private async leave(key: string, previous: LoadedRecord | DamagedRecordError | undefined): Promise<void> {
    if (previous instanceof DamagedRecordError) this.damaged.replaced(previous);
    else if (previous) await this.bodies.remove(key, previous.current);
  }

  /** Takes whatever lies in a record's place out of the way, a directory too. What cannot be removed at once the next sweep removes. */
  private async moveAway(path: string): Promise<void> {
    const away = this.paths.newTmp(this.random);
    await this.fs.rename(path, away);
    await removeQuietly(this.fs, away);
  }

  private async replaceRecord(key: string, pieces: readonly Buffer[], isNew: boolean): Promise<void> {
    const path = this.paths.record(key);
    try {
      await replaceDurably(this.fs, this.paths.newTmp(this.random), path, pieces);
    } catch (error) {
      if (!isErrno(error, 'EISDIR')) throw error;
      await this.moveAway(path);
      await replaceDurably(this.fs, this.paths.newTmp(this.random), path, pieces);
    } finally {
      // Also after a fault, which may have come behind the rename.
      if (isNew) this.folders.changed(dirname(path));
    }
  }
}
