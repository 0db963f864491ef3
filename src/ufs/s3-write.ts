import { CopyObjectCommand } from '@aws-sdk/client-s3';
import type { ChecksumAlgorithm, NewObject, ObjectMeta, UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { CallOptions, CopyOptions, DeleteOptions, PutOptions, WriteCondition } from './backend.ts';
import type { Deletion } from './backend-versions.ts';
import { UfsError } from './errors.ts';
import { drained } from './http-answers.ts';
import { BodySender, chunkedEncoding, type SendOptions, type SentBody } from './s3-body.ts';
import type { S3Connection } from './s3-connection.ts';
import { noS3Answer } from './s3-errors.ts';
import { parseGeneration } from './s3-generation.ts';
import {
  checksumsOf,
  conditionHeaders,
  deletionOf,
  newObjectHeaders,
  plainEtag,
  tagsText,
  type WireHeaders,
} from './s3-headers.ts';
import type { S3Place } from './s3-place.ts';
import type { S3Reader } from './s3-read.ts';
import type { S3Replacer } from './s3-replace.ts';
import type { ObjectAnswer, ObjectRequest } from './s3-transport.ts';
import type { Call } from './s3-wire.ts';
import { noting } from './storage-connection.ts';
import { checkCondition, checkSignal, isEmpty } from './write-rules.ts';

export type BodyForm = Pick<SendOptions, 'secure' | 'checksumTrailers' | 'signedChunks' | 'inlineBodyBytes'>;

type BodyOptions = Pick<SendOptions, 'beforeCommit' | 'algorithm'>;

/** What was written, in words of the one who wrote it: for where the backend cannot be asked afterwards. */
interface Written extends NewObject {
  readonly sizeBytes: number;
}

/** PUT, DELETE and Copy. Each is sent once: what went wrong is told, not repeated (consistency rule 4). */
export class S3Writer {
  readonly #random: Random;
  readonly #connection: S3Connection;
  readonly #place: S3Place;
  readonly #reader: S3Reader;
  readonly #replacer: S3Replacer;
  readonly #form: BodyForm;

  constructor(
    random: Random,
    connection: S3Connection,
    place: S3Place,
    reader: S3Reader,
    replacer: S3Replacer,
    form: BodyForm,
  ) {
    this.#random = random;
    this.#connection = connection;
    this.#place = place;
    this.#reader = reader;
    this.#replacer = replacer;
    this.#form = form;
  }

  async put(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    this.#place.checkHeld(key, 'invalid-key');
    checkSignal(options.signal, this.#place.uri, key);
    if (this.#looksFirst(body, options.condition)) {
      await this.#refuseEarly(key, options.condition, options.signal);
    }
    const { signal, condition } = options;
    const sender = this.#senderOf(key, body, options);
    // A small body is gathered before it is the mount's turn, so that slow clients do not hold the others up.
    const sent = await sender.prepare();
    const repeatable = Buffer.isBuffer(sent.payload);
    try {
      return await this.#replacer.replace(
        { key, ability: 'conditionalPut', condition, signal, repeatable },
        async (expected) => {
          const about = { ...newObjectHeaders(options), ...conditionHeaders(expected) };
          const call = { operation: 'PutObject', key, signal, headers: about };
          const { headers } = await this.#sendPrepared(call, [], sender, sent);
          const { sizeBytes } = body;
          return this.written('PutObject', key, headers, { ...aboutOf(options), sizeBytes });
        },
      );
    } finally {
      sender.end();
    }
  }

  /** The request alone: nothing is asked of the backend before or after it, and nothing is remembered. */
  putUnasked(
    key: string,
    body: UploadBody,
    options: PutOptions,
    algorithm?: ChecksumAlgorithm,
  ): Promise<ObjectAnswer> {
    const { signal, beforeCommit } = options;
    const headers = { ...newObjectHeaders(options), ...conditionHeaders(options.condition) };
    const call = { operation: 'PutObject', key, signal, headers };
    return this.sendBody(call, [], body, { beforeCommit, algorithm });
  }

  /**
   * A request with a body. Rejects with what the body or `beforeCommit` rejects with, as it is. The body may be broken
   * off until its last piece goes out.
   */
  async sendBody(
    call: Call & { readonly key: string },
    parameters: ObjectRequest['parameters'],
    body: UploadBody,
    options: BodyOptions,
  ): Promise<ObjectAnswer> {
    const sender = this.#senderOf(call.key, body, { signal: call.signal, ...options });
    return this.#sendPrepared(call, parameters, sender, await sender.prepare());
  }

  #senderOf(key: string, body: UploadBody, { signal, beforeCommit, algorithm }: BodyOptions & CallOptions) {
    const { commitTimeoutMs } = this.#connection.tuning;
    const about = { backend: this.#place.uri, key, signal, commitTimeoutMs, beforeCommit, algorithm };
    return new BodySender(body, { ...this.#form, ...about });
  }

  #sendPrepared(
    call: Call & { readonly key: string },
    parameters: ObjectRequest['parameters'],
    sender: BodySender,
    { payload, contentLength, headers }: SentBody,
  ): Promise<ObjectAnswer> {
    return this.#connection.under(this.#connection.writes, call.signal, async (permit) => {
      const deadline = this.#connection.deadline(call.signal);
      try {
        await sender.start(deadline);
        const all: Record<string, string> = { ...call.headers, ...headers };
        const encoding = chunkedEncoding(all);
        if (encoding !== undefined) all['content-encoding'] = encoding;
        const request = {
          method: 'PUT',
          path: this.#place.pathOf(call.key),
          parameters,
          body: { payload, contentLength },
        } as const;
        const about = { mayHaveChanged: () => sender.complete, seed: sender.seed };
        const answer = await noting(permit, () =>
          this.#connection.request(request, { ...call, headers: all }, deadline, about),
        );
        deadline.allow(this.#connection.tuning.afterWriteTimeoutMs);
        await drained(answer.body);
        return answer;
      } catch (error) {
        throw sender.failure && deadline.cause === 'stopped' ? sender.failure.error : error;
      } finally {
        sender.end();
        deadline.end();
      }
    });
  }

  /** `marks`: the storage may put a delete marker in the place of what is not there either. */
  async delete(
    key: string,
    { signal, condition, beforeCommit }: DeleteOptions = {},
    marks = false,
  ): Promise<Deletion> {
    checkSignal(signal, this.#place.uri, key);
    try {
      this.#place.checkHeld(key, 'not-found');
      const ability = 'conditionalDelete';
      return await this.#replacer.replace(
        { key, ability, condition, signal, repeatable: true, unconditionalIfAbsent: marks },
        // What is not there is not sent for: it would be gone before a late request came.
        async (expected) => {
          if (expected && 'ifNoneMatch' in expected) return {};
          const sent = { signal, condition: expected, beforeCommit };
          return deletionOf((await this.deleteUnasked(key, sent)).headers);
        },
      );
    } catch (error) {
      // Some servers say that there was nothing; without a condition that is what was wanted.
      if (condition || !(error instanceof UfsError) || error.kind !== 'not-found') throw error;
      return {};
    }
  }

  async deleteUnasked(
    key: string,
    { signal, condition, beforeCommit }: DeleteOptions = {},
  ): Promise<ObjectAnswer> {
    const headers = conditionHeaders(condition);
    const request = { method: 'DELETE', path: this.#place.pathOf(key), headers } as const;
    return this.#connection.change(request, { operation: 'DeleteObject', key, signal, beforeCommit });
  }

  async copy(sourceKey: string, key: string, options: CopyOptions): Promise<ObjectMeta> {
    const { signal } = options;
    this.#place.checkHeld(key, 'invalid-key');
    const source = await this.#reader.head(sourceKey, { signal, versionId: options.sourceVersionId });
    if (source.generation !== options.sourceGeneration) throw this.#moved(sourceKey);
    const { sizeBytes } = source;
    return this.#replacer.replace(
      { key, ability: 'conditionalCopy', condition: options.condition, signal, repeatable: true },
      async (condition) => {
        const { output, headers } = await this.copyUnasked(sourceKey, source, key, { ...options, condition });
        const all = etagHeaders(output.CopyObjectResult?.ETag, headers);
        return this.written('CopyObject', key, all, { ...aboutOf(options.replace ?? source), sizeBytes });
      },
    );
  }

  async copyUnasked(sourceKey: string, source: ObjectMeta, key: string, options: CopyOptions) {
    const { condition, signal, sourceVersionId, beforeCommit } = options;
    const version = parseGeneration(source.generation);
    if (!version) throw this.#moved(sourceKey);
    const versionId = sourceVersionId ?? version.versionId;
    const from = `${this.#place.bucket}/${this.#place.pathOf(sourceKey)}`;
    const headers = {
      ...(options.replace ? newObjectHeaders(options.replace) : keptHeaders(source)),
      ...conditionHeaders(condition),
      'x-amz-metadata-directive': options.replace ? 'REPLACE' : 'COPY',
      ...(options.tags
        ? { 'x-amz-tagging-directive': 'REPLACE', 'x-amz-tagging': tagsText(options.tags) }
        : {}),
      'x-amz-copy-source-if-match': version.rawEtag,
      ...(options.checksumAlgorithm ? { 'x-amz-checksum-algorithm': options.checksumAlgorithm } : {}),
    };
    const command = new CopyObjectCommand({
      Bucket: this.#place.bucket,
      Key: this.#place.pathOf(key),
      CopySource:
        from.split('/').map(encodeURIComponent).join('/') +
        (versionId === undefined ? '' : `?versionId=${encodeURIComponent(versionId)}`),
    });
    try {
      const call = { operation: 'CopyObject', key, signal, headers, beforeCommit };
      return await this.#connection.write(command, call);
    } catch (error) {
      // 412 and 404 stand for the source's condition and for the destination's.
      if (!(error instanceof UfsError) || !['precondition-failed', 'not-found'].includes(error.kind))
        throw error;
      if (!condition || (await this.#hasMoved(sourceKey, source, sourceVersionId)))
        throw this.#moved(sourceKey);
      throw error;
    }
  }

  /**
   * The metadata of what was just written. The write has succeeded, if its answer has an ETag, so nothing else that happens
   * here makes it fail: where the backend cannot be asked, or has a later version already, the answer names a generation that
   * nothing is read by.
   */
  async written(operation: string, key: string, headers: WireHeaders, about: Written): Promise<ObjectMeta> {
    if (!headers.etag) throw noS3Answer(operation, 'an ETag', this.#place.uri, key, true);
    const etag = plainEtag(headers.etag);
    const versionId = headers['x-amz-version-id'];
    try {
      const meta = await this.#reader.headOnce(key);
      const present = parseGeneration(meta.generation)?.versionId;
      const same = versionId && versionId !== 'null' ? present === versionId : true;
      if (meta.etag === etag && same) return meta;
    } catch (error) {
      // What the write's own answer says is true without it.
      if (!(error instanceof UfsError)) throw error;
    }
    const checksums = checksumsOf(headers);
    const answeredMs = Date.parse(headers.date ?? '');
    const nowMs = Number.isNaN(answeredMs) ? this.#connection.clock.nowMs() : answeredMs;
    return {
      ...about,
      etag,
      lastModifiedMs: Math.floor(nowMs / 1000) * 1000,
      generation: `unseen:${this.#random.uuid()}`,
      generationSettled: false,
      ...(versionId ? { versionId } : {}),
      ...(isEmpty(checksums) ? {} : { checksums }),
    };
  }

  /** A small body is sent at once where there must be no object; the backend decides about that anyhow. */
  #looksFirst(body: UploadBody, condition: WriteCondition | undefined): condition is WriteCondition {
    if (!condition) return false;
    return 'ifMatch' in condition || body.sizeBytes > this.#form.inlineBodyBytes;
  }

  /**
   * Refuses a write whose condition does not hold now before its body is taken. This decides nothing else: the condition
   * goes with the write and is the backend's to decide.
   */
  async #refuseEarly(key: string, condition: WriteCondition, signal: AbortSignal | undefined): Promise<void> {
    let present: ObjectMeta | undefined;
    try {
      present = await this.#reader.head(key, { signal });
    } catch (error) {
      if (!(error instanceof UfsError) || error.kind === 'cancelled') throw error;
      if (error.kind !== 'not-found') return;
    }
    checkCondition(condition, present, this.#place.uri, key);
  }

  async #hasMoved(key: string, source: ObjectMeta, versionId: string | undefined): Promise<boolean> {
    try {
      return (await this.#reader.head(key, { versionId })).generation !== source.generation;
    } catch (error) {
      if (error instanceof UfsError && error.kind === 'not-found') return true;
      throw error;
    }
  }

  #moved(key: string): UfsError {
    return new UfsError('moved', 'the source is not the expected version', {
      backend: this.#place.uri,
      key,
    });
  }
}

/** What a copy does not take over by itself (S3 API Reference, CopyObject). */
function keptHeaders({ storageClass, headers }: ObjectMeta): Record<string, string> {
  const { websiteRedirectLocation } = headers;
  return newObjectHeaders({ headers: { websiteRedirectLocation }, userMetadata: {}, storageClass });
}

export function etagHeaders(etag: string | undefined, headers: WireHeaders): WireHeaders {
  return etag === undefined ? headers : { ...headers, etag };
}

export function aboutOf({ headers, userMetadata, storageClass }: NewObject): NewObject {
  return { headers, userMetadata, ...(storageClass === undefined ? {} : { storageClass }) };
}
