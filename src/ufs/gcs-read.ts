import type { ByteRange } from '../common/byte-range.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { CallOptions } from './backend.ts';
import { orAbsent, UfsError } from './errors.ts';
import { type GcsConnection, type GcsRequest, jsonOf } from './gcs-connection.ts';
import { GcsGet } from './gcs-get.ts';
import { objectPath } from './gcs-names.ts';
import { type GcsObject, metaOf, objectFields } from './gcs-object.ts';
import type { GcsPlace } from './gcs-place.ts';
import type { Permit } from './limit.ts';
import type { Backoff } from './retry.ts';
import type { UnresolvedChanges } from './unresolved.ts';

/** An answer that brought so much before it broke off is no failure to be counted with those before it. */
const progressBytes = 1_048_576;

/** Metadata and bytes. */
export class GcsReader {
  readonly #connection: GcsConnection;
  readonly #place: GcsPlace;
  readonly #unresolved: UnresolvedChanges;

  constructor(connection: GcsConnection, place: GcsPlace, unresolved: UnresolvedChanges) {
    this.#connection = connection;
    this.#place = place;
    this.#unresolved = unresolved;
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<ObjectMeta> {
    return this.shown(key, await this.object(key, signal));
  }

  /** An object's resource. Kinds: not-found, whose `unresolved` says that a lost change may still make it. */
  async object(key: string, signal: AbortSignal | undefined): Promise<GcsObject> {
    this.#place.checkHeld(key, 'not-found');
    try {
      const request = this.#request(key, signal);
      return jsonOf(await this.#connection.read(request), request, this.#place.uri);
    } catch (error) {
      throw this.#absence(key, error);
    }
  }

  /** The same, asked for once and within a short time; undefined where there is none. */
  async objectOnce(key: string): Promise<GcsObject | undefined> {
    const request = this.#request(key, undefined);
    const answer = await orAbsent(this.#connection.readOnce(request));
    return answer && jsonOf(answer, request, this.#place.uri);
  }

  /** Metadata for the layers above; not to be kept while a change that was lost may still come. */
  shown(key: string, object: GcsObject): ObjectMeta {
    const meta = metaOf(object, this.#place.uri, key);
    const mayStillChange = this.#unresolved.mayStillChange(key, { etag: meta.generation });
    return mayStillChange ? { ...meta, generationSettled: false } : meta;
  }

  async *read(
    key: string,
    meta: Pick<ObjectMeta, 'generation' | 'sizeBytes'>,
    range: ByteRange,
    { signal }: CallOptions = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    if (!/^\d+$/.test(meta.generation)) throw this.#moved(key, 'the version cannot be asked for');
    const permit = await this.#connection.reads.acquire(signal);
    try {
      yield* this.#download(key, meta, range, signal, permit);
    } finally {
      permit.release();
    }
  }

  /** One answer after the other where they break off: each of the same generation, so that they belong together. */
  async *#download(
    key: string,
    { generation, sizeBytes }: Pick<ObjectMeta, 'generation' | 'sizeBytes'>,
    range: ByteRange,
    signal: AbortSignal | undefined,
    permit: Permit,
  ): AsyncGenerator<Buffer, void, undefined> {
    let backoff = this.#connection.backoff();
    let at = range.start;
    let lastFailureAt = at;
    while (at < range.end) {
      const call = { operation: 'objects.get', key, signal };
      const get = new GcsGet(this.#connection, call, { start: at, end: range.end });
      try {
        await get.ask(this.#place, key, generation, sizeBytes);
        for await (const piece of get.pieces()) {
          at += piece.length;
          permit.pause();
          yield piece;
          permit.resume();
        }
      } catch (error) {
        if (at - lastFailureAt >= progressBytes) backoff = this.#connection.backoff();
        lastFailureAt = at;
        await this.#pause(backoff, permit, this.#movedIfGone(key, error), at < range.end, signal);
      } finally {
        get.close();
      }
    }
  }

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

  #request(key: string, signal: AbortSignal | undefined): GcsRequest {
    const path = objectPath(this.#place, key);
    return {
      operation: 'objects.get',
      key,
      signal,
      method: 'GET',
      path,
      parameters: { fields: objectFields },
    };
  }

  /** The generation was there once: what cannot be had of it any more has moved. */
  #movedIfGone(key: string, error: unknown): unknown {
    if (!(error instanceof UfsError) || error.kind !== 'not-found') return error;
    return this.#moved(key, error.message, error.cause);
  }

  #moved(key: string, message: string, cause?: unknown): UfsError {
    return new UfsError('moved', message, { backend: this.#place.uri, key, cause });
  }

  /** An absence that a lost change may end is not to be kept. */
  #absence(key: string, error: unknown): unknown {
    if (!(error instanceof UfsError) || error.kind !== 'not-found') return error;
    if (!this.#unresolved.mayStillChange(key, 'absent')) return error;
    const { message, code, cause } = error;
    return new UfsError('not-found', message, {
      backend: this.#place.uri,
      key,
      code,
      unresolved: true,
      cause,
    });
  }
}
