import { dirname } from 'node:path';
import type { ObjectAccess } from '../common/access-control.ts';
import type { Clock } from '../common/clock.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { CallOptions, WriteCondition } from './backend.ts';
import type { Deletion, VersioningMode } from './backend-versions.ts';
import type { DamagedRecords } from './damaged-records.ts';
import { type FileSystem, isErrno, removeQuietly, replaceDurably } from './file-system.ts';
import { keptAccess } from './kept-access.ts';
import { KeyLock } from './key-lock.ts';
import type { RootBodies } from './root-bodies.ts';
import type { RootFolders } from './root-folders.ts';
import { type HistoryEntry, placeAmongVersions, type RootHistory } from './root-history.ts';
import type { RootPaths } from './root-paths.ts';
import {
  DamagedRecordError,
  encodeRecord,
  type LoadedRecord,
  loadRecord,
  markerOf,
  metaOf,
  type StoredPart,
  type StoredVersion,
} from './root-record.ts';
import { nextOrder, nullVersionId, versionIdOf } from './version-ids.ts';
import { checkCondition, checkSignal, nextModifiedMs } from './write-rules.ts';

export interface CommitOptions extends CallOptions {
  readonly condition?: WriteCondition;
  readonly access?: ObjectAccess;
  readonly stamp?: string;
  readonly versioning?: VersioningMode;
  readonly beforeCommit?: () => Promise<void>;
}

type Present = LoadedRecord | DamagedRecordError | undefined;

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
  private readonly history: RootHistory;
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
    history: RootHistory,
    damaged: DamagedRecords,
  ) {
    this.uri = uri;
    this.fs = fs;
    this.clock = clock;
    this.random = random;
    this.paths = paths;
    this.folders = folders;
    this.bodies = bodies;
    this.history = history;
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
    return this.lock.run(key, async () => {
      await options.beforeCommit?.();
      const previous = await this.present(key);
      checkSignal(options.signal, this.uri, key);
      this.check(key, options.condition, previous);
      const known = currentOf(previous);
      const lastModifiedMs = nextModifiedMs(this.clock.nowMs(), known?.lastModifiedMs);
      const current = {
        ...made.version,
        lastModifiedMs,
        ...keptAccess(options.access),
        ...(options.stamp === undefined ? {} : { stamp: options.stamp }),
      };
      const versioning = modeOf(options, known);
      if (versioning) return this.commitVersion(key, versioning, previous, current, made);
      await this.replaceRecord(key, encodeRecord(current, made.parts, made.inlineBody), !previous);
      await made.afterCommit?.();
      await this.leave(key, previous);
      return metaOf({ current, parts: made.parts });
    });
  }

  /** Removes a key's present version, or puts a delete marker in its place. The directories are held by the caller. */
  async remove(key: string, options: CommitOptions): Promise<Deletion> {
    return this.lock.run(key, async () => {
      const previous = await this.present(key);
      checkSignal(options.signal, this.uri, key);
      this.check(key, options.condition, previous);
      const versioning = modeOf(options, currentOf(previous));
      if (versioning || previous) await options.beforeCommit?.();
      if (versioning) return this.mark(key, versioning, previous);
      if (previous) {
        await this.removeRecord(key, previous);
        await this.leave(key, previous);
      }
      return {};
    });
  }

  /** Removes one version for good. The directories are held by the caller. */
  async removeVersion(key: string, versionId: string, options: CommitOptions): Promise<Deletion> {
    return this.lock.run(key, async () => {
      const previous = await this.present(key);
      checkSignal(options.signal, this.uri, key);
      this.check(key, options.condition, previous);
      const known = currentOf(previous);
      const older = await this.history.settle(key, known);
      if (known && (known.versionId ?? nullVersionId) === versionId) {
        await this.giveWay(key, known, older[0]);
        return { versionId };
      }
      const entry = older.find((one) => one.versionId === versionId);
      if (!entry) return { versionId };
      const record = await this.history.present(key, entry);
      const deleteMarker = record && !(record instanceof DamagedRecordError) && record.current.deleteMarker;
      await this.history.holding(key, async () => {
        // What was hidden by the marker is the present version again, at once when the marker does not count any more.
        if (!previous && entry === older[0]) await this.promote(key, older[1]);
        await this.history.remove(key, [entry]);
      });
      return { versionId, ...(deleteMarker ? { deleteMarker } : {}) };
    });
  }

  /**
   * The record of one version, a delete marker's too; undefined if there is none. Rejects with `DamagedRecordError`.
   */
  async find(
    key: string,
    versionId: string,
    want?: { parts?: boolean; inlineBody?: boolean },
  ): Promise<LoadedRecord | undefined> {
    const found = await this.lookFor(key, versionId, want);
    // It may have moved between the two places where versions lie, while one and then the other was looked at.
    return found ?? this.lock.run(key, () => this.lookFor(key, versionId, want));
  }

  /** The version, among all of the key, whose body has this name (a generation or an upload's id). Undefined also where a record is damaged. */
  async findBody(key: string, bodyId: string): Promise<LoadedRecord | undefined> {
    const record = await this.present(key, { parts: true });
    if (record && !(record instanceof DamagedRecordError)) {
      const { generation, uploadId } = record.current;
      if (generation === bodyId || uploadId === bodyId) return record;
    }
    return this.history.findBody(key, bodyId);
  }

  /**
   * Removes a body that was placed for a version whose commit failed, unless the commit came so far that a record names it.
   */
  async giveUp(key: string, generation: string): Promise<void> {
    await this.lock.run(key, async () => {
      const record = await this.present(key);
      // What a damaged record names nobody knows, so the body stays.
      const named =
        record instanceof DamagedRecordError || (await this.findBody(key, generation)) !== undefined;
      await this.bodies.settle(key, generation, named);
    });
  }

  /** Whether a record of the key is damaged, so that nobody knows what it names. */
  async hasDamage(key: string): Promise<boolean> {
    if ((await this.present(key)) instanceof DamagedRecordError) return true;
    for (const entry of await this.history.entries(key)) {
      if ((await this.history.present(key, entry)) instanceof DamagedRecordError) return true;
    }
    return false;
  }

  /** Removes what changes have left in a key's history that broke off, and the history's directory if it is empty. */
  async settle(key: string): Promise<void> {
    await this.lock.run(key, async () => {
      const present = await this.present(key);
      const older = await this.history.settle(key, currentOf(present));
      // What is no delete marker cannot be the present version where it lies.
      await this.history.holding(key, async () => present ?? this.promote(key, older[0]));
    });
  }

  /** Runs `work` while nothing changes the key. */
  exclusively<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.lock.run(key, work);
  }

  /** As `commit`, where versions are kept: what is replaced gets its place among the older ones before. */
  private async commitVersion(
    key: string,
    versioning: VersioningMode,
    previous: Present,
    made: StoredVersion,
    { parts, inlineBody, afterCommit }: NewVersion,
  ): Promise<ObjectMeta> {
    const known = currentOf(previous);
    const older = await this.history.settle(key, known);
    const order = this.nextOrder(known, older);
    const current = this.placed(made, versioning, order);
    const keeps = known && isKept(known, versioning);
    const commit = async () => {
      if (keeps) await this.history.link(key, known);
      await this.replaceRecord(key, encodeRecord(current, parts, inlineBody), !previous);
      await afterCommit?.();
      if (versioning === 'suspended') await this.history.remove(key, older.filter(isNull));
    };
    if (keeps || older.length > 0) await this.history.holding(key, commit);
    else await commit();
    if (!keeps) await this.leave(key, previous);
    return metaOf({ current, parts });
  }

  /** Puts a delete marker before what is there: it counts from the moment when the key's record goes. */
  private async mark(key: string, versioning: VersioningMode, previous: Present): Promise<Deletion> {
    const known = currentOf(previous);
    const older = await this.history.settle(key, known);
    const order = this.nextOrder(known, older);
    const lastModifiedMs = nextModifiedMs(this.clock.nowMs(), known?.lastModifiedMs);
    const marker = this.placed({ ...markerOf(this.random.uuid()), lastModifiedMs }, versioning, order);
    const keeps = known && isKept(known, versioning);
    await this.history.holding(key, async () => {
      await this.history.add(
        key,
        marker,
        this.paths.newTmp(this.random),
        encodeRecord(marker, undefined, undefined),
      );
      if (keeps) {
        await this.retire(key, known);
      } else if (previous) await this.removeRecord(key, previous);
      if (versioning === 'suspended') await this.history.remove(key, older.filter(isNull));
    });
    if (!keeps) await this.leave(key, previous);
    return { versionId: marker.versionId ?? nullVersionId, deleteMarker: true };
  }

  /** Takes the present version away for good; the newest of the others is the present one then. */
  private async giveWay(key: string, known: StoredVersion, next: HistoryEntry | undefined): Promise<void> {
    const promoted = next !== undefined && (await this.history.holding(key, () => this.promote(key, next)));
    if (!promoted) await this.removeRecord(key, { current: known });
    await this.bodies.remove(key, known);
  }

  private async retire(key: string, known: StoredVersion): Promise<void> {
    try {
      await this.history.retire(key, known);
    } finally {
      this.folders.changed(dirname(this.paths.record(key)));
    }
  }

  /** Makes an older version the present one, unless there is none or it is a delete marker, which is so where it lies. */
  private async promote(key: string, entry: HistoryEntry | undefined): Promise<boolean> {
    const record = entry && (await this.history.present(key, entry));
    if (!record || (!(record instanceof DamagedRecordError) && record.current.deleteMarker)) return false;
    try {
      await this.history.promote(key, entry);
    } finally {
      this.folders.changed(dirname(this.paths.record(key)));
    }
    return true;
  }

  private async removeRecord(key: string, previous: LoadedRecord | DamagedRecordError): Promise<void> {
    const path = this.paths.record(key);
    if (previous instanceof DamagedRecordError) await this.moveAway(path);
    else await this.fs.unlink(path);
    this.folders.changed(dirname(path));
    await this.fs.syncDirectory(dirname(path));
  }

  private async lookFor(
    key: string,
    versionId: string,
    want?: { parts?: boolean; inlineBody?: boolean },
  ): Promise<LoadedRecord | undefined> {
    const present = await this.present(key, want);
    const known = currentOf(present);
    if (known && (known.versionId ?? nullVersionId) === versionId) return present as LoadedRecord;
    const entry = (await this.history.older(key, known)).find((one) => one.versionId === versionId);
    return entry && this.history.load(key, entry, want);
  }

  private nextOrder(known: StoredVersion | undefined, older: readonly HistoryEntry[]): number {
    const newest = known ? placeAmongVersions(known) : older[0]?.order;
    return nextOrder(this.clock.nowMs(), newest);
  }

  private placed(made: StoredVersion, versioning: VersioningMode, order: number): StoredVersion {
    if (versioning === 'suspended') return { ...made, order };
    return { ...made, versionId: versionIdOf(order, made.uploadId ?? made.generation) };
  }

  private check(key: string, condition: WriteCondition | undefined, present: Present): void {
    if (!(present instanceof DamagedRecordError)) {
      checkCondition(condition, present?.current, this.uri, key);
      return;
    }
    // There is an object, but nobody can tell whether its ETag is the one that is asked for.
    if (condition && 'ifMatch' in condition && condition.ifMatch !== '*') throw present;
    checkCondition(condition, { etag: '' }, this.uri, key);
  }

  /** Removes the body of the version that a change took away. */
  private async leave(key: string, previous: Present): Promise<void> {
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

function currentOf(record: Present): StoredVersion | undefined {
  return record instanceof DamagedRecordError ? undefined : record?.current;
}

/** A version that was made to stay stays, also where nobody knows any more that its bucket keeps versions. */
function modeOf({ versioning }: CommitOptions, known: StoredVersion | undefined): VersioningMode | undefined {
  return versioning ?? (known?.versionId === undefined ? undefined : 'suspended');
}

/** Of what a change replaces, the null version goes where no versions are added. */
function isKept(replaced: StoredVersion, versioning: VersioningMode): boolean {
  return versioning === 'enabled' || replaced.versionId !== undefined;
}

function isNull({ versionId }: HistoryEntry): boolean {
  return versionId === nullVersionId;
}
