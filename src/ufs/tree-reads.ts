import type { ByteRange } from '../common/byte-range.ts';
import type { ObjectMeta, Tag } from '../common/object-meta.ts';
import type { CallOptions, ListEntry, ListOptions, ListPage } from './backend.ts';
import { readRange } from './body-file.ts';
import { mapBounded } from './bounded.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import { type FileStatus, type FileSystem, FileSystemError, isErrno } from './file-system.ts';
import { FolderWalk } from './folder-walk.ts';
import { groupPage } from './grouping.ts';
import { HeldVersions, type Hold } from './held-versions.ts';
import { keptAccess } from './kept-access.ts';
import { listedObject } from './listed-object.ts';
import { tagCountOf } from './tags.ts';
import { etagOf, generationOf, isMissing, type TreeFiles } from './tree-files.ts';
import { TreeFolders } from './tree-folders.ts';
import { parseTreeKey } from './tree-keys.ts';
import { folderStampOf, stampOf, type TreeRecord, type TreeRecords } from './tree-records.ts';
import { WatchedFile } from './watched-file.ts';
import { checkSignal } from './write-rules.ts';

/** What is there now under a key. */
export interface PresentObject {
  readonly meta: ObjectMeta;
  /** What the record of the object's metadata is true of. */
  readonly stamp: string;
  readonly uploadId?: string;
  readonly tags?: readonly Tag[];
}

/** Reading and listing a tree of real files. */
export class TreeReads {
  private readonly uri: string;
  private readonly fs: FileSystem;
  private readonly files: TreeFiles;
  private readonly records: TreeRecords;
  private readonly folders: TreeFolders;
  private readonly held = new HeldVersions<WatchedFile>(({ file }) => file.close());

  constructor(uri: string, fs: FileSystem, files: TreeFiles, records: TreeRecords) {
    this.uri = uri;
    this.fs = fs;
    this.files = files;
    this.records = records;
    this.folders = new TreeFolders(
      fs,
      files,
      async (key, status) => (await records.find(key, status))?.record.marker !== undefined,
    );
  }

  async find(key: string): Promise<PresentObject | undefined> {
    const parsed = parseTreeKey(key);
    if (!parsed) return undefined;
    const path = this.files.path(parsed.segments);
    if (parsed.isFolder) return this.findMarker(key, path);
    const opened = await this.files.open(path);
    if (!opened) return undefined;
    await opened.file.close();
    return this.describe(key, opened.status);
  }

  /** The object of a key whose file has this status. */
  async describe(key: string, status: FileStatus): Promise<PresentObject> {
    const found = await this.records.find(key, status);
    const record = found?.knowsBytes ? found.record : undefined;
    const about = found ? aboutOf(found.record) : { headers: {}, userMetadata: {} };
    const meta: ObjectMeta = {
      ...about,
      ...(record ? bytesOf(record) : { etag: etagOf(status) }),
      ...tagCountOf(found?.record.tags),
      sizeBytes: status.sizeBytes,
      lastModifiedMs: Number(status.mtimeNs / 1_000_000n),
      generation: generationOf(status),
      generationSettled: this.files.generationSettled(status),
    };
    return { meta, stamp: stampOf(status), uploadId: record?.uploadId, tags: found?.record.tags };
  }

  /** Rejects with `moved` if the version is not the present one any more and nobody holds it. */
  hold(key: string, meta: ObjectMeta): Promise<Hold<WatchedFile>> {
    // The key beside the generation, since another name of the same file may lead out of the tree.
    return this.held.hold(`${meta.generation}\0${key}`, () => this.open(key, meta));
  }

  async *read(
    key: string,
    meta: ObjectMeta,
    range: ByteRange,
    { signal }: CallOptions,
  ): AsyncGenerator<Buffer> {
    const { source, release } = await this.hold(key, meta);
    try {
      const check = () => checkSignal(signal, this.uri, key);
      const chunks = readRange(source.file, key, range, check);
      for (;;) {
        const chunk = await nextUnlessShort(chunks);
        // A file can be changed in place, so each chunk is given out only when the file was still the same behind its last byte.
        if (!(await source.isIntact())) throw this.error('moved', 'the file has changed', key);
        if (chunk === 'short') throw new FileSystemError('EIO', `${key} is shorter than it should be`);
        if (chunk === undefined) return;
        yield chunk;
      }
    } finally {
      await release();
    }
  }

  async list(options: ListOptions): Promise<ListPage> {
    const entries: ListEntry[] = [];
    let after = options.after;
    for (;;) {
      checkSignal(options.signal, this.uri);
      const limit = options.limit - entries.length;
      const walk = new FolderWalk(this.folders, this.files.root, options.prefix, options.delimiter === '/');
      const page = await groupPage(walk, { ...options, after, limit });
      const found = await mapBounded(page.entries, 16, (entry) => this.listed(entry));
      // An object that went away since its directory was read leaves room for another.
      for (const entry of found) if (entry) entries.push(entry);
      if (!page.truncated || entries.length === options.limit) return { entries, truncated: page.truncated };
      after = page.entries.at(-1)?.key;
    }
  }

  private async open(key: string, meta: ObjectMeta): Promise<WatchedFile> {
    const parsed = parseTreeKey(key);
    const opened = parsed && !parsed.isFolder && (await this.files.open(this.files.path(parsed.segments)));
    if (!opened) throw this.error('moved', 'the object is not there any more', key);
    const { file, status, resolvedPath } = opened;
    if (generationOf(status) === meta.generation) return new WatchedFile(file, status, resolvedPath);
    await file.close();
    throw this.error('moved', 'the file has changed', key);
  }

  private async listed(entry: { key: string; path: string } | { kind: 'prefix'; key: string }) {
    if ('kind' in entry) return entry;
    const present = entry.key.endsWith('/')
      ? await this.findMarker(entry.key, entry.path)
      : await this.findListed(entry.key, entry.path);
    return present && listedObject(entry.key, present.meta);
  }

  private async findListed(key: string, path: string): Promise<PresentObject | undefined> {
    try {
      const status = await this.fs.linkStatus(path);
      if (status.kind === 'file') return await this.describe(key, status);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    return this.find(key);
  }

  private async findMarker(key: string, path: string): Promise<PresentObject | undefined> {
    let status: FileStatus;
    try {
      status = await this.fs.status(path);
      if (status.kind !== 'directory' || !this.files.isInside(await this.fs.realPath(path))) return undefined;
    } catch (error) {
      if (isMissing(error)) return this.files.absent();
      throw error;
    }
    const record = (await this.records.find(key, status))?.record;
    if (!record?.marker) return undefined;
    const { tags } = record;
    const about = { ...aboutOf(record), ...bytesOf(record), ...record.marker, ...tagCountOf(tags) };
    const meta = { ...about, sizeBytes: 0, generationSettled: true };
    return { meta, stamp: folderStampOf(status), tags };
  }

  private error(kind: UfsErrorKind, message: string, key: string): UfsError {
    return new UfsError(kind, message, { backend: this.uri, key });
  }
}

/** What a record says of an object whatever its bytes are. */
function aboutOf({ headers, userMetadata, storageClass, access }: TreeRecord) {
  return {
    headers,
    userMetadata,
    ...(storageClass === undefined ? {} : { storageClass }),
    ...keptAccess(access),
  };
}

/** What a record says of the bytes. */
function bytesOf({ etag, checksums, checksumType, parts }: TreeRecord) {
  return {
    etag,
    ...(checksums === undefined ? {} : { checksums, checksumType }),
    ...(parts === undefined ? {} : { parts }),
  };
}

async function nextUnlessShort(chunks: AsyncGenerator<Buffer>): Promise<Buffer | 'short' | undefined> {
  try {
    const { value, done } = await chunks.next();
    return done ? undefined : value;
  } catch (error) {
    // A file that was cut has moved, which says more than that it is short.
    if (isErrno(error, 'EIO')) return 'short';
    throw error;
  }
}
