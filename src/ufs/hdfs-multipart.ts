import { createDigest } from '../common/checksums.ts';
import type { Clock } from '../common/clock.ts';
import type { ChecksumAlgorithm, ObjectMeta, UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type {
  CallOptions,
  CompleteOptions,
  CompletePart,
  CreateUploadOptions,
  ListUploadsOptions,
  ListUploadsPage,
  UploadedPart,
  UploadInfo,
} from './backend.ts';
import { UfsError } from './errors.ts';
import type { Assembly, HdfsAssembler } from './hdfs-assembly.ts';
import { type HdfsClient, type HdfsStatus, isAbsent } from './hdfs-client.ts';
import { entriesOf } from './hdfs-fence.ts';
import type { HdfsObjects } from './hdfs-objects.ts';
import { type HdfsPart, type HdfsParts, shown } from './hdfs-parts.ts';
import type { HdfsPlace } from './hdfs-place.ts';
import type { HdfsReader } from './hdfs-read.ts';
import { generationOf } from './hdfs-record.ts';
import type { HdfsStaging, StagedFile } from './hdfs-staging.ts';
import type { HdfsWriter } from './hdfs-write.ts';
import { KeyLock } from './key-lock.ts';
import { minPartSizeBytes, objectParts, pageParts, planCompletion } from './multipart-rules.ts';
import { shownPart } from './part-checksums.ts';
import { parseRunFolder } from './run-folders.ts';
import { isUploadId, UploadIds } from './upload-ids.ts';
import { UploadIndex } from './upload-index.ts';
import { uploadInfoOf } from './upload-info.ts';
import { checkSignal } from './write-rules.ts';

/** The attribute of an upload's folder that says what was said when it was begun. Without it there is no upload. */
const uploadName = 'forebay.upload';
const maxInfoBytes = 16_000;

export interface HdfsMultipartParts {
  readonly client: HdfsClient;
  readonly place: HdfsPlace;
  readonly objects: HdfsObjects;
  readonly reader: HdfsReader;
  readonly staging: HdfsStaging;
  readonly writer: HdfsWriter;
  readonly parts: HdfsParts;
  readonly assembler: HdfsAssembler;
}

/** Multipart uploads: a folder each below `.forebay/uploads`, with a file for each part. Nothing of an upload is remembered here. */
export class HdfsMultipart {
  readonly #clock: Clock;
  readonly #its: HdfsMultipartParts;
  readonly #uri: string;
  readonly #minPartSizeBytes: number;
  readonly #maxCount: number;
  readonly #ids: UploadIds;
  readonly #index: UploadIndex;
  readonly #lock = new KeyLock();

  constructor(
    clock: Clock,
    random: Random,
    its: HdfsMultipartParts,
    settings: { readonly minPartSizeBytes?: number; readonly maxCount: number },
  ) {
    this.#clock = clock;
    this.#its = its;
    this.#uri = its.place.uri;
    this.#minPartSizeBytes = settings.minPartSizeBytes ?? minPartSizeBytes;
    this.#maxCount = settings.maxCount;
    this.#ids = new UploadIds(clock, random);
    const directory = {
      names: () => this.#names(),
      read: (uploadId: string, signal?: AbortSignal) => this.#read(uploadId, signal),
    };
    this.#index = new UploadIndex(directory, true);
  }

  async create(key: string, options: CreateUploadOptions): Promise<UploadInfo> {
    const { client, place, parts, writer } = this.#its;
    const { signal } = options;
    if (place.require(key).isFolder) {
      throw new UfsError('invalid-key', 'a folder marker has no parts', { backend: this.#uri, key });
    }
    await writer.checkEarly(key, options, { signal });
    if (this.#index.count >= this.#maxCount) await this.#index.look();
    if (this.#index.count >= this.#maxCount) {
      const message = `${this.#maxCount} uploads are under way: complete or abort some`;
      throw new UfsError('throttled', message, { backend: this.#uri, key });
    }
    const { access: _, initiator: __, ...about } = options;
    const info = uploadInfoOf(key, this.#ids.next(), this.#clock.nowMs(), about);
    const value = Buffer.from(JSON.stringify(info));
    if (value.length > maxInfoBytes) {
      const message = `the metadata take more than the ${maxInfoBytes} bytes that HDFS keeps beside a folder`;
      throw new UfsError('refused', message, { backend: this.#uri, key, code: 'MetadataTooLarge' });
    }
    const folder = parts.folder(info.uploadId);
    await client.makeDirectory(folder, { key, signal });
    await client.setAttribute(folder, uploadName, value, { key, signal, repeated: true });
    this.#index.add(info);
    return info;
  }

  async putPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UploadBody,
    { signal }: CallOptions = {},
  ): Promise<UploadedPart> {
    checkSignal(signal, this.#uri, key);
    return this.#its.parts.put(await this.#get(key, uploadId, signal), partNumber, body, signal);
  }

  async listParts(
    key: string,
    uploadId: string,
    {
      afterPartNumber = 0,
      limit,
      signal,
    }: CallOptions & { readonly afterPartNumber?: number; readonly limit: number },
  ) {
    const upload = await this.#get(key, uploadId, signal);
    try {
      const { stored } = await this.#stored(key, uploadId, afterPartNumber, signal);
      const { parts, truncated } = pageParts(stored.values(), { afterPartNumber, limit });
      return { upload, parts: parts.map((part) => shownPart(upload, shown(part))), truncated };
    } catch (error) {
      throw isAbsent(error) ? this.#noSuchUpload(key, error) : error;
    }
  }

  async complete(
    key: string,
    uploadId: string,
    named: readonly CompletePart[],
    options: CompleteOptions,
  ): Promise<ObjectMeta> {
    checkSignal(options.signal, this.#uri, key);
    return this.#lock.run(uploadId, async () => {
      const made = isUploadId(uploadId) ? await this.#its.objects.find(key, options.signal) : undefined;
      if (made?.record?.uploadId === uploadId) {
        // Whoever made the object may have been killed before the upload was taken away.
        await this.#end(uploadId);
        return made.meta;
      }
      try {
        const meta = await this.#complete(key, uploadId, named, options);
        await this.#end(uploadId);
        return meta;
      } catch (error) {
        throw isAbsent(error) ? this.#noSuchUpload(key, error) : error;
      }
    });
  }

  async abort(key: string, uploadId: string, { signal }: CallOptions = {}): Promise<void> {
    const { client, parts } = this.#its;
    await this.#get(key, uploadId, signal);
    await this.#lock.run(uploadId, async () => {
      const removed = await client.remove(parts.folder(uploadId), { key, signal, recursive: true });
      this.#index.remove(uploadId);
      if (!removed) throw this.#noSuchUpload(key);
    });
  }

  async list(options: ListUploadsOptions): Promise<ListUploadsPage> {
    checkSignal(options.signal, this.#uri, options.prefix);
    return this.#index.list(options);
  }

  /** Removes what has lain still since then: uploads, and what runs that are over have left behind. */
  async removeIdle(sinceMs: number): Promise<void> {
    const { client, place, staging, parts } = this.#its;
    for (const { pathSuffix, modificationTime } of await this.#children(`${place.own}/uploads`)) {
      if (isUploadId(pathSuffix) && modificationTime < sinceMs) {
        await client.remove(parts.folder(pathSuffix), { recursive: true });
      }
    }
    for (const { pathSuffix, type, modificationTime } of await this.#children(place.own)) {
      const folder = `${place.own}/${pathSuffix}`;
      if (!parseRunFolder(pathSuffix) || folder === staging.folder) continue;
      const isOld = modificationTime < sinceMs;
      if (type === 'FILE') {
        if (isOld) await client.remove(folder);
        continue;
      }
      const files = await this.#children(folder);
      const old = files.filter((file) => file.modificationTime < sinceMs);
      for (const file of old) await client.remove(`${folder}/${file.pathSuffix}`, { recursive: true });
      // A folder that was used of late may be that of a node which counts on it.
      if (isOld && old.length === files.length) await client.remove(folder).catch(() => false);
    }
  }

  async #complete(
    key: string,
    uploadId: string,
    named: readonly CompletePart[],
    options: CompleteOptions,
  ): Promise<ObjectMeta> {
    const { writer, assembler } = this.#its;
    const { signal } = options;
    const about = { key, signal };
    const upload = await this.#get(key, uploadId, signal);
    const { stored, begun } = await this.#stored(key, uploadId, 0, signal);
    const context = { backend: this.#uri, minSizeBytes: this.#minPartSizeBytes };
    const digest = (chosen: readonly HdfsPart[], algorithm: ChecksumAlgorithm) =>
      this.#digest(uploadId, begun ? undefined : chosen, algorithm, about, begun);
    const plan = await planCompletion(upload, stored, named, options, context, digest);
    if (begun && !isSame(begun, plan.parts)) {
      const message = 'a Complete of this upload with other parts has used them up already';
      throw new UfsError('invalid-part', message, { backend: this.#uri, key });
    }
    await writer.checkEarly(key, upload, { ...options });
    const whole = await assembler.assemble(uploadId, plan.parts, about);
    const { etag, checksums, checksumType } = plan;
    const facts = {
      etag,
      parts: objectParts(plan.parts),
      uploadId,
      ...(checksums ? { checksums, checksumType } : {}),
    };
    const staged = await assembler.adopt(uploadId, whole, about);
    const giveBack = () => assembler.giveBack(uploadId, staged, { key });
    try {
      return await writer.commit(key, staged, upload, options, facts, giveBack);
    } catch (error) {
      // One that may still become visible is given back before its key changes again; one that stays there a later Complete finds.
      if (!(error instanceof UfsError && error.unresolved)) await giveBack().catch(() => false);
      throw error;
    }
  }

  /** The parts that there are, those that an assembly has used up too. */
  async #stored(key: string, uploadId: string, afterPartNumber: number, signal: AbortSignal | undefined) {
    const { parts, assembler } = this.#its;
    const stored = await parts.stored(uploadId, afterPartNumber, { key, signal });
    const begun = await assembler.begun(uploadId, { key, signal });
    for (const part of begun?.parts ?? []) stored.set(part.partNumber, part);
    return { stored, begun };
  }

  /** Reads parts through, for a checksum that they were not stored with. */
  async #digest(
    uploadId: string,
    chosen: readonly HdfsPart[] | undefined,
    algorithm: ChecksumAlgorithm,
    about: { readonly key: string; readonly signal: AbortSignal | undefined },
    begun: Assembly | undefined,
  ): Promise<string> {
    const { client, reader, parts, assembler } = this.#its;
    const files: StagedFile[] = begun ? [await assembler.assemble(uploadId, begun.parts, about)] : [];
    for (const { name } of chosen ?? []) {
      const path = `${parts.folder(uploadId)}/${name}`;
      files.push({ path, status: await client.status(path, about) });
    }
    const digest = createDigest(algorithm);
    for (const { path, status } of files) {
      if (status.length === 0) continue;
      const range = { start: 0, end: status.length };
      const bytes = reader.read(about.key, path, { generation: generationOf(status) }, range, about);
      for await (const piece of bytes) digest.update(piece);
    }
    return digest.digest().toString('base64');
  }

  /** The object is there: what becomes of its upload changes nothing of that. */
  async #end(uploadId: string): Promise<void> {
    const { client, parts } = this.#its;
    await client.remove(parts.folder(uploadId), { recursive: true }).catch(() => undefined);
    this.#index.remove(uploadId);
  }

  async #get(key: string, uploadId: string, signal: AbortSignal | undefined): Promise<UploadInfo> {
    const upload = await this.#read(uploadId, signal);
    if (upload?.key !== key) throw this.#noSuchUpload(key);
    return upload;
  }

  async #read(uploadId: string, signal?: AbortSignal): Promise<UploadInfo | undefined> {
    if (!isUploadId(uploadId)) return undefined;
    try {
      const attributes = await this.#its.client.attributes(this.#its.parts.folder(uploadId), { signal });
      const value = attributes.get(uploadName);
      return value && (JSON.parse(value.toString()) as UploadInfo);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  async #names(): Promise<readonly string[]> {
    const children = await this.#children(`${this.#its.place.own}/uploads`);
    return children.map(({ pathSuffix }) => pathSuffix).filter(isUploadId);
  }

  async #children(path: string): Promise<readonly HdfsStatus[]> {
    const children: HdfsStatus[] = [];
    for await (const entry of entriesOf(this.#its.client, path)) children.push(entry);
    return children;
  }

  #noSuchUpload(key: string, cause?: unknown): UfsError {
    return new UfsError('no-such-upload', 'there is no such upload', { backend: this.#uri, key, cause });
  }
}

function isSame({ parts }: Assembly, others: readonly HdfsPart[]): boolean {
  return parts.length === others.length && parts.every(({ name }, i) => name === others[i]?.name);
}
