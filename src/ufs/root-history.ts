import { dirname, join } from 'node:path';
import { compareUtf8 } from '../common/utf8-order.ts';
import type { DamagedRecords } from './damaged-records.ts';
import type { DirectoryKeeper } from './directory-keeper.ts';
import { type FileSystem, isErrno, replaceDurably } from './file-system.ts';
import { lowerBound } from './grouping.ts';
import { KeptDirectories } from './kept-directories.ts';
import type { RootBodies } from './root-bodies.ts';
import { raiseLayout } from './root-layout.ts';
import { historyName, placeOf } from './root-names.ts';
import type { RootPaths } from './root-paths.ts';
import { DamagedRecordError, type LoadedRecord, loadRecord, type StoredVersion } from './root-record.ts';
import { bodyDigitsOf, nullVersionId, orderOf, orderOfTime, sortableOrder } from './version-ids.ts';

/** A record in a key's history. */
export interface HistoryEntry {
  readonly name: string;
  readonly versionId: string;
  readonly order: number;
}

/**
 * The older versions of keys: a directory beside the record, with a record file for each version, whose name is the version's id (or, of a
 * null version, its place and `null`), so that the names in order are the versions from the newest to the oldest.
 *
 * The present version is the one in the record beside; entries that are not older than it are what a stop has left, and do not count. Where
 * there is no such record the newest entry is a delete marker, and is the present version.
 */
export class RootHistory {
  private readonly fs: FileSystem;
  private readonly paths: RootPaths;
  private readonly keeper: DirectoryKeeper;
  private readonly bodies: RootBodies;
  private readonly directories: KeptDirectories<HistoryEntry>;
  private versioned: boolean;
  /** Under way, for all who are to make a first version. */
  private raising: Promise<void> | undefined;

  /** `versioned`: keys may have older versions. As long as none has, none is looked for. */
  constructor(
    fs: FileSystem,
    paths: RootPaths,
    keeper: DirectoryKeeper,
    bodies: RootBodies,
    versioned: boolean,
    damaged: DamagedRecords,
  ) {
    this.fs = fs;
    this.paths = paths;
    this.keeper = keeper;
    this.bodies = bodies;
    this.versioned = versioned;
    this.directories = new KeptDirectories(fs, entriesOf, (path, cause) => damaged.obstructed(path, cause));
  }

  /** All there are, the newest first, those that do not count too. */
  async entries(key: string): Promise<readonly HistoryEntry[]> {
    return this.versioned ? this.directories.read(this.paths.history(key)) : none;
  }

  /** Those that count beside the present version, if there is one in the key's record. */
  async older(key: string, present: StoredVersion | undefined): Promise<readonly HistoryEntry[]> {
    return countingOf(await this.entries(key), present);
  }

  path(key: string, { name }: HistoryEntry): string {
    return join(this.paths.history(key), name);
  }

  /** Undefined if it is gone. Rejects with `DamagedRecordError`. */
  load(key: string, entry: HistoryEntry, want?: { parts?: boolean; inlineBody?: boolean }) {
    return loadRecord(this.fs, this.path(key, entry), want);
  }

  /** Runs a change of the history with its directory in place, and takes the directory away if it is empty then. */
  async holding<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (!this.versioned) await this.raise();
    const { directories, name } = placeOf(key);
    const held = await this.keeper.hold([...directories, historyName(name)]);
    try {
      return await work();
    } finally {
      const path = this.paths.history(key);
      const known = this.directories.peek(path);
      await this.keeper.release(held, !known || known.length === 0);
    }
  }

  /** Gives the key's record a second, durable name among the older versions. */
  async link(key: string, present: StoredVersion): Promise<void> {
    const entry = entryOf(present);
    await this.adding(key, entry, async () => {
      try {
        await this.fs.link(this.paths.record(key), this.path(key, entry));
      } catch (error) {
        // A change that came no further has left it.
        if (!isErrno(error, 'EEXIST')) throw error;
      }
    });
    await this.fs.syncDirectory(this.paths.history(key));
  }

  /** Makes the key's record an older version: the key has none any more. */
  async retire(key: string, present: StoredVersion): Promise<void> {
    const record = this.paths.record(key);
    const entry = entryOf(present);
    await this.adding(key, entry, () => this.fs.rename(record, this.path(key, entry)));
    await this.fs.syncDirectory(this.paths.history(key));
    await this.fs.syncDirectory(dirname(record));
  }

  /** Makes an older version the key's record, in the place of the one that may be there. */
  async promote(key: string, entry: HistoryEntry): Promise<void> {
    const record = this.paths.record(key);
    await this.leaving(key, entry, () => this.fs.rename(this.path(key, entry), record));
    await this.fs.syncDirectory(dirname(record));
    await this.fs.syncDirectory(this.paths.history(key));
  }

  /** Adds a record of its own, durably. */
  async add(key: string, version: StoredVersion, tmp: string, pieces: readonly Buffer[]): Promise<void> {
    const entry = entryOf(version);
    await this.adding(key, entry, () => replaceDurably(this.fs, tmp, this.path(key, entry), pieces));
  }

  /** Takes versions away for good, and then their bodies. The directory is held by the caller. */
  async remove(key: string, entries: readonly HistoryEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const removed: LoadedRecord[] = [];
    for (const entry of entries) {
      const record = await this.present(key, entry);
      await this.leaving(key, entry, () => this.fs.unlink(this.path(key, entry)));
      if (record && !(record instanceof DamagedRecordError)) removed.push(record);
    }
    await this.fs.syncDirectory(this.paths.history(key));
    for (const { current } of removed) await this.bodies.remove(key, current);
  }

  /**
   * Removes what changes have left that broke off, so that nothing of it counts when the present version changes; gives the older versions
   * that count. The caller has the key to itself.
   */
  async settle(key: string, present: StoredVersion | undefined): Promise<readonly HistoryEntry[]> {
    const all = await this.entries(key);
    const counting = countingOf(all, present);
    if (counting.length === all.length) return counting;
    const left: HistoryEntry[] = [];
    const doubles: HistoryEntry[] = [];
    for (const entry of all) {
      if (counting.includes(entry)) continue;
      const record = await this.present(key, entry);
      if (present && record && !(record instanceof DamagedRecordError)) {
        // The present version under a second name keeps its body.
        if (record.current.generation === present.generation) doubles.push(entry);
        // What is newer than the present version can be a delete marker only; anything else is not for this to decide.
        else if (record.current.deleteMarker || entry.versionId === nullVersionId) left.push(entry);
      } else if (entry.versionId === nullVersionId) left.push(entry);
    }
    if (left.length + doubles.length === 0) return counting;
    await this.holding(key, async () => {
      for (const entry of doubles) {
        await this.leaving(key, entry, () => this.fs.unlink(this.path(key, entry)));
      }
      if (doubles.length > 0) await this.fs.syncDirectory(this.paths.history(key));
      await this.remove(key, left);
    });
    return counting;
  }

  /** The version, among those that are not in the key's record, whose body has this name (a generation or an upload's id). */
  async findBody(key: string, bodyId: string): Promise<LoadedRecord | undefined> {
    const digits = bodyDigitsOf(bodyId);
    for (const entry of await this.entries(key)) {
      if (entry.versionId !== nullVersionId && !entry.versionId.endsWith(digits)) continue;
      const record = await this.present(key, entry, { parts: true });
      if (!record || record instanceof DamagedRecordError) continue;
      const { generation, uploadId } = record.current;
      if (generation === bodyId || uploadId === bodyId) return record;
    }
    return undefined;
  }

  /** As `load`; a damaged record is given instead of being thrown. */
  async present(key: string, entry: HistoryEntry, want?: { parts?: boolean }) {
    try {
      return await this.load(key, entry, want);
    } catch (error) {
      if (error instanceof DamagedRecordError) return error;
      throw error;
    }
  }

  private async raise(): Promise<void> {
    this.raising ??= raiseLayout(this.fs, this.paths).finally(() => {
      this.raising = undefined;
    });
    await this.raising;
    this.versioned = true;
  }

  private adding(key: string, entry: HistoryEntry, work: () => Promise<void>): Promise<void> {
    return this.changing(key, work, (before) => {
      const index = indexOf(before, entry);
      return before[index]?.name === entry.name ? before : before.toSpliced(index, 0, entry);
    });
  }

  private leaving(key: string, entry: HistoryEntry, work: () => Promise<void>): Promise<void> {
    return this.changing(key, work, (before) => {
      const index = indexOf(before, entry);
      return before[index]?.name === entry.name ? before.toSpliced(index, 1) : before;
    });
  }

  /** What is known of the directory goes with the change; where that fails it is the directory that tells what is there. */
  private async changing(
    key: string,
    work: () => Promise<void>,
    update: (before: readonly HistoryEntry[]) => readonly HistoryEntry[],
  ): Promise<void> {
    const path = this.paths.history(key);
    try {
      await work();
    } catch (error) {
      this.directories.changed(path);
      throw error;
    }
    this.directories.changed(path, update);
  }
}

const none: readonly HistoryEntry[] = [];

/** The place of a version among those of its key. */
export function placeAmongVersions({ versionId, order, lastModifiedMs }: StoredVersion): number {
  if (versionId !== undefined) return orderOf(versionId);
  return order ?? orderOfTime(lastModifiedMs);
}

/** Where an entry lies, or would lie, among the others. */
function indexOf(entries: readonly HistoryEntry[], { name }: HistoryEntry): number {
  return lowerBound(entries.length, (i) => (entries[i] as HistoryEntry).name < name);
}

function entryOf(version: StoredVersion): HistoryEntry {
  const order = placeAmongVersions(version);
  const { versionId } = version;
  return {
    name: versionId ?? sortableOrder(order) + nullVersionId,
    versionId: versionId ?? nullVersionId,
    order,
  };
}

const entryName = /^[0-9a-f]{14}(?:[0-9a-f]{18}|null)$/;

function entriesOf(names: readonly string[]): readonly HistoryEntry[] {
  return names
    .filter((name) => entryName.test(name))
    .sort(compareUtf8)
    .map((name) => ({
      name,
      versionId: name.endsWith(nullVersionId) ? nullVersionId : name,
      order: orderOf(name),
    }));
}

/** Older than the present version; and of null versions, of which there is one at a time, the newest. */
function countingOf(
  entries: readonly HistoryEntry[],
  present: StoredVersion | undefined,
): readonly HistoryEntry[] {
  const limit = present ? placeAmongVersions(present) : Number.POSITIVE_INFINITY;
  let hasNull = present !== undefined && present.versionId === undefined;
  return entries.filter(({ versionId, order }) => {
    if (order >= limit) return false;
    if (versionId !== nullVersionId) return true;
    if (hasNull) return false;
    hasNull = true;
    return true;
  });
}
