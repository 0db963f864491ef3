import { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandOutput, HeadObjectCommand } from '@aws-sdk/client-s3';
import type { ByteRange } from '../common/byte-range.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { CallOptions, PartPlace } from './backend.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import { retried } from './retry.ts';
import { type Answer, noting, type S3Connection } from './s3-connection.ts';
import { parseGeneration, type Version } from './s3-generation.ts';
import { parseContentRange, parseLength, parseMeta, versionOf, type WireHeaders } from './s3-headers.ts';
import type { S3Place } from './s3-place.ts';
import type { UnresolvedChanges } from './s3-unresolved.ts';
import type { Call } from './s3-wire.ts';

const maxChunkBytes = 1_048_576;

/** What is wanted of an object: these bytes of this version. */
interface Wanted {
  readonly version: Version;
  readonly start: number;
  readonly end: number;
}

/** HEAD and GET. */
export class S3Reader {
  readonly #connection: S3Connection;
  readonly #place: S3Place;
  readonly #unresolved: UnresolvedChanges;

  constructor(connection: S3Connection, place: S3Place, unresolved: UnresolvedChanges) {
    this.#connection = connection;
    this.#place = place;
    this.#unresolved = unresolved;
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<ObjectMeta> {
    this.#place.checkHeld(key, 'not-found');
    try {
      const command = () => this.#headCommand(key);
      const { headers } = await this.#connection.read(command, { operation: 'HeadObject', key, signal });
      return this.#metaOf(key, headers);
    } catch (error) {
      if (!(error instanceof UfsError) || error.kind !== 'not-found') throw error;
      if (!this.#unresolved.mayStillChange(key, 'absent')) throw error;
      const details = {
        backend: this.#place.uri,
        key,
        code: error.code,
        unresolved: true,
        cause: error.cause,
      };
      throw new UfsError('not-found', error.message, details);
    }
  }

  /** The present version, asked for once: for the answer to a write that has succeeded and must not wait for long. */
  async headOnce(key: string): Promise<ObjectMeta> {
    const call: Call = { operation: 'HeadObject', key };
    // Waiting for the mount's turn counts too.
    const deadline = this.#connection.deadline(undefined);
    deadline.allow(this.#connection.tuning.afterWriteTimeoutMs);
    const { reads } = this.#connection;
    try {
      return await this.#connection.under(reads, { signal: deadline.signal }, async () => {
        const command = this.#headCommand(key);
        const about = { mayHaveChanged: () => false };
        return this.#metaOf(key, (await this.#connection.exchange(command, call, deadline, about)).headers);
      });
    } finally {
      deadline.end();
    }
  }

  /** Where a part lies, by the range that HEAD with a part's number answers with (S3 API Reference, HeadObject). */
  async findPart(
    key: string,
    meta: ObjectMeta,
    partNumber: number,
    { signal }: CallOptions = {},
  ): Promise<PartPlace> {
    const version = this.#versionOf(key, meta);
    const { headers } = await this.#askForPart(key, version, partNumber, signal);
    if (!isSame(headers, version)) throw this.#error('moved', 'the backend has another version now', key);
    const count = parseLength(headers['x-amz-mp-parts-count']);
    const range = parseContentRange(headers['content-range']);
    if (count === undefined || range?.wholeBytes !== version.sizeBytes) {
      throw this.#error('not-implemented', 'the backend does not tell where a part lies', key);
    }
    return { range: { start: range.start, end: range.end }, count };
  }

  async #askForPart(key: string, version: Version, partNumber: number, signal: AbortSignal | undefined) {
    const command = () =>
      new HeadObjectCommand({ ...this.#names(key), ...pinned(version), PartNumber: partNumber });
    try {
      return await this.#connection.read(command, { operation: 'HeadObject', key, signal });
    } catch (error) {
      if (!(error instanceof UfsError)) throw error;
      // 416 of this request is about the part's number: the version was held to be the right one before.
      if (error.kind === 'moved') throw this.#error('invalid-part', error.message, key);
      throw movedIfGone(error, this.#place.uri);
    }
  }

  async *read(
    key: string,
    meta: ObjectMeta,
    range: ByteRange,
    { signal }: CallOptions = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    const version = this.#versionOf(key, meta);
    const wanted = { version, ...range };
    const permit = await this.#connection.reads.acquire(signal);
    let chunks: AsyncGenerator<Buffer, void, undefined> | undefined;
    try {
      // Only until the first byte: whoever reads further has seen bytes, and decides about them itself.
      const first = await retried(this.#connection.backoff(), signal, () =>
        noting(permit, () => {
          chunks = this.#attempt(key, wanted, signal);
          return chunks.next();
        }),
      );
      if (!first.done) yield first.value;
      if (chunks) yield* chunks;
    } finally {
      await chunks?.return();
      permit.release();
    }
  }

  /** One GET. Gives bytes only after the answer's head was found to speak of the wanted version and range. */
  async *#attempt(
    key: string,
    wanted: Wanted,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer, void, undefined> {
    const call: Call = { operation: 'GetObject', key, signal };
    const deadline = this.#connection.deadline(signal);
    const about = { mayHaveChanged: () => false };
    let body: Readable | undefined;
    try {
      const answer = await this.#connection.exchange(this.#getCommand(key, wanted), call, deadline, about);
      body = this.#bodyOf(key, answer);
      this.#check(key, answer, wanted);
      let leftBytes = wanted.end - wanted.start;
      deadline.touch();
      for await (const piece of body as AsyncIterable<Buffer>) {
        leftBytes -= piece.length;
        if (leftBytes < 0) throw this.#error('io', 'the backend sent more bytes than it announced', key);
        // While the reader is busy it is not the backend that stands still.
        deadline.pause();
        for (let at = 0; at < piece.length; at += maxChunkBytes) yield piece.subarray(at, at + maxChunkBytes);
        deadline.resume();
      }
      if (leftBytes > 0) throw this.#error('io', `${leftBytes} bytes of the answer did not come`, key);
    } catch (error) {
      throw movedIfGone(this.#connection.fault(error, call, deadline, {}, false), this.#place.uri);
    } finally {
      deadline.end();
      // An answer that was read to its end has given its connection back already.
      body?.destroy();
    }
  }

  #headCommand(key: string): HeadObjectCommand {
    return new HeadObjectCommand({ ...this.#names(key), ChecksumMode: 'ENABLED' });
  }

  #getCommand(key: string, { version, start, end }: Wanted): GetObjectCommand {
    const whole = start === 0 && end === version.sizeBytes;
    return new GetObjectCommand({
      ...this.#names(key),
      ...pinned(version),
      ...(whole ? {} : { Range: `bytes=${start}-${end - 1}` }),
    });
  }

  #names(key: string) {
    return { Bucket: this.#place.bucket, Key: this.#place.pathOf(key) };
  }

  #versionOf(key: string, { generation }: ObjectMeta): Version {
    const version = parseGeneration(generation);
    if (!version) throw this.#error('moved', 'the version cannot be asked for', key);
    return version;
  }

  #metaOf(key: string, headers: WireHeaders): ObjectMeta {
    const meta = parseMeta(headers);
    if (!meta) throw this.#error('io', 'the answer to HEAD lacks Content-Length, ETag or Last-Modified', key);
    // While a change that was lost may still come, what is there now is not to be kept.
    const mayStillChange = this.#unresolved.mayStillChange(key, { etag: meta.etag });
    return mayStillChange ? { ...meta, generationSettled: false } : meta;
  }

  #bodyOf(key: string, { output }: Answer<GetObjectCommandOutput>): Readable {
    const { Body: body } = output;
    if (!(body instanceof Readable)) throw this.#error('io', 'the answer to GET has no body', key);
    return body;
  }

  /** Whatever the backend made of If-Match and Range, its own headers say what it sends. */
  #check(key: string, { status, headers }: Answer<unknown>, { version, start, end }: Wanted): void {
    if (!isSame(headers, version)) throw this.#error('moved', 'the backend has another version now', key);
    const length = headers['content-length'];
    if (length !== undefined && parseLength(length) !== end - start) {
      throw this.#error('io', `asked for ${end - start} bytes, the backend announces ${length}`, key);
    }
    const range = status === 206 ? parseContentRange(headers['content-range']) : undefined;
    const right =
      status === 206
        ? range?.start === start && range.end === end && range.wholeBytes === version.sizeBytes
        : start === 0 && end === version.sizeBytes;
    if (!right) throw this.#error('io', 'the backend sends another range than it was asked for', key);
  }

  #error(kind: UfsErrorKind, message: string, key: string): UfsError {
    return new UfsError(kind, message, { backend: this.#place.uri, key });
  }
}

/** The version that a GET or HEAD asks for. */
function pinned({ rawEtag, versionId }: Version): { IfMatch?: string; VersionId?: string } {
  return {
    // If-Match compares strongly: a weak ETag would match nothing (RFC 9110, 13.1.1).
    ...(rawEtag.startsWith('W/') ? {} : { IfMatch: rawEtag }),
    ...(versionId === undefined ? {} : { VersionId: versionId }),
  };
}

function isSame(headers: WireHeaders, version: Version): boolean {
  const found = versionOf(headers, version.sizeBytes, '');
  return (
    found !== undefined &&
    found.rawEtag === version.rawEtag &&
    found.lastModifiedMs === version.lastModifiedMs &&
    found.versionId === version.versionId
  );
}

/** The version was there once: what cannot be had of it any more has moved. */
function movedIfGone(error: UfsError, backend: string): UfsError {
  if (error.kind !== 'not-found' && error.kind !== 'precondition-failed') return error;
  return new UfsError('moved', error.message, { backend, key: error.key, cause: error.cause });
}
