import { type ByteRange, rangeLength } from '../common/byte-range.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { CallOptions, OpenedObject, OpenRange, PartPlace } from './backend.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import { drained } from './http-answers.ts';
import type { Permit } from './limit.ts';
import { type Backoff, retried } from './retry.ts';
import type { S3Connection } from './s3-connection.ts';
import { isExact, isWeak, metadataDigest, parseGeneration, type Version } from './s3-generation.ts';
import { type Carried, carriedBy, type GetHead, S3Get } from './s3-get.ts';
import {
  checksumsOf,
  parseContentRange,
  parseLength,
  parseMeta,
  versionOf,
  type WireHeaders,
} from './s3-headers.ts';
import type { S3Place } from './s3-place.ts';
import type { ObjectRequest } from './s3-transport.ts';
import type { Call } from './s3-wire.ts';
import { noting } from './storage-connection.ts';
import type { UnresolvedChanges } from './unresolved.ts';
import { nullVersionId } from './version-ids.ts';

/** An answer that brought so much before it broke off is no failure to be counted with those before it. */
const progressBytes = 1_048_576;

/** A GET whose head has been found right, and what its body carries. */
interface Answering {
  readonly get: S3Get;
  readonly carried: ByteRange;
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

  /** With `versionId`, of that version. */
  async head(
    key: string,
    { signal, versionId }: CallOptions & { readonly versionId?: string } = {},
  ): Promise<ObjectMeta> {
    this.#place.checkHeld(key, 'not-found');
    try {
      const call = { operation: 'HeadObject', key, signal };
      const { headers } = await this.#connection.head(this.#headRequest(key, versionId), call);
      return this.#metaOf(key, parseMeta(headers));
    } catch (error) {
      throw this.#absence(key, error);
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
      return await this.#connection.under(reads, deadline.signal, async () => {
        const about = { mayHaveChanged: () => false };
        const { headers, body } = await this.#connection.request(
          this.#headRequest(key),
          call,
          deadline,
          about,
        );
        await drained(body);
        return this.#metaOf(key, parseMeta(headers));
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
    return { range: { start: range.start, end: range.end }, count, checksums: checksumsOf(headers) };
  }

  async #askForPart(key: string, version: Version, partNumber: number, signal: AbortSignal | undefined) {
    const { headers, parameters } = pinned(version);
    const part = ['partNumber', String(partNumber)] as const;
    const asked = { ...headers, 'x-amz-checksum-mode': 'ENABLED' };
    const request = this.#request('HEAD', key, asked, [part, ...parameters]);
    try {
      return await this.#connection.head(request, { operation: 'HeadObject', key, signal });
    } catch (error) {
      if (!(error instanceof UfsError)) throw error;
      // 416 of this request is about the part's number: the version was held to be the right one before.
      if (error.kind === 'moved') throw this.#error('invalid-part', error.message, key);
      throw movedIfGone(error, this.#place.uri);
    }
  }

  /** The head of the answer says what HEAD would; where it does not say enough, HEAD is asked. */
  async open(key: string, range: OpenRange, { signal }: CallOptions = {}): Promise<OpenedObject> {
    this.#place.checkHeld(key, 'not-found');
    const permit = await this.#connection.reads.acquire(signal);
    let opened: OpenedObject | undefined;
    try {
      opened = await retried(this.#connection.backoff(), signal, () =>
        noting(permit, () => this.#openOnce(key, range, permit, signal)),
      );
    } catch (error) {
      throw this.#absence(key, error);
    } finally {
      if (!opened) permit.release();
    }
    return opened ?? this.#unopened(key, range, signal);
  }

  async #openOnce(key: string, range: OpenRange, permit: Permit, signal: AbortSignal | undefined) {
    const get = new S3Get(this.#connection, { operation: 'GetObject', key, signal });
    let opened: OpenedObject | undefined;
    try {
      const head = await get.ask(this.#openRequest(key, range));
      const carried = carriedBy(head);
      const meta = carried && isWhatWasAsked(carried, range) && metaIn(head, carried);
      if (meta) {
        permit.pause();
        opened = this.#openedObject(key, this.#metaOf(key, meta), { get, carried }, permit);
        // Whoever asked may be gone when it is read.
        get.follow(undefined);
      }
    } catch (error) {
      // There is nothing of that range, and nothing else is said.
      if (!(error instanceof UfsError) || error.kind !== 'moved') throw error;
    } finally {
      if (!opened) get.close();
    }
    return opened;
  }

  #openedObject(key: string, meta: ObjectMeta, answering: Answering, permit: Permit): OpenedObject {
    const { start, end } = answering.carried;
    return {
      meta,
      range: { start, end },
      read: (range, { signal } = {}) => {
        answering.get.follow(signal);
        permit.resume();
        return this.#download(key, this.#versionOf(key, meta), range, signal, permit, answering);
      },
      close: () => {
        answering.get.close();
        permit.release();
      },
    };
  }

  async #unopened(key: string, { start }: OpenRange, signal: AbortSignal | undefined): Promise<OpenedObject> {
    const meta = await this.head(key, { signal });
    const nothing = () => {
      throw this.#error('io', 'no bytes are on their way', key);
    };
    return { meta, range: { start, end: start }, read: nothing, close: () => {} };
  }

  async *read(
    key: string,
    meta: ObjectMeta,
    range: ByteRange,
    { signal }: CallOptions = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    const version = this.#versionOf(key, meta);
    const permit = await this.#connection.reads.acquire(signal);
    yield* this.#download(key, version, range, signal, permit, undefined);
  }

  /** Bytes of one version, from one answer after the other where they break off. Gives the permit back. */
  async *#download(
    key: string,
    version: Version,
    range: ByteRange,
    signal: AbortSignal | undefined,
    permit: Permit,
    begun: Answering | undefined,
  ): AsyncGenerator<Buffer, void, undefined> {
    let backoff = this.#connection.backoff();
    let answering = begun;
    let at = range.start;
    let lastFailureAt = at;
    try {
      while (at < range.end) {
        try {
          answering ??= await this.#ask(key, version, { start: at, end: range.end }, signal);
          const { get, carried } = answering;
          for await (const piece of get.pieces(at - carried.start, range.end - at, rangeLength(carried))) {
            at += piece.length;
            permit.pause();
            yield piece;
            permit.resume();
          }
        } catch (error) {
          answering?.get.close();
          answering = undefined;
          if (at - lastFailureAt >= progressBytes) backoff = this.#connection.backoff();
          lastFailureAt = at;
          const goesOn = at < range.end && (at === range.start || isExact(version));
          await this.#pause(backoff, permit, error, goesOn, signal);
        }
      }
    } finally {
      answering?.get.close();
      permit.release();
    }
  }

  /** Before the next answer; rejects with the error where there will be none. */
  async #pause(
    backoff: Backoff,
    permit: Permit,
    error: unknown,
    goesOn: boolean,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (error instanceof UfsError && error.kind === 'throttled') permit.throttled();
    if (!goesOn) throw error;
    await backoff.pause(error, signal);
  }

  /** One GET, given only if the answer's head was found to speak of the wanted version and range. */
  async #ask(
    key: string,
    version: Version,
    range: ByteRange,
    signal: AbortSignal | undefined,
  ): Promise<Answering> {
    const get = new S3Get(this.#connection, { operation: 'GetObject', key, signal });
    try {
      const head = await get.ask(this.#getRequest(key, version, range));
      this.#check(key, head, version, range);
      return { get, carried: range };
    } catch (error) {
      get.close();
      throw error instanceof UfsError ? movedIfGone(error, this.#place.uri) : error;
    }
  }

  #headRequest(key: string, versionId?: string): ObjectRequest {
    const parameters = versionId === undefined ? [] : ([['versionId', versionId]] as const);
    return this.#request('HEAD', key, { 'x-amz-checksum-mode': 'ENABLED' }, parameters);
  }

  #openRequest(key: string, { start, end }: OpenRange): ObjectRequest {
    const whole = start === 0 && end === undefined;
    const range = `bytes=${start}-${end === undefined ? '' : end - 1}`;
    return this.#request('GET', key, whole ? { 'x-amz-checksum-mode': 'ENABLED' } : { range });
  }

  #getRequest(key: string, version: Version, { start, end }: ByteRange): ObjectRequest {
    const whole = start === 0 && end === version.sizeBytes;
    const { headers, parameters } = pinned(version);
    const all = whole ? headers : { ...headers, range: `bytes=${start}-${end - 1}` };
    return this.#request('GET', key, all, parameters);
  }

  #request(
    method: 'HEAD' | 'GET',
    key: string,
    headers: Readonly<Record<string, string>>,
    parameters: Pinned['parameters'] = [],
  ): ObjectRequest {
    return { method, path: this.#place.pathOf(key), headers, parameters };
  }

  #versionOf(key: string, { generation, versionId }: ObjectMeta): Version {
    const version = parseGeneration(generation);
    if (!version) throw this.#error('moved', 'the version cannot be asked for', key);
    return versionId === nullVersionId ? { ...version, isNull: true } : version;
  }

  #metaOf(key: string, meta: ObjectMeta | undefined): ObjectMeta {
    if (!meta) throw this.#error('io', 'the answer lacks Content-Length, ETag or Last-Modified', key);
    // While a change that was lost may still come, what is there now is not to be kept.
    const mayStillChange = this.#unresolved.mayStillChange(key, { etag: meta.etag });
    return mayStillChange ? { ...meta, generationSettled: false } : meta;
  }

  /** An absence that a lost change may end is not to be kept. */
  #absence(key: string, error: unknown): unknown {
    if (!(error instanceof UfsError) || error.kind !== 'not-found') return error;
    if (!this.#unresolved.mayStillChange(key, 'absent')) return error;
    const { message, code, marker, cause } = error;
    return new UfsError('not-found', message, {
      marker,
      backend: this.#place.uri,
      key,
      code,
      unresolved: true,
      cause,
    });
  }

  /** Whatever the backend made of If-Match and Range, its own headers say what it sends. */
  #check(key: string, head: GetHead, version: Version, { start, end }: ByteRange): void {
    const { status, headers } = head;
    const same = isSame(headers, version) && (isExact(version) || isDescribedSo(headers, version));
    if (!same) throw this.#error('moved', 'the backend has another version now', key);
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

/** Whether an answer brings what there is of a range, no less and no more. */
function isWhatWasAsked({ start, end, wholeBytes }: Carried, asked: OpenRange): boolean {
  return start === asked.start && end === Math.min(asked.end ?? wholeBytes, wholeBytes);
}

function metaIn({ status, headers }: GetHead, { wholeBytes }: Carried): ObjectMeta | undefined {
  return parseMeta(headers, status === 206 ? wholeBytes : undefined);
}

type Pinned = Required<Pick<ObjectRequest, 'headers' | 'parameters'>>;

/** The version that a GET or HEAD asks for. */
function pinned({ rawEtag, versionId, isNull }: Version): Pinned {
  const asked = isNull ? nullVersionId : versionId;
  return {
    // If-Match compares strongly: a weak ETag would match nothing (RFC 9110, 13.1.1).
    headers: isWeak(rawEtag) ? {} : { 'if-match': rawEtag },
    parameters: asked === undefined ? [] : [['versionId', asked]],
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

/** Whether the rest of what is known of the version is so still, where its ETag tells too little. */
function isDescribedSo(headers: WireHeaders, version: Version): boolean {
  const meta = parseMeta(headers, version.sizeBytes);
  return meta !== undefined && metadataDigest(meta) === version.metadataDigest;
}

/** The version was there once: what cannot be had of it any more has moved. */
function movedIfGone(error: UfsError, backend: string): UfsError {
  if (error.kind !== 'not-found' && error.kind !== 'precondition-failed') return error;
  return new UfsError('moved', error.message, { backend, key: error.key, cause: error.cause });
}
