import type { Clock } from '../common/clock.ts';
import { nothing } from '../common/nothing.ts';
import type { ChecksumAlgorithm, NewObject, ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { CallOptions, CopyOptions, DeleteOptions, ObjectChange, PutOptions } from './backend.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import { type HdfsClient, isAbsent } from './hdfs-client.ts';
import { type HdfsCommits, isFenced } from './hdfs-commit.ts';
import type { HdfsObject, HdfsObjects } from './hdfs-objects.ts';
import type { HdfsPlace } from './hdfs-place.ts';
import type { HdfsReader } from './hdfs-read.ts';
import {
  amendmentName,
  formatAmendment,
  formatRecord,
  generationOf,
  type HdfsRecord,
  inodePath,
  recordName,
  recordOf,
} from './hdfs-record.ts';
import { type HdfsStaging, maxFences, type StagedFile } from './hdfs-staging.ts';
import { KeyLock } from './key-lock.ts';
import { PlainBody } from './plain-body.ts';
import { keptTags } from './tags.ts';
import type { TreeKey } from './tree-keys.ts';
import { checkCondition, checkSignal, copyChecksum, fullChecksum, needChecksum } from './write-rules.ts';

export type Facts = Pick<HdfsRecord, 'etag' | 'checksums' | 'checksumType' | 'parts' | 'uploadId' | 'stamp'>;
type WriteOptions = Pick<PutOptions, 'condition' | 'beforeCommit' | 'signal'>;

export interface HdfsWriterParts {
  readonly client: HdfsClient;
  readonly place: HdfsPlace;
  readonly objects: HdfsObjects;
  readonly reader: HdfsReader;
  readonly staging: HdfsStaging;
  readonly commits: HdfsCommits;
}

/** Every attribute of a record but what is known of the bytes last: whether it has room is told before a byte is sent. */
const widest: Facts = {
  etag: 'f'.repeat(40),
  checksums: { SHA256: 'f'.repeat(48) },
  checksumType: 'FULL_OBJECT',
};

/** Changes of objects: files that are written aside, given their attributes, and renamed into their place. */
export class HdfsWriter {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #its: HdfsWriterParts;
  readonly #uri: string;
  readonly #lock = new KeyLock();

  constructor(clock: Clock, random: Random, its: HdfsWriterParts) {
    this.#clock = clock;
    this.#random = random;
    this.#its = its;
    this.#uri = its.place.uri;
  }

  async put(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    const parsed = this.#its.place.require(key);
    await this.checkEarly(key, options, options);
    body.need('MD5');
    const algorithm = needChecksum(body);
    const stamp = options.stamp === undefined ? {} : { stamp: options.stamp };
    const facts = () => ({ ...digestsOf(body, algorithm), ...stamp });
    return this.#store(key, parsed, body, options, options, facts);
  }

  async copy(sourceKey: string, key: string, options: CopyOptions): Promise<ObjectMeta> {
    const { place, objects, reader } = this.#its;
    const parsed = place.require(key);
    const source = await objects.find(sourceKey, options.signal);
    if (!source) throw this.#error('not-found', 'there is no such object', sourceKey);
    const { meta } = source;
    if (meta.generation !== options.sourceGeneration) {
      throw this.#error('moved', 'the source is not the expected version', sourceKey);
    }
    const about: NewObject = { ...(options.replace ?? meta), tags: options.tags ?? source.tags };
    await this.checkEarly(key, about, options);
    const range = { start: 0, end: meta.sizeBytes };
    const path = place.path(place.require(sourceKey).segments);
    const bytes = meta.sizeBytes > 0 ? reader.read(sourceKey, path, meta, range, options) : nothing();
    const body = new PlainBody(bytes, meta.sizeBytes);
    const algorithm = copyChecksum(meta, options.checksumAlgorithm);
    for (const name of ['MD5', algorithm] as const) body.need(name);
    return this.#store(key, parsed, body, about, options, () => digestsOf(body, algorithm));
  }

  /** Refuses what cannot succeed, before a body is read for nothing. */
  async checkEarly(key: string, about: NewObject, { condition, signal }: WriteOptions): Promise<void> {
    checkSignal(signal, this.#uri, key);
    formatRecord(recordOf('f'.repeat(60), about, widest), { backend: this.#uri, key });
    if (condition)
      checkCondition(condition, (await this.#its.objects.find(key, signal))?.meta, this.#uri, key);
  }

  /** Makes a file that lies in this process's folder the object, with its attributes. */
  async commit(
    key: string,
    staged: StagedFile,
    about: NewObject,
    options: WriteOptions,
    facts: Facts,
    withdraw: () => Promise<boolean>,
  ): Promise<ObjectMeta> {
    const { client, place, objects, commits, staging } = this.#its;
    const { signal, condition } = options;
    const to = place.path(place.require(key).segments);
    const record = recordOf(generationOf(staged.status), about, facts);
    const value = formatRecord(record, { backend: this.#uri, key });
    await client.setAttribute(staged.path, recordName, value, { key, signal, repeated: true });
    return this.#lock.run(key, async () => {
      await commits.settle(key);
      await options.beforeCommit?.();
      checkSignal(signal, this.#uri, key);
      const { fileId } = staged.status;
      for (let attempt = 1; ; attempt++) {
        try {
          await commits.place({ key, from: staged.path, fileId, to, condition, signal, withdraw });
          break;
        } catch (error) {
          if (!isFenced(error) || attempt === maxFences) throw error;
          if (!(await staging.rescue(staged, { key, signal }))) throw error;
          // Another node may own the key by now: then this rejects.
          await options.beforeCommit?.();
        }
      }
      const made = objects.describe(staged.status, new Map([[recordName, value]]));
      return (made as HdfsObject).meta;
    });
  }

  async delete(key: string, { signal, beforeCommit }: DeleteOptions): Promise<void> {
    const { client, place, commits } = this.#its;
    checkSignal(signal, this.#uri, key);
    const parsed = place.parse(key);
    if (!parsed) return;
    const path = place.path(parsed.segments);
    if (parsed.isFolder) return this.#deleteMarker(key, parsed, { signal, beforeCommit });
    await this.#lock.run(key, async () => {
      await commits.settle(key);
      if ((await client.find(path, { key, signal }))?.type === 'FILE') {
        await commits.take(key, path, beforeCommit, signal);
      }
    });
    await this.prune(parsed.segments.slice(0, -1));
  }

  async amend(key: string, change: ObjectChange, { signal }: CallOptions = {}): Promise<ObjectMeta> {
    const { client, objects, commits, place } = this.#its;
    return this.#lock.run(key, async () => {
      await commits.settle(key);
      const found = await objects.find(key, signal);
      if (!found) throw this.#error('not-found', 'there is no such object', key);
      const { generation } = found.meta;
      if ((change.generation ?? generation) !== generation)
        throw this.#error('moved', 'the file has changed', key);
      const amendment = { generation, ...keptTags(change.tags ?? found.tags) };
      const value = formatAmendment(amendment, { backend: this.#uri, key });
      const { fileId } = found.status;
      // By its inode, so that no other version is changed that takes its place meanwhile.
      const path = fileId > 0 ? inodePath(fileId) : place.path(place.require(key).segments);
      await client.setAttribute(path, amendmentName, value, { key, signal });
      return (await objects.find(key, signal))?.meta ?? found.meta;
    });
  }

  async getTags(key: string, { signal }: CallOptions = {}): Promise<readonly Tag[]> {
    const found = await this.#its.objects.find(key, signal);
    if (!found) throw this.#error('not-found', 'there is no such object', key);
    return found.tags;
  }

  /** Removes directories that became empty, from the deepest up to one that was put as a marker. What fails leaves them. */
  async prune(segments: readonly string[]): Promise<void> {
    const { client, place, objects } = this.#its;
    for (let depth = segments.length; depth > 0; depth--) {
      const path = place.path(segments.slice(0, depth));
      const removed = await this.#lock.run(`${path}/`, async () => {
        try {
          const status = await client.find(path);
          if (!status) return true;
          if (status.type !== 'DIRECTORY' || (status.childrenNum ?? 0) > 0) return false;
          if (await objects.ofListed(path, status, {})) return false;
          // It refuses to remove what came to hold something.
          return await client.remove(path);
        } catch {
          return false;
        }
      });
      if (!removed) return;
    }
  }

  async #store(
    key: string,
    parsed: TreeKey,
    body: UploadBody,
    about: NewObject,
    options: WriteOptions,
    facts: () => Facts,
  ): Promise<ObjectMeta> {
    if (parsed.isFolder) return this.#putMarker(key, parsed, body, about, options, facts);
    const { client, staging } = this.#its;
    const staged = await staging.write(body, { key, signal: options.signal });
    try {
      const withdraw = () => client.remove(staged.path, { key }).catch(absentIsFalse);
      return await this.commit(key, staged, about, options, facts(), withdraw);
    } catch (error) {
      // One that may still become visible is taken away before its key changes again.
      if (!(error instanceof UfsError && error.unresolved)) staging.removeLater(staged.path);
      await this.prune(parsed.segments.slice(0, -1));
      throw error;
    }
  }

  /** A folder marker has no bytes: the directory stands for it, and an attribute says that it was put. */
  async #putMarker(
    key: string,
    { segments }: TreeKey,
    body: UploadBody,
    about: NewObject,
    { condition, signal, beforeCommit }: WriteOptions,
    facts: () => Facts,
  ): Promise<ObjectMeta> {
    const { client, place, objects } = this.#its;
    if (body.sizeBytes > 0) {
      throw this.#error('invalid-key', 'a key that ends with a slash can have no bytes here', key);
    }
    for await (const chunk of body)
      if (chunk.length > 0) throw this.#error('io', 'the body is not empty', key);
    const path = place.path(segments);
    const made = await this.#lock.run(`${path}/`, async () => {
      await beforeCommit?.();
      checkCondition(condition, (await objects.find(key, signal))?.meta, this.#uri, key);
      checkSignal(signal, this.#uri, key);
      await client.makeDirectory(path, { key, signal }).catch((error) => {
        throw this.#inTheWay(error, key);
      });
      const markerMs = this.#clock.nowMs();
      const record = { ...recordOf(`marker.${this.#random.uuid()}`, about, facts()), markerMs };
      const value = formatRecord(record, { backend: this.#uri, key });
      const only = condition && 'ifNoneMatch' in condition ? 'new' : undefined;
      await client.setAttribute(path, recordName, value, { key, signal, only }).catch((error) => {
        if (!(error instanceof UfsError && /already exists/.test(error.message))) throw error;
        throw this.#error('precondition-failed', 'the object exists', key);
      });
      return objects.find(key, signal);
    });
    if (!made) throw this.#error('conflict', 'somebody else removed the folder', key);
    return made.meta;
  }

  async #deleteMarker(
    key: string,
    { segments }: TreeKey,
    { signal, beforeCommit }: DeleteOptions,
  ): Promise<void> {
    const { client, place, objects } = this.#its;
    const path = place.path(segments);
    await this.#lock.run(`${path}/`, async () => {
      if (!(await objects.find(key, signal))) return;
      await beforeCommit?.();
      await client.removeAttribute(path, recordName, { key, signal }).catch((error) => {
        // Somebody else took it away, or the whole directory.
        if (!isAbsent(error) && !/No matching attributes/.test((error as Error).message)) throw error;
      });
    });
    await this.prune(segments);
  }

  #inTheWay(error: unknown, key: string): unknown {
    if (!(error instanceof UfsError)) return error;
    if (error.kind !== 'conflict' && error.kind !== 'key-conflict') return error;
    return this.#error('key-conflict', 'a file and a folder cannot have one name', key);
  }

  #error(kind: UfsErrorKind, message: string, key: string): UfsError {
    return new UfsError(kind, message, { backend: this.#uri, key });
  }
}

function digestsOf(body: UploadBody, algorithm: ChecksumAlgorithm): Facts {
  return { etag: body.digest('MD5').toString('hex'), ...fullChecksum(body, algorithm) };
}

function absentIsFalse(error: unknown): false {
  if (isAbsent(error)) return false;
  throw error;
}
