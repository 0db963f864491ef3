import type { NewObject, ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type {
  CallOptions,
  CopyOptions,
  DeleteOptions,
  ListEntry,
  ListOptions,
  ListPage,
  PutOptions,
  VersionOptions,
} from './backend.ts';
import type { Deletion } from './backend-versions.ts';
import { collectBody, writeBody } from './body-file.ts';
import { mapBounded } from './bounded.ts';
import type { DamagedRecords } from './damaged-records.ts';
import type { DirectoryKeeper } from './directory-keeper.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import { type FileSystem, isErrno, removeQuietly } from './file-system.ts';
import { FolderWalk } from './folder-walk.ts';
import { groupPage } from './grouping.ts';
import { listedObject } from './listed-object.ts';
import { PlainBody } from './plain-body.ts';
import type { RootBodies } from './root-bodies.ts';
import type { CommitOptions, NewVersion, RootCommits } from './root-commits.ts';
import type { RootFolders } from './root-folders.ts';
import type { RootHistory } from './root-history.ts';
import { placeOf } from './root-names.ts';
import type { RootPaths } from './root-paths.ts';
import { DamagedRecordError, inlineLimitBytes, loadRecord, metaOf, type StoredPart } from './root-record.ts';
import type { RootVersions } from './root-versions.ts';
import { keptTags } from './tags.ts';
import { checkSignal, copyChecksum, fullChecksum, needChecksum } from './write-rules.ts';

type VersionFacts = Pick<ObjectMeta, 'etag' | 'sizeBytes' | 'checksums' | 'checksumType'>;

/** Objects of the root layout: writing and listing them, apart from multipart uploads. */
export class RootObjects {
  private readonly uri: string;
  private readonly fs: FileSystem;
  private readonly random: Random;
  private readonly paths: RootPaths;
  private readonly folders: RootFolders;
  private readonly keeper: DirectoryKeeper;
  private readonly bodies: RootBodies;
  private readonly history: RootHistory;
  private readonly commits: RootCommits;
  private readonly damaged: DamagedRecords;
  private readonly versions: RootVersions;

  constructor(
    uri: string,
    fs: FileSystem,
    random: Random,
    paths: RootPaths,
    folders: RootFolders,
    keeper: DirectoryKeeper,
    bodies: RootBodies,
    history: RootHistory,
    commits: RootCommits,
    versions: RootVersions,
    damaged: DamagedRecords,
  ) {
    this.uri = uri;
    this.fs = fs;
    this.random = random;
    this.paths = paths;
    this.folders = folders;
    this.keeper = keeper;
    this.bodies = bodies;
    this.history = history;
    this.commits = commits;
    this.versions = versions;
    this.damaged = damaged;
  }

  async head(key: string, { signal }: CallOptions): Promise<ObjectMeta> {
    checkSignal(signal, this.uri, key);
    const record = await this.commits.load(key, { parts: true });
    if (record) return metaOf(record);
    const [newest] = await this.history.older(key, undefined);
    throw new UfsError('not-found', 'there is no such object', {
      backend: this.uri,
      key,
      ...(newest ? { marker: { versionId: newest.versionId } } : {}),
    });
  }

  async getTags(key: string, { versionId }: VersionOptions): Promise<readonly Tag[]> {
    if (versionId === undefined) {
      const record = await this.commits.load(key);
      if (!record) throw this.error('not-found', 'there is no such object', key);
      return record.current.tags ?? [];
    }
    const record = await this.commits.find(key, versionId);
    if (!record || record.current.deleteMarker) {
      throw this.error('no-such-version', 'there is no such version', key);
    }
    return record.current.tags ?? [];
  }

  async put(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    await this.commits.checkEarly(key, options);
    body.need('MD5');
    const algorithm = needChecksum(body);
    return this.store(key, body, options, options, () => fullChecksum(body, algorithm));
  }

  async delete(key: string, options: DeleteOptions): Promise<Deletion> {
    await this.commits.checkEarly(key, options);
    const { condition, versioning } = options;
    // A condition is decided under the key's lock only: the object may go between a look and the change.
    if (!condition && !versioning && !(await this.commits.present(key))) return {};
    return this.holding(key, () => this.commits.remove(key, options), false);
  }

  async copy(sourceKey: string, key: string, options: CopyOptions): Promise<ObjectMeta> {
    await this.commits.checkEarly(key, options);
    const source = await this.loadSource(sourceKey, options.sourceVersionId);
    if (!source) throw this.error('not-found', 'there is no such object', sourceKey);
    const { current } = source;
    if (current.generation !== options.sourceGeneration) throw this.moved(sourceKey);
    const about = { ...(options.replace ?? current), tags: options.tags ?? current.tags };
    const wanted = copyChecksum(current, options.checksumAlgorithm);
    const value = current.checksums?.[wanted];
    if (current.body === 'parts' || value === undefined) {
      return this.copyBytes(sourceKey, key, metaOf(source), about, options);
    }
    const { etag, sizeBytes } = current;
    const facts = { etag, sizeBytes, checksums: { [wanted]: value }, checksumType: 'FULL_OBJECT' } as const;
    if (source.inlineBody) return this.commitInline(key, source.inlineBody, facts, about, options);
    const from = this.paths.body(sourceKey, current.generation);
    try {
      return await this.commitFile(key, from, 'link', facts, about, options);
    } catch (error) {
      // The source was replaced before its body got its second name.
      if (isErrno(error, 'ENOENT')) throw this.moved(sourceKey);
      throw error;
    }
  }

  private loadSource(key: string, versionId: string | undefined) {
    if (versionId === undefined) return this.commits.load(key, { inlineBody: true });
    return this.commits.find(key, versionId, { inlineBody: true });
  }

  async list(options: ListOptions): Promise<ListPage> {
    const entries: ListEntry[] = [];
    let after = options.after;
    for (;;) {
      checkSignal(options.signal, this.uri);
      const limit = options.limit - entries.length;
      const walk = new FolderWalk(this.folders, this.paths.root, options.prefix, options.delimiter === '/');
      const page = await groupPage(walk, { ...options, after, limit });
      const found = await mapBounded(page.entries, 16, (entry) => this.listed(entry));
      // An object that went away since its directory was read leaves room for another.
      for (const entry of found) if (entry) entries.push(entry);
      if (!page.truncated || entries.length === options.limit) return { entries, truncated: page.truncated };
      after = page.entries.at(-1)?.key;
    }
  }

  /** Makes a version of parts visible that lie in the directory of upload `uploadId`. */
  commitParts(
    key: string,
    uploadId: string,
    parts: readonly StoredPart[],
    facts: VersionFacts,
    about: NewObject,
    options: CommitOptions,
    afterCommit: () => Promise<void>,
  ): Promise<ObjectMeta> {
    const version = {
      ...facts,
      ...aboutOf(about),
      generation: this.random.uuid(),
      body: 'parts' as const,
      uploadId,
    };
    return this.holding(key, () => this.commits.commit(key, options, { version, parts, afterCommit }));
  }

  private async store(
    key: string,
    body: UploadBody,
    about: NewObject,
    options: CommitOptions,
    checksumsOf: () => Pick<ObjectMeta, 'checksums' | 'checksumType'>,
  ): Promise<ObjectMeta> {
    const check = () => checkSignal(options.signal, this.uri, key);
    const { sizeBytes } = body;
    const facts = () => ({ etag: body.digest('MD5').toString('hex'), sizeBytes, ...checksumsOf() });
    if (sizeBytes <= inlineLimitBytes) {
      const bytes = await collectBody(body, check);
      if (bytes.length !== sizeBytes) throw this.error('io', 'the body has another length than it said', key);
      return this.commitInline(key, bytes, facts(), about, options);
    }
    const tmp = this.paths.newTmp(this.random);
    const written = await writeBody(this.fs, tmp, body, check);
    try {
      if (written !== sizeBytes) throw this.error('io', 'the body has another length than it said', key);
      return await this.commitFile(key, tmp, 'move', facts(), about, options);
    } catch (error) {
      await removeQuietly(this.fs, tmp);
      throw error;
    }
  }

  private commitInline(
    key: string,
    inlineBody: Buffer,
    facts: VersionFacts,
    about: NewObject,
    options: CommitOptions,
  ): Promise<ObjectMeta> {
    const version = { ...facts, ...aboutOf(about), generation: this.random.uuid(), body: 'inline' as const };
    return this.holding(key, () => this.commits.commit(key, options, { version, inlineBody }));
  }

  private commitFile(
    key: string,
    from: string,
    how: 'move' | 'link',
    facts: VersionFacts,
    about: NewObject,
    options: CommitOptions,
  ): Promise<ObjectMeta> {
    const generation = this.random.uuid();
    const version: NewVersion['version'] = { ...facts, ...aboutOf(about), generation, body: 'file' };
    return this.holding(key, async () => {
      await this.bodies.place(from, key, generation, how);
      try {
        const meta = await this.commits.commit(key, options, { version });
        await this.bodies.settle(key, generation, true);
        return meta;
      } catch (error) {
        await this.commits.giveUp(key, generation);
        throw error;
      }
    });
  }

  private async copyBytes(
    sourceKey: string,
    key: string,
    source: ObjectMeta,
    about: NewObject,
    options: CopyOptions,
  ): Promise<ObjectMeta> {
    const range = { start: 0, end: source.sizeBytes };
    const body = new PlainBody(this.versions.read(sourceKey, source, range, options), source.sizeBytes);
    const algorithm = copyChecksum(source, options.checksumAlgorithm);
    for (const name of ['MD5', algorithm] as const) body.need(name);
    return this.store(key, body, about, options, () => fullChecksum(body, algorithm));
  }

  /**
   * Runs a change with the directories of the key in place, and takes those away that are empty afterwards. Where it is known to leave
   * something there they need not be looked at.
   */
  async holding<T>(key: string, work: () => Promise<T>, leavesSomething = true): Promise<T> {
    const held = await this.keeper.hold(placeOf(key).directories);
    let occupied = false;
    try {
      const result = await work();
      occupied = leavesSomething;
      return result;
    } finally {
      await this.keeper.release(held, !occupied);
    }
  }

  private async listed(entry: { key: string; path: string } | { kind: 'prefix'; key: string }) {
    if ('kind' in entry) return entry;
    try {
      const record = await loadRecord(this.fs, entry.path);
      return record && listedObject(entry.key, record.current);
    } catch (error) {
      if (!(error instanceof DamagedRecordError)) throw error;
      this.damaged.found(error);
      return this.listedDamaged(entry.key, entry.path);
    }
  }

  /**
   * An object that nothing is known of. Left out, it would be taken for deleted by whoever copies the bucket; and it has a byte, since
   * readers pass over an empty object without asking for it.
   */
  private async listedDamaged(key: string, path: string) {
    try {
      const { mtimeNs } = await this.fs.linkStatus(path);
      const lastModifiedMs = Number(mtimeNs / 1_000_000n);
      return listedObject(key, { etag: `${'0'.repeat(32)}-0`, sizeBytes: 1, lastModifiedMs });
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  private moved(key: string): UfsError {
    return this.error('moved', 'the version is not the present one any more', key);
  }

  private error(kind: UfsErrorKind, message: string, key: string): UfsError {
    return new UfsError(kind, message, { backend: this.uri, key });
  }
}

function aboutOf({ headers, userMetadata, storageClass, tags }: NewObject): NewObject {
  return {
    headers,
    userMetadata,
    ...(storageClass === undefined ? {} : { storageClass }),
    ...keptTags(tags),
  };
}
