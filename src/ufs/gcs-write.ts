import type { ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { DeleteOptions, ObjectChange, PutOptions, VersionOptions, WriteCondition } from './backend.ts';
import { UfsError } from './errors.ts';
import { type BodyContext, crc32cOf, wholeBody } from './gcs-body.ts';
import { type GcsConnection, jsonOf } from './gcs-connection.ts';
import type { GcsHidden } from './gcs-hidden.ts';
import { objectPath } from './gcs-names.ts';
import { type GcsObject, metaOf, objectFields, resourceOf, withRecord } from './gcs-object.ts';
import type { GcsPlace } from './gcs-place.ts';
import type { GcsReader } from './gcs-read.ts';
import { type GcsRecord, parseRecord, recordEntry } from './gcs-record.ts';
import { type GcsReplacer, generationMatch } from './gcs-replace.ts';
import type { GcsRewriter } from './gcs-rewrite.ts';
import type { GcsUploader } from './gcs-upload.ts';
import { checkCondition, checkSignal, fullChecksum, needChecksum } from './write-rules.ts';

/** Others may change an object's metadata again and again. */
const amendAttempts = 5;

/** Put, delete and amend. What changes an object is sent once, and names the generation that it replaces. */
export class GcsWriter {
  readonly #random: Random;
  readonly #connection: GcsConnection;
  readonly #place: GcsPlace;
  readonly #reader: GcsReader;
  readonly #replacer: GcsReplacer;
  readonly #uploader: GcsUploader;
  readonly #rewriter: GcsRewriter;
  readonly #hidden: GcsHidden;

  constructor(
    random: Random,
    connection: GcsConnection,
    place: GcsPlace,
    reader: GcsReader,
    replacer: GcsReplacer,
    uploader: GcsUploader,
    rewriter: GcsRewriter,
    hidden: GcsHidden,
  ) {
    this.#random = random;
    this.#connection = connection;
    this.#place = place;
    this.#reader = reader;
    this.#replacer = replacer;
    this.#uploader = uploader;
    this.#rewriter = rewriter;
    this.#hidden = hidden;
  }

  async put(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    this.#place.checkHeld(key, 'invalid-key');
    const { signal, condition } = options;
    checkSignal(signal, this.#place.uri, key);
    const { smallBodyBytes, pieceBytes } = this.#connection.tuning;
    const isSmall = body.sizeBytes <= smallBodyBytes;
    if (condition && !isSmall) await this.#refuseEarly(key, condition, signal);
    if (isSmall) return this.#putWhole(key, body, options);
    return this.#connection.under(this.#connection.large, signal, () =>
      body.sizeBytes <= pieceBytes ? this.#putWhole(key, body, options) : this.#putStaged(key, body, options),
    );
  }

  /** One request that makes the object, with everything that is told of it. */
  async #putWhole(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    const { signal, condition } = options;
    const algorithm = needChecksum(body);
    body.need('CRC32C');
    const bytes = await wholeBody(body, this.#connection.tuning.pieceBytes, this.#context(key, signal));
    const stamp = options.stamp ?? this.#random.uuid();
    const crc32c = crc32cOf(body);
    const recorded = { stamp, crc32c, ...fullChecksum(body, algorithm) };
    // Cloud Storage refuses bytes that do not have it ("Objects: insert", crc32c).
    const resource = { ...resourceOf(options, recorded, this.#about(key)), crc32c };
    const { beforeCommit } = options;
    const call = { operation: 'objects.insert', key, signal, beforeCommit };
    const made = await this.#replacer.replace(
      { key, ability: 'conditionalPut', condition, signal, stamp },
      (expected) => this.#uploader.insert({ call, key, resource, expected }, bytes),
    );
    return this.#reader.shown(key, made as GcsObject);
  }

  /**
   * A large body goes up under a hidden name first: what is told of an object, its checksums among it, goes with the request that
   * begins it, and only its end tells them. A rewrite within the bucket then makes the object in one step, moving no byte.
   */
  async #putStaged(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    const { signal, condition } = options;
    const algorithm = needChecksum(body);
    const stamp = options.stamp ?? this.#random.uuid();
    const name = this.#hidden.stageName();
    const about = this.#about(key);
    const { storageClass, contentType } = resourceOf(options, { stamp, crc32c: '' }, about);
    try {
      const call = { operation: 'objects.insert', key, signal };
      const staged = await this.stage(call, name, body, { storageClass, contentType });
      const recorded = { stamp, crc32c: crc32cOf(body), ...fullChecksum(body, algorithm) };
      const resource = resourceOf(options, recorded, about);
      const made = await this.#replacer.replace(
        { key, ability: 'conditionalPut', condition, signal, stamp },
        async (expected) => {
          const source = { key: name, generation: staged.generation };
          const { beforeCommit } = options;
          const target = { operation: 'objects.rewrite', key, signal, beforeCommit };
          return this.#rewriter.rewrite(target, source, key, resource, expected);
        },
      );
      return this.#reader.shown(key, made as GcsObject);
    } finally {
      this.#hidden.removeLater(name);
    }
  }

  /** A body under a hidden name, found to have the bytes that were sent. */
  async stage(
    call: { readonly operation: string; readonly key: string; readonly signal: AbortSignal | undefined },
    name: string,
    body: UploadBody,
    resource: Pick<GcsObject, 'storageClass' | 'contentType'>,
  ): Promise<GcsObject> {
    body.need('CRC32C');
    const staged = await this.#uploader.resumable({ call, key: name, resource, expected: 'absent' }, body);
    if (staged.crc32c === crc32cOf(body) && Number(staged.size) === body.sizeBytes) return staged;
    const message = 'the storage has other bytes than were sent';
    throw new UfsError('io', message, { backend: this.#place.uri, key: call.key });
  }

  async delete(key: string, { signal, condition, beforeCommit }: DeleteOptions = {}): Promise<void> {
    checkSignal(signal, this.#place.uri, key);
    await this.#replacer.replace(
      { key, ability: 'conditionalDelete', condition, signal },
      // What is not there is not sent for: it would be gone before a late request came.
      async (expected, present) => {
        if (!present) return undefined;
        const path = objectPath(this.#place, key);
        const parameters = { ifGenerationMatch: generationMatch(expected) };
        const request = {
          operation: 'objects.delete',
          key,
          signal,
          beforeCommit,
          method: 'DELETE',
          path,
          parameters,
        } as const;
        try {
          await this.#connection.change(request);
        } catch (error) {
          throw this.#overtakenIfGone(error, condition);
        }
        return undefined;
      },
    );
  }

  /** Somebody else was first; without a condition that is what was wanted, and the next look finds nothing. */
  #overtakenIfGone(error: unknown, condition: WriteCondition | undefined): unknown {
    if (!(error instanceof UfsError) || error.kind !== 'not-found') return error;
    const kind = condition ? 'precondition-failed' : 'conflict';
    return new UfsError(kind, error.message, {
      backend: this.#place.uri,
      key: error.key,
      cause: error.cause,
    });
  }

  async getTags(key: string, { signal }: VersionOptions = {}): Promise<readonly Tag[]> {
    const { metadata } = await this.#reader.object(key, signal);
    return parseRecord(metadata?.[recordEntry])?.tags ?? [];
  }

  /** Only what is kept about the object changes, so that its generation stays; two that change it at once are told apart by its metageneration. */
  async amend(
    key: string,
    { tags, generation }: ObjectChange,
    { signal }: VersionOptions = {},
  ): Promise<ObjectMeta> {
    for (let attempt = 1; ; attempt++) {
      const present = await this.#reader.object(key, signal);
      if (generation !== undefined && present.generation !== generation) {
        const message = 'the object has another version now';
        throw new UfsError('moved', message, { backend: this.#place.uri, key });
      }
      if (tags === undefined) return this.#reader.shown(key, present);
      try {
        return this.#reader.shown(key, await this.#patchTags(key, present, tags, signal));
      } catch (error) {
        const overtaken = error instanceof UfsError && error.kind === 'precondition-failed';
        if (!overtaken) throw error;
        if (attempt < amendAttempts) continue;
        const message = 'the object was changed by others at the same time';
        throw new UfsError('throttled', message, { backend: this.#place.uri, key, cause: error });
      }
    }
  }

  async #patchTags(
    key: string,
    present: GcsObject,
    tags: readonly Tag[],
    signal: AbortSignal | undefined,
  ): Promise<GcsObject> {
    const { [recordEntry]: written, ...own } = present.metadata ?? {};
    const kept = parseRecord(written) ?? { stamp: this.#random.uuid(), crc32c: present.crc32c ?? '' };
    const { tags: _, ...rest } = kept;
    const record: GcsRecord = tags.length === 0 ? rest : { ...rest, tags };
    const metadata = { [recordEntry]: withRecord(own, record, this.#about(key))[recordEntry] };
    const request = {
      operation: 'objects.patch',
      key,
      signal,
      method: 'PATCH',
      path: objectPath(this.#place, key),
      parameters: {
        ifGenerationMatch: present.generation,
        ifMetagenerationMatch: present.metageneration,
        fields: objectFields,
      },
      headers: { 'content-type': 'application/json; charset=UTF-8' },
      body: Buffer.from(JSON.stringify({ metadata })),
    } as const;
    try {
      return jsonOf(await this.#connection.change(request), request, this.#place.uri, true);
    } catch (error) {
      if (!(error instanceof UfsError) || !error.unresolved || error.kind === 'cancelled') throw error;
      // Its metageneration keeps a late one from undoing what comes later; whether it was made the record tells.
      const now = await this.#reader.objectOnce(key).catch(() => undefined);
      const isMade =
        now?.generation === present.generation && now.metadata?.[recordEntry] === metadata[recordEntry];
      if (now && isMade) return now;
      throw error;
    }
  }

  /** Refuses a write whose condition does not hold now before its body is taken; the write itself decides it again. */
  async #refuseEarly(key: string, condition: WriteCondition, signal: AbortSignal | undefined): Promise<void> {
    let present: ObjectMeta | undefined;
    try {
      present = metaOf(await this.#reader.object(key, signal), this.#place.uri, key);
    } catch (error) {
      if (!(error instanceof UfsError) || error.kind === 'cancelled') throw error;
      if (error.kind !== 'not-found') return;
    }
    checkCondition(condition, present, this.#place.uri, key);
  }

  #context(key: string, signal: AbortSignal | undefined): BodyContext {
    return { backend: this.#place.uri, key, signal };
  }

  #about(key: string) {
    return { backend: this.#place.uri, key };
  }
}
