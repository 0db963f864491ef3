import { createHash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  type ListPartsCommandOutput,
  type Part,
} from '@aws-sdk/client-s3';
import {
  type ChecksumAlgorithm,
  type Checksums,
  type ChecksumType,
  checksumAlgorithms,
  type ObjectMeta,
  type UploadBody,
} from '../common/object-meta.ts';
import type {
  CallOptions,
  CompleteOptions,
  CompletePart,
  CreateUploadOptions,
  UploadedPart,
  UploadInfo,
} from './backend.ts';
import { UfsError } from './errors.ts';
import type { S3Connection } from './s3-connection.ts';
import { noS3Answer } from './s3-errors.ts';
import {
  checksumHeader,
  checksumsOf,
  conditionHeaders,
  newObjectHeaders,
  plainEtag,
  quotedEtag,
  type WireHeaders,
} from './s3-headers.ts';
import type { S3Place } from './s3-place.ts';
import type { S3Reader } from './s3-read.ts';
import type { S3Replacer } from './s3-replace.ts';
import { etagHeaders, type S3Writer } from './s3-write.ts';
import { uploadInfoOf } from './upload-info.ts';
import { checkSignal } from './write-rules.ts';

const maxParts = 1_000;
/** Uploads whose checksum algorithm is remembered; others are asked for. */
const maxRemembered = 10_000;

type ListPartsOptions = CallOptions & { readonly afterPartNumber?: number; readonly limit: number };

/** Multipart uploads, handed on to the backend's own. */
export class S3Multipart {
  readonly #connection: S3Connection;
  readonly #place: S3Place;
  readonly #reader: S3Reader;
  readonly #writer: S3Writer;
  readonly #replacer: S3Replacer;
  readonly #algorithms = new Map<string, ChecksumAlgorithm | undefined>();

  constructor(
    connection: S3Connection,
    place: S3Place,
    reader: S3Reader,
    writer: S3Writer,
    replacer: S3Replacer,
  ) {
    this.#connection = connection;
    this.#place = place;
    this.#reader = reader;
    this.#writer = writer;
    this.#replacer = replacer;
  }

  async create(key: string, options: CreateUploadOptions): Promise<UploadInfo> {
    this.#place.checkHeld(key, 'invalid-key');
    const { signal, checksumAlgorithm, checksumType } = options;
    const { output, headers } = await this.#connection.write(
      new CreateMultipartUploadCommand({ Bucket: this.#place.bucket, Key: this.#place.pathOf(key) }),
      {
        operation: 'CreateMultipartUpload',
        key,
        signal,
        headers: {
          ...newObjectHeaders(options),
          ...(checksumAlgorithm ? { 'x-amz-checksum-algorithm': checksumAlgorithm } : {}),
          ...(checksumType ? { 'x-amz-checksum-type': checksumType } : {}),
        },
      },
    );
    if (!output.UploadId) throw noS3Answer('CreateMultipartUpload', 'an upload id', this.#place.uri, key);
    this.#remember(output.UploadId, checksumAlgorithm);
    return uploadInfoOf(key, output.UploadId, this.#answeredMs(headers), options);
  }

  async putPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UploadBody,
    { signal }: CallOptions = {},
  ): Promise<UploadedPart> {
    checkSignal(signal, this.#place.uri, key);
    // An upload that was created with a checksum takes no part without it (S3 API Reference, UploadPart).
    const algorithm = body.announcedChecksum?.algorithm ?? (await this.#algorithmOf(key, uploadId, signal));
    const parameters = [
      ['partNumber', String(partNumber)],
      ['uploadId', uploadId],
    ] as const;
    const call = { operation: 'UploadPart', key, signal };
    const { headers } = await this.#writer.sendBody(call, parameters, body, algorithm ? { algorithm } : {});
    if (!headers.etag) throw noS3Answer('UploadPart', 'an ETag', this.#place.uri, key);
    return {
      partNumber,
      sizeBytes: body.sizeBytes,
      etag: plainEtag(headers.etag),
      lastModifiedMs: this.#answeredMs(headers),
      checksums: algorithm ? pick(checksumsOf(headers), algorithm) : {},
    };
  }

  /** S3 does not tell an upload's headers and metadata, nor when it began; they are empty and 0. */
  async listParts(key: string, uploadId: string, options: ListPartsOptions) {
    // One more tells whether another follows, also of a server whose IsTruncated is not to be relied on.
    const output = await this.#listParts(key, uploadId, { ...options, limit: options.limit + 1 });
    const parts = (output.Parts ?? []).map(partOf);
    const algorithm = output.ChecksumAlgorithm as ChecksumAlgorithm | undefined;
    const checksumType = output.ChecksumType as ChecksumType | undefined;
    return {
      upload: uploadInfoOf(key, uploadId, 0, {
        headers: {},
        userMetadata: {},
        storageClass: output.StorageClass === 'STANDARD' ? undefined : output.StorageClass,
        checksumAlgorithm: algorithm,
        checksumType,
      }),
      parts: parts.slice(0, options.limit),
      truncated: parts.length > options.limit || (output.IsTruncated ?? false),
    };
  }

  /**
   * What a repeated Complete finds is the object that the first one made: known by the ETag that these parts give. An
   * answer that was lost is looked for in the same way, once the backend says that the upload is no more.
   */
  async complete(
    key: string,
    uploadId: string,
    parts: readonly CompletePart[],
    options: CompleteOptions,
  ): Promise<ObjectMeta> {
    if (parts.length === 0) {
      await this.#listParts(key, uploadId, { limit: 1, signal: options.signal });
      throw this.#error('invalid-part', 'a Complete names at least one part', key);
    }
    const { condition, signal } = options;
    try {
      return await this.#replacer.replace(
        { key, ability: 'conditionalComplete', condition, signal, repeatable: true },
        (expected) => this.completeUnasked(key, uploadId, parts, { ...options, condition: expected }),
      );
    } catch (error) {
      if (!(error instanceof UfsError)) throw error;
      const found = await this.#resolve(key, uploadId, parts, error);
      if (found) return found;
      throw error;
    }
  }

  async completeUnasked(
    key: string,
    uploadId: string,
    parts: readonly CompletePart[],
    { signal, condition, checksums, checksumType, expectedSizeBytes, beforeCommit }: CompleteOptions,
  ): Promise<ObjectMeta> {
    const sent: Record<string, string> = { ...conditionHeaders(condition) };
    for (const algorithm of checksumAlgorithms) {
      const value = checksums?.[algorithm];
      if (value !== undefined) sent[checksumHeader(algorithm)] = value;
    }
    if (checksumType) sent['x-amz-checksum-type'] = checksumType;
    if (expectedSizeBytes !== undefined) sent['x-amz-mp-object-size'] = String(expectedSizeBytes);
    const { output, headers } = await this.#connection.write(
      new CompleteMultipartUploadCommand({
        ...this.#names(key, uploadId),
        MultipartUpload: { Parts: parts.map(completedPart) },
      }),
      { operation: 'CompleteMultipartUpload', key, signal, headers: sent, beforeCommit },
    );
    this.#algorithms.delete(uploadId);
    return this.#writer.written('CompleteMultipartUpload', key, etagHeaders(output.ETag, headers), {
      headers: {},
      userMetadata: {},
      sizeBytes: expectedSizeBytes ?? 0,
    });
  }

  /** The object that this upload made, if that is what lies there; undefined where it cannot be told. */
  async #resolve(
    key: string,
    uploadId: string,
    parts: readonly CompletePart[],
    error: UfsError,
  ): Promise<ObjectMeta | undefined> {
    const lost = (error.kind === 'unavailable' || error.kind === 'timeout') && !error.retryable;
    // With a condition the backend may look at the object before it looks for the upload.
    const repeated = error.kind === 'no-such-upload' || error.kind === 'precondition-failed';
    const expected = expectedEtag(parts);
    if ((!lost && !repeated) || expected === undefined) return undefined;
    try {
      const meta = await this.#reader.headOnce(key);
      if (meta.etag !== expected) return undefined;
      return error.kind === 'no-such-upload' || (await this.#isGone(key, uploadId)) ? meta : undefined;
    } catch (cause) {
      // The first error stands: what became of the upload is not known.
      if (cause instanceof UfsError) return undefined;
      throw cause;
    }
  }

  async #isGone(key: string, uploadId: string): Promise<boolean> {
    try {
      await this.#listParts(key, uploadId, { limit: 1 });
      return false;
    } catch (error) {
      if (error instanceof UfsError && error.kind === 'no-such-upload') return true;
      throw error;
    }
  }

  async abort(key: string, uploadId: string, { signal }: CallOptions = {}): Promise<void> {
    this.#algorithms.delete(uploadId);
    await this.#connection.write(new AbortMultipartUploadCommand(this.#names(key, uploadId)), {
      operation: 'AbortMultipartUpload',
      key,
      signal,
    });
  }

  async #listParts(
    key: string,
    uploadId: string,
    { afterPartNumber, limit, signal }: ListPartsOptions,
  ): Promise<ListPartsCommandOutput> {
    const names = this.#names(key, uploadId);
    const { output } = await this.#connection.read(
      () =>
        new ListPartsCommand({
          ...names,
          MaxParts: Math.min(limit, maxParts),
          ...(afterPartNumber === undefined ? {} : { PartNumberMarker: String(afterPartNumber) }),
        }),
      { operation: 'ListParts', key, signal },
    );
    if (output.IsTruncated === undefined && output.UploadId === undefined) {
      throw noS3Answer('ListParts', 'IsTruncated', this.#place.uri, key);
    }
    return output;
  }

  async #algorithmOf(
    key: string,
    uploadId: string,
    signal: AbortSignal | undefined,
  ): Promise<ChecksumAlgorithm | undefined> {
    if (!this.#algorithms.has(uploadId)) {
      const output = await this.#listParts(key, uploadId, { limit: 1, signal });
      this.#remember(uploadId, output.ChecksumAlgorithm as ChecksumAlgorithm | undefined);
    }
    return this.#algorithms.get(uploadId);
  }

  #remember(uploadId: string, algorithm: ChecksumAlgorithm | undefined): void {
    this.#algorithms.set(uploadId, algorithm);
    if (this.#algorithms.size <= maxRemembered) return;
    const [oldest] = this.#algorithms.keys();
    this.#algorithms.delete(oldest as string);
  }

  #names(key: string, uploadId: string) {
    if (uploadId === '') throw this.#error('no-such-upload', 'an upload has an id', key);
    return { Bucket: this.#place.bucket, Key: this.#place.pathOf(key), UploadId: uploadId };
  }

  #answeredMs(headers: WireHeaders): number {
    const answeredMs = Date.parse(headers.date ?? '');
    return Number.isNaN(answeredMs) ? this.#connection.clock.nowMs() : answeredMs;
  }

  #error(kind: 'invalid-part' | 'no-such-upload', text: string, key: string) {
    return new UfsError(kind, text, { backend: this.#place.uri, key });
  }
}

/** What else the answer tells is of the way to the backend. */
function pick(checksums: Checksums, algorithm: ChecksumAlgorithm): Checksums {
  const value = checksums[algorithm];
  return value === undefined ? {} : { [algorithm]: value };
}

/** MD5 of the parts' MD5s and their number (S3 User Guide, "Checking object integrity"); undefined where the parts' ETags are none. */
function expectedEtag(parts: readonly CompletePart[]): string | undefined {
  if (!parts.every(({ etag }) => /^[0-9a-f]{32}$/i.test(plainEtag(etag)))) return undefined;
  const hash = createHash('md5');
  for (const { etag } of parts) hash.update(Buffer.from(plainEtag(etag), 'hex'));
  return `${hash.digest('hex')}-${parts.length}`;
}

function partOf(part: Part): UploadedPart {
  const checksums: Partial<Record<ChecksumAlgorithm, string>> = {};
  for (const algorithm of checksumAlgorithms) {
    const value = part[`Checksum${algorithm}`];
    if (value) checksums[algorithm] = value;
  }
  return {
    partNumber: part.PartNumber ?? 0,
    sizeBytes: part.Size ?? 0,
    etag: plainEtag(part.ETag ?? ''),
    lastModifiedMs: part.LastModified?.getTime() ?? 0,
    checksums: checksums as Checksums,
  };
}

function completedPart({ partNumber, etag, checksums }: CompletePart): CompletedPart {
  const part: CompletedPart = { PartNumber: partNumber, ETag: quotedEtag(etag) };
  for (const algorithm of checksumAlgorithms) {
    const value = checksums[algorithm];
    if (value !== undefined) part[`Checksum${algorithm}`] = value;
  }
  return part;
}
