import type { ObjectMeta, Tag } from '../common/object-meta.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import type { ListedVersion, VersioningMode } from './backend-versions.ts';
import { ArrayCursor, groupPage } from './grouping.ts';
import { listedObject } from './listed-object.ts';
import { nextOrder, nullVersionId, versionIdOf } from './version-ids.ts';
import { behindVersion, type VersionSource } from './version-paging.ts';

/** A version of a key; without bytes it is a delete marker. */
export interface MemoryVersion {
  readonly key: string;
  readonly meta: ObjectMeta;
  readonly bytes: Buffer | undefined;
  readonly tags?: readonly Tag[];
  /** The upload that made it. */
  readonly uploadId?: string;
  /** Its place among the versions of its key. */
  readonly order: number;
}

/** All versions of all keys in memory, the newest of each first. */
export class MemoryHistory {
  private readonly stacks = new Map<string, readonly MemoryVersion[]>();

  /** The newest version of a key, a delete marker too. */
  newest(key: string): MemoryVersion | undefined {
    return this.stacks.get(key)?.[0];
  }

  /** Undefined where there is none, or a delete marker. */
  present(key: string): MemoryVersion | undefined {
    const newest = this.newest(key);
    return newest?.bytes ? newest : undefined;
  }

  find(key: string, isWanted: (version: MemoryVersion) => boolean): MemoryVersion | undefined {
    return this.stacks.get(key)?.find(isWanted);
  }

  /** The place, and the id where it has one, of a version that is about to be put. */
  place(
    key: string,
    nowMs: number,
    bodyId: string,
    versioning: VersioningMode | undefined,
  ): { readonly order: number; readonly versionId?: string } {
    const order = nextOrder(nowMs, this.newest(key)?.order);
    return versioning === 'enabled' ? { order, versionId: versionIdOf(order, bodyId) } : { order };
  }

  /** Puts a version before the others. The null version goes if this is one. */
  put(version: MemoryVersion): void {
    const others = this.stacks.get(version.key) ?? [];
    const isNull = version.meta.versionId === undefined;
    const kept = isNull ? others.filter(({ meta }) => meta.versionId !== undefined) : others;
    this.stacks.set(version.key, [version, ...kept]);
  }

  /** Puts what is kept of a version now in its place. */
  replace(version: MemoryVersion, changed: MemoryVersion): void {
    const all = this.stacks.get(version.key) ?? [];
    this.stacks.set(
      version.key,
      all.map((one) => (one === version ? changed : one)),
    );
  }

  remove(version: MemoryVersion): void {
    const left = (this.stacks.get(version.key) ?? []).filter((one) => one !== version);
    if (left.length === 0) this.stacks.delete(version.key);
    else this.stacks.set(version.key, left);
  }

  /** The present version of each key that has one, in order of key. */
  allPresent(): MemoryVersion[] {
    const keys = [...this.stacks.keys()].sort(compareUtf8);
    return keys.map((key) => this.present(key)).filter((version) => version !== undefined);
  }

  source(prefix: string, delimiter: string | undefined): VersionSource {
    const all = [...this.stacks.keys()].sort(compareUtf8).map((key) => ({ key }));
    return {
      keys: (after, limit) => groupPage(new ArrayCursor(all), { prefix, delimiter, after, limit }),
      versionsOf: async (key, behind, limit) => {
        const listed = (this.stacks.get(key) ?? []).map((version, i) => asListed(version, i === 0));
        return behindVersion(listed, behind).slice(0, limit);
      },
    };
  }
}

function asListed({ key, meta, bytes }: MemoryVersion, isLatest: boolean): ListedVersion {
  const { versionId = nullVersionId } = meta;
  const deleteMarker = bytes === undefined;
  return { ...listedObject(key, meta), kind: 'version', versionId, isLatest, deleteMarker };
}
