import type { ObjectMeta } from '../common/object-meta.ts';
import type { CallOptions, WriteCondition } from './backend.ts';
import type {
  BackendVersions,
  Deletion,
  ListedVersion,
  ListVersionsOptions,
  ListVersionsPage,
} from './backend-versions.ts';
import { mapBounded } from './bounded.ts';
import type { DamagedRecords } from './damaged-records.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import { FolderWalk } from './folder-walk.ts';
import { groupPage } from './grouping.ts';
import { listedObject } from './listed-object.ts';
import type { RootCommits } from './root-commits.ts';
import type { RootFolders } from './root-folders.ts';
import type { HistoryEntry, RootHistory } from './root-history.ts';
import type { RootObjects } from './root-objects.ts';
import type { RootPaths } from './root-paths.ts';
import { DamagedRecordError, type LoadedRecord, metaOf, type StoredVersion } from './root-record.ts';
import { isVersionId, nullVersionId } from './version-ids.ts';
import { behindVersion, pageVersions } from './version-paging.ts';
import { checkSignal } from './write-rules.ts';

/** Versions of a key whose records are read at once. */
const batch = 16;

/** A version of a key before its record is read; `record` where it is the key's own. */
interface Place {
  readonly versionId: string;
  readonly record?: LoadedRecord | DamagedRecordError;
  readonly entry?: HistoryEntry;
}

/** All versions of the root layout, asked for by their ids. */
export class RootOlder implements BackendVersions {
  private readonly uri: string;
  private readonly paths: RootPaths;
  private readonly folders: RootFolders;
  private readonly history: RootHistory;
  private readonly commits: RootCommits;
  private readonly objects: RootObjects;
  private readonly damaged: DamagedRecords;

  constructor(
    uri: string,
    paths: RootPaths,
    folders: RootFolders,
    history: RootHistory,
    commits: RootCommits,
    objects: RootObjects,
    damaged: DamagedRecords,
  ) {
    this.uri = uri;
    this.paths = paths;
    this.folders = folders;
    this.history = history;
    this.commits = commits;
    this.objects = objects;
    this.damaged = damaged;
  }

  async head(key: string, versionId: string, { signal }: CallOptions = {}): Promise<ObjectMeta> {
    checkSignal(signal, this.uri, key);
    this.checkId(key, versionId);
    const record = await this.commits.find(key, versionId, { parts: true });
    if (!record) throw this.error('no-such-version', 'there is no such version', key);
    const { deleteMarker, lastModifiedMs } = record.current;
    if (!deleteMarker) return metaOf(record);
    const marker = { versionId, lastModifiedMs };
    throw new UfsError('delete-marker', 'the version is a delete marker', {
      backend: this.uri,
      key,
      marker,
    });
  }

  async delete(
    key: string,
    versionId: string,
    options: CallOptions & { readonly condition?: WriteCondition } = {},
  ): Promise<Deletion> {
    checkSignal(options.signal, this.uri, key);
    this.checkId(key, versionId);
    return this.objects.holding(key, () => this.commits.removeVersion(key, versionId, options), false);
  }

  async list(options: ListVersionsOptions): Promise<ListVersionsPage> {
    const { prefix, delimiter, signal, versionIdMarker } = options;
    if (versionIdMarker !== undefined) this.checkId(undefined, versionIdMarker);
    const keys = (after: string | undefined, limit: number) => {
      checkSignal(signal, this.uri);
      const walk = new FolderWalk(this.folders.versions, this.paths.root, prefix, delimiter === '/');
      return groupPage(walk, { prefix, delimiter, after, limit });
    };
    const versionsOf = (key: string, behind: string | undefined, limit: number) => {
      checkSignal(signal, this.uri, key);
      return this.versionsOf(key, behind, limit);
    };
    return pageVersions({ keys, versionsOf }, options);
  }

  /** With the key to itself, so that no version passes from one place to the other unseen. */
  private versionsOf(
    key: string,
    behind: string | undefined,
    limit: number,
  ): Promise<readonly ListedVersion[]> {
    return this.commits.exclusively(key, async () => {
      const present = await this.commits.present(key);
      const isWhole = present && !(present instanceof DamagedRecordError);
      const known = isWhole ? present.current : undefined;
      const places: Place[] = (await this.history.older(key, known)).map((entry) => ({
        versionId: entry.versionId,
        entry,
      }));
      // Of a damaged record nobody knows which version it is; that there is one is listed all the same.
      if (present) places.unshift({ versionId: known?.versionId ?? nullVersionId, record: present });
      const latest = places[0];
      const listed: ListedVersion[] = [];
      let rest = behindVersion(places, behind);
      while (rest.length > 0 && listed.length < limit) {
        const some = rest.slice(0, Math.min(batch, limit - listed.length));
        rest = rest.slice(some.length);
        const found = await mapBounded(some, batch, (place) => this.listed(key, place, place === latest));
        for (const version of found) if (version) listed.push(version);
      }
      return listed;
    });
  }

  private async listed(key: string, place: Place, isLatest: boolean): Promise<ListedVersion | undefined> {
    const record = place.record ?? (place.entry && (await this.history.present(key, place.entry)));
    if (!record) return undefined;
    const { versionId } = place;
    if (record instanceof DamagedRecordError) {
      this.damaged.found(record);
      const unknown = { etag: `${'0'.repeat(32)}-0`, sizeBytes: 1, lastModifiedMs: 0 };
      return asVersion(key, versionId, isLatest, unknown);
    }
    return asVersion(key, versionId, isLatest, record.current);
  }

  private checkId(key: string | undefined, versionId: string): void {
    if (!isVersionId(versionId)) throw this.error('invalid-version', 'this is no id of a version', key);
  }

  private error(kind: UfsErrorKind, message: string, key: string | undefined): UfsError {
    return new UfsError(kind, message, { backend: this.uri, key });
  }
}

function asVersion(
  key: string,
  versionId: string,
  isLatest: boolean,
  current: Pick<StoredVersion, 'etag' | 'sizeBytes' | 'lastModifiedMs' | 'deleteMarker'>,
): ListedVersion {
  const deleteMarker = current.deleteMarker ?? false;
  return { ...listedObject(key, current), kind: 'version', versionId, isLatest, deleteMarker };
}
