import { createDigest } from '../common/checksums.ts';
import type { Clock } from '../common/clock.ts';
import { nothing } from '../common/nothing.ts';
import type { ChecksumAlgorithm, ObjectMeta, UploadBody } from '../common/object-meta.ts';
import type {
  Backend,
  CallOptions,
  CompleteOptions,
  CompletePart,
  CreateUploadOptions,
  UploadedPart,
  UploadInfo,
} from '../ufs/backend.ts';
import { UfsError } from '../ufs/errors.ts';
import { toUfsError, withUfsErrors } from '../ufs/file-system.ts';
import { keptAccess } from '../ufs/kept-access.ts';
import {
  type CompletionPlan,
  multipartEtag,
  objectParts,
  pageParts,
  planCompletion,
} from '../ufs/multipart-rules.ts';
import { answeredPart, needPartChecksum, partChecksums, shownPart } from '../ufs/part-checksums.ts';
import { PlainBody } from '../ufs/plain-body.ts';
import { tagCountOf } from '../ufs/tags.ts';
import { checkSignal } from '../ufs/write-rules.ts';
import { type HeldUpload, isHeldUpload, maxHeldUploads } from './held-uploads.ts';
import type { Journal, NewChange } from './journal.ts';
import type { PendingChain } from './pending-chain.ts';
import { isPlainObject } from './plain-writes.ts';
import type { HeldPart } from './records.ts';
import type { StampedVersions } from './stamped-versions.ts';
import type { ThroughWrites } from './through-writes.ts';

export interface BackUploadSettings {
  readonly whenFull: 'through' | 'slow-down';
  /** Whether as many disks as it takes can be written to at this moment. */
  readonly hasCopies: () => boolean;
  readonly isBack: () => boolean;
  /** The storage's own least size of every part but the last, bytes. */
  readonly minPartSizeBytes: number;
}

/** What completing an upload here needs of who acknowledges changes. */
export interface UploadAcknowledger {
  head(key: string, options: CallOptions): Promise<ObjectMeta>;
  /** `change` but for its times is durable; `then` runs before the change is seen. */
  acknowledge(
    key: string,
    options: CompleteOptions,
    change: Pick<NewChange, 'tags' | 'upload'> & {
      meta: Omit<NonNullable<NewChange['meta']>, 'lastModifiedMs'>;
    },
    then: () => Promise<void>,
  ): Promise<ObjectMeta>;
}

/**
 * Uploads in parts whose parts lie here, so that their Complete is acknowledged from the journal. What cannot be held, or has to be decided by the
 * storage, goes there, the parts that came already first; the client's upload id stays.
 */
export class BackUploads {
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #chain: PendingChain;
  readonly #isFit: () => Promise<boolean>;
  readonly #stamped: StampedVersions;
  readonly #through: ThroughWrites;
  readonly #inner: Backend;
  readonly #acknowledger: UploadAcknowledger;
  readonly #settings: BackUploadSettings;

  /** `isFit`: whether the storage gives objects that came in parts the ETag that can be told before, as `UploadTrials`. */
  constructor(
    clock: Clock,
    journal: Journal,
    chain: PendingChain,
    isFit: () => Promise<boolean>,
    stamped: StampedVersions,
    through: ThroughWrites,
    inner: Backend,
    acknowledger: UploadAcknowledger,
    settings: BackUploadSettings,
  ) {
    this.#clock = clock;
    this.#journal = journal;
    this.#chain = chain;
    this.#isFit = isFit;
    this.#stamped = stamped;
    this.#through = through;
    this.#inner = inner;
    this.#acknowledger = acknowledger;
    this.#settings = settings;
  }

  async create(key: string, options: CreateUploadOptions): Promise<UploadInfo> {
    checkSignal(options.signal, this.#inner.uri, key);
    if (!(await this.#canHold(key, options))) return this.#inner.createUpload(key, options);
    const { uploads } = this.#journal;
    if (uploads.count >= maxHeldUploads || !this.#journal.reserve(0)) {
      if (this.#settings.whenFull === 'slow-down') throw this.#busy(key);
      return this.#inner.createUpload(key, options);
    }
    try {
      return (await uploads.create(this.#chain.name, key, options)).info;
    } catch (error) {
      this.#journal.release(0);
      throw toUfsError(error, this.#inner.uri, key);
    }
  }

  async putPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UploadBody,
    options: CallOptions = {},
  ): Promise<UploadedPart> {
    if (!isHeldUpload(uploadId)) return this.#inner.putPart(key, uploadId, partNumber, body, options);
    const upload = this.#get(key, uploadId);
    if (!upload.movedTo && this.#journal.reserve(body.sizeBytes))
      return this.#holdPart(upload, partNumber, body, options);
    if (!upload.movedTo && this.#settings.whenFull === 'slow-down') throw this.#busy(key);
    return this.#inner.putPart(key, await this.#moved(upload), partNumber, body, options);
  }

  async listParts(key: string, uploadId: string, options: Parameters<Backend['listParts']>[2]) {
    if (!isHeldUpload(uploadId)) return this.#inner.listParts(key, uploadId, options);
    const upload = this.#get(key, uploadId);
    const { info } = upload;
    if (upload.movedTo) {
      const found = await this.#inner.listParts(key, await this.#moved(upload), options);
      return { ...found, upload: info };
    }
    const { parts, truncated } = pageParts(upload.parts.values(), options);
    return { upload: info, parts: parts.map((part) => shownPart(info, withoutFile(part))), truncated };
  }

  async abort(key: string, uploadId: string, options: CallOptions = {}): Promise<void> {
    if (!isHeldUpload(uploadId)) return this.#inner.abortUpload(key, uploadId, options);
    await this.#journal.uploads.exclusively(uploadId, async () => {
      const upload = this.#get(key, uploadId);
      if (upload.movedTo) await this.#inner.abortUpload(key, upload.movedTo, options).catch(passOverGone);
      await this.#journal.discardUpload(upload);
    });
  }

  async complete(
    key: string,
    uploadId: string,
    named: readonly CompletePart[],
    options: CompleteOptions,
  ): Promise<ObjectMeta> {
    if (!isHeldUpload(uploadId)) return this.#completeThrough(key, uploadId, named, options);
    const { uploads } = this.#journal;
    const { isBack, hasCopies } = this.#settings;
    const upload = uploads.find(this.#chain.name, key, uploadId);
    // Behind a Complete that is under way.
    if (!upload) return uploads.exclusively(uploadId, () => this.#completedBefore(key, named, options));
    if (upload.movedTo || !isBack() || !hasCopies() || options.condition || options.versioning) {
      const made = await this.#completeThrough(key, await this.#moved(upload), named, options);
      await uploads.exclusively(uploadId, () => this.#journal.discardUpload(upload));
      return made;
    }
    return uploads.exclusively(uploadId, async () => {
      const present = uploads.find(this.#chain.name, key, uploadId);
      if (present?.movedTo) throw this.#busy(key);
      return present
        ? this.#completeHere(present, named, options)
        : this.#completedBefore(key, named, options);
    });
  }

  /** Brings all of an upload's parts to the storage; gives the id of the storage's own upload. */
  moved(key: string, uploadId: string): Promise<string> {
    return this.#moved(this.#get(key, uploadId));
  }

  async #canHold(key: string, options: CreateUploadOptions): Promise<boolean> {
    const { isBack, hasCopies } = this.#settings;
    if (!isBack() || !hasCopies() || options.stamp !== undefined || !isPlainObject(key, options))
      return false;
    try {
      return await this.#isFit();
    } catch (error) {
      // Then the storage itself says what is wrong.
      if (toUfsError(error, this.#inner.uri, key) instanceof UfsError) return false;
      throw error;
    }
  }

  /** Its room is reserved. */
  async #holdPart(
    upload: HeldUpload,
    partNumber: number,
    body: UploadBody,
    { signal }: CallOptions,
  ): Promise<UploadedPart> {
    const { bodies } = this.#journal;
    const { uri } = this.#inner;
    const { key } = upload.info;
    let file: string | undefined;
    try {
      body.need('MD5');
      const algorithm = needPartChecksum(upload.info, body, uri);
      const check = () => checkSignal(signal, uri, key);
      const { name, sizeBytes } = await withUfsErrors(uri, key, () => bodies.write(body, check));
      file = name;
      if (sizeBytes !== body.sizeBytes)
        throw this.#error('io', 'the body has another length than it said', key);
      const part: HeldPart = {
        partNumber,
        sizeBytes,
        etag: body.digest('MD5').toString('hex'),
        lastModifiedMs: this.#clock.nowMs(),
        checksums: partChecksums(body, algorithm),
        file,
      };
      await withUfsErrors(uri, key, () => this.#addPart(upload, part));
      return answeredPart(upload.info, withoutFile(part), body);
    } catch (error) {
      if (file !== undefined) await bodies.remove(file);
      this.#journal.release(body.sizeBytes);
      throw error;
    }
  }

  async #addPart({ info }: HeldUpload, part: HeldPart): Promise<void> {
    const { key, uploadId } = info;
    await this.#journal.uploads.exclusively(uploadId, async () => {
      // It may have ended while the bytes came, or moved: then the client sends the part again.
      const upload = this.#get(key, uploadId);
      if (upload.movedTo) throw this.#busy(key);
      const before = await this.#journal.uploads.addPart(upload, part);
      if (before) this.#journal.release(before.sizeBytes);
    });
  }

  async #completeHere(
    upload: HeldUpload,
    named: readonly CompletePart[],
    options: CompleteOptions,
  ): Promise<ObjectMeta> {
    const { info } = upload;
    const { uri, findPart } = this.#inner;
    const context = { backend: uri, minSizeBytes: this.#settings.minPartSizeBytes };
    const plan = await planCompletion(info, upload.parts, named, options, context, (parts, algorithm) =>
      withUfsErrors(uri, info.key, () => this.#digestAll(parts, algorithm)),
    );
    const { headers, userMetadata, tags, access, checksumAlgorithm, checksumType } = info;
    const meta = {
      ...factsOf(plan),
      headers,
      userMetadata,
      ...tagCountOf(tags),
      ...keptAccess(access),
      // Others say it when they are asked for a part.
      ...(findPart ? {} : { parts: objectParts(plan.parts) }),
    };
    const completed = { id: info.uploadId, checksumAlgorithm, checksumType, parts: plan.parts };
    const change = { meta, tags, upload: completed };
    return this.#acknowledger.acknowledge(info.key, options, change, () =>
      this.#journal.uploadCompleted(upload, plan.parts),
    );
  }

  async #completeThrough(
    key: string,
    uploadId: string,
    named: readonly CompletePart[],
    given: CompleteOptions,
  ): Promise<ObjectMeta> {
    const options = await this.#through.hooked(key, given);
    return this.#through.run(key, options, async () =>
      this.#stamped.shown(key, await this.#inner.completeUpload(key, uploadId, named, options)),
    );
  }

  /** A Complete that is repeated succeeds as long as what the first one made is there. */
  async #completedBefore(
    key: string,
    named: readonly CompletePart[],
    options: CallOptions,
  ): Promise<ObjectMeta> {
    const isKnown = named.length > 0 && named.every(({ etag }) => /^[0-9a-f]{32}$/.test(etag));
    const meta = isKnown ? await this.#acknowledger.head(key, options).catch(passOverGone) : undefined;
    const asParts = named.map((one) => ({ ...one, sizeBytes: 0, lastModifiedMs: 0 }));
    if (meta && meta.etag === multipartEtag(asParts)) return meta;
    throw this.#error('no-such-upload', 'there is no such upload', key);
  }

  /** The id of the storage's own upload, once all parts that came before are there. */
  async #moved({ info }: HeldUpload): Promise<string> {
    const { key, uploadId } = info;
    const { uploads, bodies } = this.#journal;
    const { uri } = this.#inner;
    return uploads.exclusively(uploadId, async () => {
      const upload = this.#get(key, uploadId);
      uploads.touch(upload);
      const movedTo = upload.movedTo ?? (await this.#begunAtStorage(upload));
      for (const part of [...upload.parts.values()]) {
        const { partNumber, sizeBytes, file } = part;
        const bytes = bodies.read(file, sizeBytes, { start: 0, end: sizeBytes }, () => {});
        const sent = new PlainBody(sizeBytes === 0 ? nothing() : bytes, sizeBytes);
        if (info.checksumAlgorithm) sent.need(info.checksumAlgorithm);
        await withUfsErrors(uri, key, () => this.#inner.putPart(key, movedTo, partNumber, sent));
        await withUfsErrors(uri, key, () => uploads.removePart(upload, part));
        this.#journal.release(sizeBytes);
      }
      return movedTo;
    });
  }

  async #begunAtStorage(upload: HeldUpload): Promise<string> {
    const { info } = upload;
    const { uploadId } = await this.#inner.createUpload(info.key, info);
    try {
      await withUfsErrors(this.#inner.uri, info.key, () => this.#journal.uploads.move(upload, uploadId));
      return uploadId;
    } catch (error) {
      await this.#inner.abortUpload(info.key, uploadId).catch(() => undefined);
      throw error;
    }
  }

  async #digestAll(parts: readonly HeldPart[], algorithm: ChecksumAlgorithm): Promise<string> {
    const digest = createDigest(algorithm);
    for (const { file, sizeBytes } of parts) {
      if (sizeBytes === 0) continue;
      const whole = { start: 0, end: sizeBytes };
      for await (const chunk of this.#journal.bodies.read(file, sizeBytes, whole, () => {}))
        digest.update(chunk);
    }
    return digest.digest().toString('base64');
  }

  #get(key: string, uploadId: string): HeldUpload {
    const upload = this.#journal.uploads.find(this.#chain.name, key, uploadId);
    if (upload) return upload;
    throw this.#error('no-such-upload', 'there is no such upload', key);
  }

  #busy(key: string): UfsError {
    return this.#error('throttled', 'the journal of pending writes is full', key);
  }

  #error(kind: 'io' | 'no-such-upload' | 'throttled', message: string, key: string): UfsError {
    return new UfsError(kind, message, { backend: this.#inner.uri, key });
  }
}

function factsOf({ sizeBytes, etag, checksums, checksumType }: CompletionPlan<HeldPart>) {
  return { sizeBytes, etag, ...(checksums ? { checksums, checksumType } : {}) };
}

function passOverGone(error: unknown): undefined {
  if (error instanceof UfsError && (error.kind === 'no-such-upload' || error.kind === 'not-found'))
    return undefined;
  throw error;
}

function withoutFile({ file: _, ...part }: HeldPart): UploadedPart {
  return part;
}
