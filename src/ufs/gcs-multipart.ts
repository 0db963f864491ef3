import { combineCrcs } from '../common/checksum-combine.ts';
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
import { orAbsent, UfsError } from './errors.ts';
import { composeDown } from './gcs-compose.ts';
import type { GcsHidden } from './gcs-hidden.ts';
import { type GcsObject, resourceOf } from './gcs-object.ts';
import { type GcsPart, type GcsParts, uploadFolder, withoutObject } from './gcs-parts.ts';
import { type GcsPlace, hiddenPrefix } from './gcs-place.ts';
import type { GcsReader } from './gcs-read.ts';
import { type Expected, type GcsReplacer, stampOf } from './gcs-replace.ts';
import type { GcsRewriter } from './gcs-rewrite.ts';
import {
  type CompletionPlan,
  minPartSizeBytes,
  objectParts,
  pageParts,
  planCompletion,
} from './multipart-rules.ts';
import { shownPart } from './part-checksums.ts';
import { isUploadId, UploadIds } from './upload-ids.ts';
import { UploadIndex } from './upload-index.ts';
import { uploadInfoOf } from './upload-info.ts';
import { checkSignal } from './write-rules.ts';

export interface GcsMultipartParts {
  readonly place: GcsPlace;
  readonly reader: GcsReader;
  readonly replacer: GcsReplacer;
  readonly rewriter: GcsRewriter;
  readonly hidden: GcsHidden;
  readonly parts: GcsParts;
}

/**
 * Multipart uploads: what began them and their parts are objects below the hidden prefix, and Complete composes the parts. Nothing of an
 * upload is remembered here, so that every node may go on with it.
 */
export class GcsMultipart {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #its: GcsMultipartParts;
  readonly #minPartSizeBytes: number;
  readonly #maxCount: number;
  readonly #ids: UploadIds;
  readonly #index: UploadIndex;

  constructor(
    clock: Clock,
    random: Random,
    its: GcsMultipartParts,
    settings: { readonly minPartSizeBytes?: number; readonly maxCount: number },
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#its = its;
    this.#minPartSizeBytes = settings.minPartSizeBytes ?? minPartSizeBytes;
    this.#maxCount = settings.maxCount;
    this.#ids = new UploadIds(clock, random);
    const directory = {
      names: () => its.hidden.folders(`${hiddenPrefix}uploads/`, undefined),
      read: (uploadId: string, signal?: AbortSignal) => this.#read(uploadId, signal),
    };
    this.#index = new UploadIndex(directory, true);
  }

  async create(key: string, options: CreateUploadOptions): Promise<UploadInfo> {
    const { place, hidden } = this.#its;
    place.checkHeld(key, 'invalid-key');
    checkSignal(options.signal, place.uri, key);
    // Whether it can be made of this metadata is told before a part is sent.
    resourceOf(options, { stamp: '', crc32c: '' }, { backend: place.uri, key });
    if (this.#index.count >= this.#maxCount) await this.#index.look();
    if (this.#index.count >= this.#maxCount) {
      const message = `${this.#maxCount} uploads are under way: complete or abort some`;
      throw new UfsError('throttled', message, { backend: place.uri, key });
    }
    const info = uploadInfoOf(key, this.#ids.next(), this.#clock.nowMs(), options);
    await hidden.writeJson(key, recordName(info.uploadId), info, options.signal);
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
    checkSignal(signal, this.#its.place.uri, key);
    const upload = await this.#get(key, uploadId, signal);
    const { part, name } = await this.#its.parts.put(upload, partNumber, body, signal);
    // The upload may have ended meanwhile, and nobody would find the part.
    if (await this.#read(uploadId, signal)) return part;
    this.#its.hidden.removeLater(name);
    throw this.#noSuchUpload(key);
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
    const stored = await this.#its.parts.stored(uploadId, afterPartNumber, signal);
    const { parts, truncated } = pageParts(stored.values(), { afterPartNumber, limit });
    return { upload, parts: parts.map((part) => shownPart(upload, withoutObject(part))), truncated };
  }

  async complete(
    key: string,
    uploadId: string,
    named: readonly CompletePart[],
    options: CompleteOptions,
  ): Promise<ObjectMeta> {
    const { place, reader } = this.#its;
    checkSignal(options.signal, place.uri, key);
    try {
      const made = await this.#complete(key, uploadId, named, options);
      await this.#end(uploadId);
      return reader.shown(key, made);
    } catch (error) {
      // The upload's own object may be there already: of a Complete that is repeated, or of another one at the same time.
      const repeated =
        error instanceof UfsError &&
        ['no-such-upload', 'invalid-part', 'precondition-failed', 'moved'].includes(error.kind);
      if (!repeated) throw error;
      const made = await this.#made(key, uploadId, options.signal);
      if (made) return reader.shown(key, made);
      throw error.kind === 'moved' ? this.#noSuchUpload(key, error) : error;
    }
  }

  async #complete(
    key: string,
    uploadId: string,
    named: readonly CompletePart[],
    options: CompleteOptions,
  ): Promise<GcsObject> {
    const { place, rewriter, replacer, parts } = this.#its;
    const { signal, condition } = options;
    const upload = await this.#get(key, uploadId, signal);
    const stored = await parts.stored(uploadId, 0, signal);
    const context = { backend: place.uri, minSizeBytes: this.#minPartSizeBytes };
    const plan = await planCompletion(upload, stored, named, options, context, (chosen, algorithm) =>
      this.#digest(key, chosen, algorithm, signal),
    );
    const resource = this.#resourceOf(upload, plan);
    const call = { operation: 'objects.compose', key, signal };
    const sources = plan.parts.map(({ name, object }) => ({ key: name, generation: object.generation }));
    const { storageClass } = resource;
    const about = { uploadId, resource: { storageClass, contentType: 'application/octet-stream' } };
    const few = await composeDown(this.#random, rewriter, call, sources, about);
    const made = await replacer.replace(
      { key, ability: 'conditionalComplete', condition, signal, stamp: uploadId },
      async (expected: Expected, present) => {
        // Another Complete of this upload came first.
        if (present && stampOf(present) === uploadId) return present;
        const { beforeCommit } = options;
        return rewriter.compose({ ...call, beforeCommit }, few, key, resource, expected);
      },
    );
    return made as GcsObject;
  }

  /** The object is there: what becomes of its upload changes nothing of that. */
  async #end(uploadId: string): Promise<void> {
    const { hidden } = this.#its;
    await hidden.remove(recordName(uploadId)).catch(() => undefined);
    hidden.removeLater(uploadFolder(uploadId));
  }

  #resourceOf(upload: UploadInfo, plan: CompletionPlan<GcsPart>) {
    const crcs = plan.parts.map(({ object, sizeBytes }) => ({
      crc: Buffer.from(object.crc32c ?? '', 'base64'),
      sizeBytes,
    }));
    const recorded = {
      stamp: upload.uploadId,
      crc32c: combineCrcs('CRC32C', crcs).toString('base64'),
      etag: plan.etag,
      checksums: plan.checksums,
      checksumType: plan.checksumType,
      parts: objectParts(plan.parts),
    };
    return resourceOf(upload, recorded, { backend: this.#its.place.uri, key: upload.key });
  }

  async abort(key: string, uploadId: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#get(key, uploadId, signal);
    // Without it there is no upload any more, whatever else of it is still there.
    const removed = await this.#its.hidden.remove(recordName(uploadId), undefined, signal);
    this.#its.hidden.removeLater(uploadFolder(uploadId));
    if (!removed) throw this.#noSuchUpload(key);
  }

  async list(options: ListUploadsOptions): Promise<ListUploadsPage> {
    checkSignal(options.signal, this.#its.place.uri, options.prefix);
    return this.#index.list(options);
  }

  /** Removes what has lain still since then: uploads, what is left of ended ones, and bodies that never became objects. */
  async removeIdle(sinceMs: number): Promise<void> {
    const { hidden } = this.#its;
    for (const uploadId of await hidden.folders(`${hiddenPrefix}uploads/`, undefined)) {
      if (!isUploadId(uploadId)) continue;
      const objects = await hidden.objects(uploadFolder(uploadId));
      if (objects.some(({ timeCreated }) => Date.parse(timeCreated) >= sinceMs)) continue;
      await hidden.remove(recordName(uploadId));
      await hidden.removeAll(uploadFolder(uploadId));
    }
    for (const { name, timeCreated, generation } of await hidden.objects(`${hiddenPrefix}staged/`)) {
      const key = this.#its.place.keyOf(name);
      if (key && Date.parse(timeCreated) < sinceMs) await hidden.remove(key, generation);
    }
  }

  /** The object that this upload made, if that is what lies there. */
  async #made(
    key: string,
    uploadId: string,
    signal: AbortSignal | undefined,
  ): Promise<GcsObject | undefined> {
    const object = await orAbsent(this.#its.reader.object(key, signal));
    return object && isUploadId(uploadId) && stampOf(object) === uploadId ? object : undefined;
  }

  async #get(key: string, uploadId: string, signal: AbortSignal | undefined): Promise<UploadInfo> {
    const upload = await this.#read(uploadId, signal);
    if (upload?.key !== key) throw this.#noSuchUpload(key);
    return upload;
  }

  async #read(uploadId: string, signal: AbortSignal | undefined): Promise<UploadInfo | undefined> {
    if (!isUploadId(uploadId)) return undefined;
    return this.#its.hidden.readJson<UploadInfo>(undefined, recordName(uploadId), signal);
  }

  /** Reads parts through, for a checksum that they were not stored with. */
  async #digest(
    key: string,
    parts: readonly GcsPart[],
    algorithm: ChecksumAlgorithm,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const digest = createDigest(algorithm);
    for (const { name, object, sizeBytes } of parts) {
      if (sizeBytes === 0) continue;
      const version = { generation: object.generation, sizeBytes };
      const bytes = this.#its.reader.read(name, version, { start: 0, end: sizeBytes }, { signal });
      for await (const piece of bytes) digest.update(piece);
    }
    checkSignal(signal, this.#its.place.uri, key);
    return digest.digest().toString('base64');
  }

  #noSuchUpload(key: string, cause?: unknown): UfsError {
    return new UfsError('no-such-upload', 'there is no such upload', {
      backend: this.#its.place.uri,
      key,
      cause,
    });
  }
}

function recordName(uploadId: string): string {
  return `${uploadFolder(uploadId)}upload`;
}
