import { dirname } from 'node:path';
import type { ObjectAccess } from '../common/access-control.ts';
import type { Clock } from '../common/clock.ts';
import type { NewObject, ObjectMeta, UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { CallOptions, DeleteOptions, ObjectChange, PutOptions } from './backend.ts';
import { writeBody } from './body-file.ts';
import { DirectoryKeeper, type HeldDirectories } from './directory-keeper.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import { type FileStatus, type FileSystem, isErrno, removeQuietly } from './file-system.ts';
import { keptAccess } from './kept-access.ts';
import { KeyLock } from './key-lock.ts';
import type { RootPaths } from './root-paths.ts';
import { keptTags } from './tags.ts';
import type { TreeFiles } from './tree-files.ts';
import { parseTreeKey, requireTreeKey, type TreeKey } from './tree-keys.ts';
import type { PresentObject, TreeReads } from './tree-reads.ts';
import { folderStampOf, stampOf, type TreeRecord, type TreeRecords } from './tree-records.ts';
import { checkCondition, checkSignal } from './write-rules.ts';

type WriteOptions = Pick<PutOptions, 'access' | 'condition' | 'beforeCommit' | 'signal'>;
type Facts = Pick<ObjectMeta, 'etag' | 'checksums' | 'checksumType' | 'parts'> & {
  readonly uploadId?: string;
};

/** How often a change is begun again when somebody else removes the directory that it needs. */
const attemptCount = 5;

/**
 * Changes of a tree of real files: bytes are written beside, under `.forebay/tmp`, and get their name in one step. `If-None-Match: *` is
 * decided by link(2), also against other programs; `If-Match` against everything that goes through this process.
 */
export class TreeWrites {
  private readonly uri: string;
  private readonly fs: FileSystem;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly paths: RootPaths;
  private readonly files: TreeFiles;
  private readonly records: TreeRecords;
  private readonly reads: TreeReads;
  private readonly keeper: DirectoryKeeper;
  private readonly lock = new KeyLock();

  constructor(
    uri: string,
    fs: FileSystem,
    clock: Clock,
    random: Random,
    paths: RootPaths,
    files: TreeFiles,
    records: TreeRecords,
    reads: TreeReads,
  ) {
    this.uri = uri;
    this.fs = fs;
    this.clock = clock;
    this.random = random;
    this.paths = paths;
    this.files = files;
    this.records = records;
    this.reads = reads;
    this.keeper = new DirectoryKeeper(fs, files.root, undefined, (path) => this.checkFolder(path));
  }

  /** Fails early, before a body is read, where the key or the condition fails already. */
  async checkEarly(key: string, { condition, signal }: WriteOptions): Promise<TreeKey> {
    checkSignal(signal, this.uri, key);
    const parsed = requireTreeKey(key, this.uri);
    if (condition) checkCondition(condition, (await this.reads.find(key))?.meta, this.uri, key);
    return parsed;
  }

  /** Writes the bytes and makes them the object. `facts` are asked for when the body has been read. */
  async store(
    key: string,
    body: AsyncIterable<Buffer> & Pick<UploadBody, 'sizeBytes'>,
    about: NewObject,
    options: WriteOptions,
    facts: () => Facts,
  ): Promise<ObjectMeta> {
    const parsed = requireTreeKey(key, this.uri);
    if (parsed.isFolder) return this.storeMarker(key, parsed, body, about, options, facts);
    const tmp = this.paths.newTmp(this.random);
    const check = () => checkSignal(options.signal, this.uri, key);
    const written = await writeBody(this.fs, tmp, body, check);
    try {
      if (written !== body.sizeBytes) throw this.error('io', 'the body has another length than it said', key);
      return await this.lock.run(key, async () => {
        await options.beforeCommit?.();
        return this.commit(key, parsed, tmp, about, options, facts());
      });
    } finally {
      // The commit took the name away, or gave the file a second one, or did not happen.
      await removeQuietly(this.fs, tmp);
    }
  }

  async delete(key: string, options: DeleteOptions): Promise<void> {
    const parsed = parseTreeKey(key);
    await this.lock.run(key, async () => {
      const present = await this.reads.find(key);
      checkSignal(options.signal, this.uri, key);
      checkCondition(options.condition, present?.meta, this.uri, key);
      if (!present || !parsed) return;
      await options.beforeCommit?.();
      const held = await this.keeper.hold(folderOf(parsed)); // They are there, and stay until they are released.
      try {
        if (!parsed.isFolder) {
          const path = this.files.path(parsed.segments);
          // Another program may have been faster.
          await this.fs.unlink(path).catch(ignoreMissing);
          await this.fs.syncDirectory(dirname(path));
        }
        await this.records.remove(key);
      } finally {
        await this.releaseUnmarked(held, parsed);
      }
    });
  }

  /** Of a file that others put nothing was kept before; of its bytes nothing is said then. */
  amend(key: string, change: ObjectChange, { signal }: CallOptions): Promise<ObjectMeta> {
    return this.lock.run(key, async () => {
      const present = await this.reads.find(key);
      checkSignal(signal, this.uri, key);
      if (!present) throw this.error('not-found', 'there is no such object', key);
      const { stamp, meta } = present;
      if ((change.generation ?? meta.generation) !== meta.generation) {
        throw this.error('moved', 'the file has changed', key);
      }
      const unknown = { stamp, headers: {}, userMetadata: {}, etag: meta.etag };
      await this.records.amend(key, stamp, (record = unknown) => {
        const { tags, access, ...kept } = record;
        return { ...kept, ...keptTags(change.tags ?? tags), ...keptAccess(change.access ?? access) };
      });
      return (await this.reads.find(key))?.meta ?? meta;
    });
  }

  private async commit(
    key: string,
    { segments }: TreeKey,
    tmp: string,
    about: NewObject,
    options: WriteOptions,
    facts: Facts,
  ): Promise<ObjectMeta> {
    const path = this.files.path(segments);
    const present = await this.reads.find(key);
    checkSignal(options.signal, this.uri, key);
    checkCondition(options.condition, present?.meta, this.uri, key);
    await this.checkFree(key, path);
    const file = await this.fs.openForReading(tmp, 'read');
    try {
      const written = await file.status();
      const record = {
        ...recordOf(stampOf(written), about, facts, options.access),
        ctime: String(written.ctimeNs),
      };
      await this.records.add(key, record, present?.stamp);
      const exclusive = options.condition !== undefined && 'ifNoneMatch' in options.condition;
      await this.moveIntoPlace(key, tmp, path, segments.slice(0, -1), exclusive);
      // Asked of the file that was written, since somebody else may have replaced it already.
      const placed = await file.status();
      await this.records.place(key, record, placed);
      return (await this.reads.describe(key, placed)).meta;
    } finally {
      await file.close();
    }
  }

  private async moveIntoPlace(
    key: string,
    tmp: string,
    path: string,
    folder: readonly string[],
    exclusive: boolean,
  ): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const held = await this.holdFolder(key, folder);
      let done = false;
      try {
        if (exclusive) {
          await this.fs.link(tmp, path);
          // Now rather than later, since taking a name away changes the file's ctime and with it the generation.
          await removeQuietly(this.fs, tmp);
        } else {
          await this.fs.rename(tmp, path);
        }
        await this.fs.syncDirectory(dirname(path));
        done = true;
        return;
      } catch (error) {
        if (isErrno(error, 'EEXIST')) throw this.error('precondition-failed', 'the object exists', key);
        if (isErrno(error, 'EISDIR', 'ENOTDIR')) throw this.conflict(key);
        if (!isErrno(error, 'ENOENT') || attempt === attemptCount) throw error;
        // Another program removed the folder in between.
        this.keeper.forget(held);
      } finally {
        await this.keeper.release(held, !done);
      }
    }
  }

  /** A folder marker has no bytes: the directory stands for it, and a record says that it was put. */
  private async storeMarker(
    key: string,
    { segments }: TreeKey,
    body: AsyncIterable<Buffer> & Pick<UploadBody, 'sizeBytes'>,
    about: NewObject,
    options: WriteOptions,
    facts: () => Facts,
  ): Promise<ObjectMeta> {
    if (body.sizeBytes > 0) {
      throw this.error('invalid-key', 'a key that ends with a slash can have no bytes here', key);
    }
    for await (const chunk of body)
      if (chunk.length > 0) throw this.error('io', 'the body is not empty', key);
    return this.lock.run(key, async () => {
      await options.beforeCommit?.();
      const present = await this.reads.find(key);
      checkSignal(options.signal, this.uri, key);
      checkCondition(options.condition, present?.meta, this.uri, key);
      const held = await this.holdFolder(key, segments);
      let stored: PresentObject | undefined;
      try {
        const stamp = folderStampOf(await this.fs.status(this.files.path(segments)));
        const marker = { generation: `folder.${this.random.uuid()}`, lastModifiedMs: this.clock.nowMs() };
        await this.records.add(
          key,
          { ...recordOf(stamp, about, facts(), options.access), marker },
          undefined,
        );
        stored = await this.reads.find(key);
        if (!stored) throw this.error('conflict', 'somebody else removed the folder', key);
        return stored.meta;
      } finally {
        await this.keeper.release(held, !stored);
      }
    });
  }

  /** Directories made for a key, checked to lie inside the tree even if one of them is a link. */
  private async holdFolder(key: string, folder: readonly string[], attempt = 1): Promise<HeldDirectories> {
    let held: HeldDirectories;
    try {
      held = await this.keeper.hold(folder);
    } catch (error) {
      if (isErrno(error, 'ENOENT') && attempt < attemptCount)
        return this.holdFolder(key, folder, attempt + 1);
      if (isErrno(error, 'ENOTDIR', 'ELOOP')) throw this.conflict(key);
      throw error;
    }
    try {
      const real = await this.fs.realPath(this.files.path(folder));
      if (!this.files.isInside(real)) throw this.conflict(key);
      return held;
    } catch (error) {
      const gone = isErrno(error, 'ENOENT');
      if (gone) this.keeper.forget(held);
      await this.keeper.release(held, false);
      if (gone && attempt < attemptCount) return this.holdFolder(key, folder, attempt + 1);
      throw error;
    }
  }

  /** Of something that lies where a folder is needed. */
  private async checkFolder(path: string): Promise<void> {
    const { kind } = await this.fs.linkStatus(path);
    if (kind === 'directory') return;
    const target = kind === 'link' ? await this.files.followLink(path) : undefined;
    if (target?.status.kind !== 'directory') {
      const key = path.slice(this.files.root.length + 1);
      throw this.error('key-conflict', 'a file lies where a folder is needed', key);
    }
  }

  /** A directory where a file is to be put is a conflict, also an empty one: somebody may have made it for a purpose. */
  private async checkFree(key: string, path: string): Promise<void> {
    let status: FileStatus;
    try {
      status = await this.fs.linkStatus(path);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return;
      if (isErrno(error, 'ENOTDIR')) throw this.conflict(key);
      throw error;
    }
    if (status.kind === 'directory') throw this.conflict(key);
  }

  /** Removes folders that became empty, from the deepest up to one that was put as a marker. */
  private async releaseUnmarked(held: HeldDirectories, { segments, isFolder }: TreeKey): Promise<void> {
    let marked = 0;
    const folders = isFolder ? segments : segments.slice(0, -1);
    for (let depth = folders.length; depth > 0 && marked === 0; depth--) {
      if (await this.reads.find(`${folders.slice(0, depth).join('/')}/`)) marked = depth;
    }
    await this.keeper.release(held.slice(marked), true);
    await this.keeper.release(held.slice(0, marked), false);
  }

  private conflict(key: string): UfsError {
    return this.error('key-conflict', 'a file and a folder cannot have one name', key);
  }

  private error(kind: UfsErrorKind, message: string, key: string): UfsError {
    return new UfsError(kind, message, { backend: this.uri, key });
  }
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, 'ENOENT')) throw error;
}

function folderOf({ segments, isFolder }: TreeKey): readonly string[] {
  return isFolder ? segments : segments.slice(0, -1);
}

function recordOf(
  stamp: string,
  { headers, userMetadata, storageClass, tags }: NewObject,
  facts: Facts,
  access: ObjectAccess | undefined,
): TreeRecord {
  const kept = {
    ...(storageClass === undefined ? {} : { storageClass }),
    ...keptTags(tags),
    ...keptAccess(access),
  };
  return { stamp, headers, userMetadata, ...kept, ...facts };
}
