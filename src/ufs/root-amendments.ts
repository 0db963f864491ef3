import type { ObjectMeta } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { ObjectChange, VersionOptions } from './backend.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import { type FileSystem, replaceDurably } from './file-system.ts';
import { keptAccess } from './kept-access.ts';
import type { RootCommits } from './root-commits.ts';
import type { RootHistory } from './root-history.ts';
import type { RootPaths } from './root-paths.ts';
import { encodeRecord, type LoadedRecord, metaOf, type StoredVersion } from './root-record.ts';
import { keptTags } from './tags.ts';
import { nullVersionId } from './version-ids.ts';
import { checkSignal } from './write-rules.ts';

/** Changes of what records say beside bytes: a record is put anew where it lies, in one step, with the body that it holds or names. */
export class RootAmendments {
  private readonly uri: string;
  private readonly fs: FileSystem;
  private readonly random: Random;
  private readonly paths: RootPaths;
  private readonly history: RootHistory;
  private readonly commits: RootCommits;

  constructor(
    uri: string,
    fs: FileSystem,
    random: Random,
    paths: RootPaths,
    history: RootHistory,
    commits: RootCommits,
  ) {
    this.uri = uri;
    this.fs = fs;
    this.random = random;
    this.paths = paths;
    this.history = history;
    this.commits = commits;
  }

  /** Kinds: not-found, no-such-version, moved. */
  amend(key: string, change: ObjectChange, { signal, versionId }: VersionOptions): Promise<ObjectMeta> {
    return this.commits.exclusively(key, async () => {
      checkSignal(signal, this.uri, key);
      const { record, path } = await this.find(key, versionId);
      if ((change.generation ?? record.current.generation) !== record.current.generation) {
        throw this.error('moved', 'the version is not the present one any more', key);
      }
      const current = changed(record.current, change);
      const pieces = encodeRecord(current, record.parts, record.inlineBody);
      await replaceDurably(this.fs, this.paths.newTmp(this.random), path, pieces);
      return metaOf({ ...record, current });
    });
  }

  private async find(
    key: string,
    versionId: string | undefined,
  ): Promise<{ readonly record: LoadedRecord; readonly path: string }> {
    const want = { parts: true, inlineBody: true };
    const present = await this.commits.load(key, want);
    if (present && (versionId ?? idOf(present.current)) === idOf(present.current)) {
      return { record: present, path: this.paths.record(key) };
    }
    if (versionId === undefined) throw this.error('not-found', 'there is no such object', key);
    const older = await this.history.older(key, present?.current);
    const entry = older.find((one) => one.versionId === versionId);
    const record = entry && (await this.history.load(key, entry, want));
    if (!entry || !record || record.current.deleteMarker) {
      throw this.error('no-such-version', 'there is no such version', key);
    }
    return { record, path: this.history.path(key, entry) };
  }

  private error(kind: UfsErrorKind, message: string, key: string): UfsError {
    return new UfsError(kind, message, { backend: this.uri, key });
  }
}

function changed({ tags, access, ...current }: StoredVersion, change: ObjectChange): StoredVersion {
  return { ...current, ...keptTags(change.tags ?? tags), ...keptAccess(change.access ?? access) };
}

function idOf({ versionId }: StoredVersion): string {
  return versionId ?? nullVersionId;
}
