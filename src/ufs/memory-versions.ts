import type { ObjectMeta } from '../common/object-meta.ts';
import type { CallOptions, WriteCondition } from './backend.ts';
import type { BackendVersions, Deletion, ListVersionsOptions, ListVersionsPage } from './backend-versions.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import type { MemoryHistory, MemoryVersion } from './memory-history.ts';
import { isVersionId, nullVersionId } from './version-ids.ts';
import { pageVersions } from './version-paging.ts';
import { checkCondition, checkSignal } from './write-rules.ts';

/** The versions of a `MemoryBackend`, asked for by their ids. */
export class MemoryVersions implements BackendVersions {
  private readonly uri: string;
  private readonly history: MemoryHistory;

  constructor(uri: string, history: MemoryHistory) {
    this.uri = uri;
    this.history = history;
  }

  async head(key: string, versionId: string, { signal }: CallOptions = {}): Promise<ObjectMeta> {
    checkSignal(signal, this.uri, key);
    const version = this.find(key, versionId);
    if (!version) throw this.error('no-such-version', 'there is no such version', key);
    if (version.bytes) return version.meta;
    const { lastModifiedMs } = version.meta;
    throw new UfsError('delete-marker', 'the version is a delete marker', {
      backend: this.uri,
      key,
      marker: { versionId, lastModifiedMs },
    });
  }

  async delete(
    key: string,
    versionId: string,
    { signal, condition }: CallOptions & { readonly condition?: WriteCondition } = {},
  ): Promise<Deletion> {
    checkSignal(signal, this.uri, key);
    const version = this.find(key, versionId);
    checkCondition(condition, this.history.present(key)?.meta, this.uri, key);
    if (version) this.history.remove(version);
    return { versionId, ...(version && !version.bytes ? { deleteMarker: true } : {}) };
  }

  async list(options: ListVersionsOptions): Promise<ListVersionsPage> {
    checkSignal(options.signal, this.uri);
    if (options.versionIdMarker !== undefined) this.checkId(undefined, options.versionIdMarker);
    return pageVersions(this.history.source(options.prefix, options.delimiter), options);
  }

  private find(key: string, versionId: string): MemoryVersion | undefined {
    this.checkId(key, versionId);
    return this.history.find(key, ({ meta }) => (meta.versionId ?? nullVersionId) === versionId);
  }

  private checkId(key: string | undefined, versionId: string): void {
    if (!isVersionId(versionId)) throw this.error('invalid-version', 'this is no id of a version', key);
  }

  private error(kind: UfsErrorKind, message: string, key: string | undefined): UfsError {
    return new UfsError(kind, message, { backend: this.uri, key });
  }
}
