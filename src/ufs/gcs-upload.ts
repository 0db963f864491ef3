import type { UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import { UfsError } from './errors.ts';
import { bodyPieces } from './gcs-body.ts';
import { type GcsConnection, type GcsResult, jsonOf } from './gcs-connection.ts';
import { noGcsAnswer } from './gcs-errors.ts';
import { uploadPath } from './gcs-names.ts';
import { type GcsObject, type GcsObjectToMake, objectFields } from './gcs-object.ts';
import type { GcsPlace } from './gcs-place.ts';
import { type Expected, generationMatch } from './gcs-replace.ts';
import type { StorageCall } from './storage-connection.ts';

/** An object that is to be made of bytes. */
export interface GcsUpload {
  readonly call: StorageCall & { readonly key: string };
  /** Its key, or the name of something hidden. */
  readonly key: string;
  readonly resource: GcsObjectToMake;
  readonly expected: Expected;
}

/** The status that asks for more of an upload, or tells how much of it is there ("Perform resumable uploads"). */
const incomplete = 308;

/** Sends bodies: in one request, or in pieces that can be sent again ("Uploads and downloads"). */
export class GcsUploader {
  readonly #random: Random;
  readonly #connection: GcsConnection;
  readonly #place: GcsPlace;

  constructor(random: Random, connection: GcsConnection, place: GcsPlace) {
    this.#random = random;
    this.#connection = connection;
    this.#place = place;
  }

  /** Metadata and bytes in one request, sent once: the object is there whole or not at all. */
  async insert({ call, key, resource, expected }: GcsUpload, bytes: Buffer): Promise<GcsObject> {
    const boundary = `forebay-${this.#random.uuid()}`;
    const type = resource.contentType ?? 'application/octet-stream';
    const head = `--${boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n`;
    const middle = `\r\n--${boundary}\r\ncontent-type: ${printable(type)}\r\n\r\n`;
    const about = JSON.stringify({ ...resource, name: this.#place.nameOf(key) });
    const request = {
      ...call,
      method: 'POST',
      path: uploadPath(this.#place),
      parameters: {
        uploadType: 'multipart',
        ifGenerationMatch: generationMatch(expected),
        fields: objectFields,
      },
      headers: { 'content-type': `multipart/related; boundary=${boundary}` },
      body: Buffer.concat([
        Buffer.from(head + about + middle),
        bytes,
        Buffer.from(`\r\n--${boundary}--\r\n`),
      ]),
    } as const;
    return jsonOf(await this.#connection.change(request), request, this.#place.uri, true);
  }

  /**
   * A body in pieces, each of which is sent again from where the storage has it when its answer does not come. To be used for names that
   * nobody reads: what a piece has done that got lost is found out, not undone.
   */
  async resumable(upload: GcsUpload, body: UploadBody): Promise<GcsObject> {
    const { call } = upload;
    const session = await this.#begin(upload, body.sizeBytes);
    const context = { backend: this.#place.uri, key: call.key, signal: call.signal };
    let at = 0;
    try {
      for await (const piece of bodyPieces(body, this.#connection.tuning.pieceBytes, context)) {
        const made = await this.#send(call, session, piece, at, body.sizeBytes);
        at += piece.length;
        if (made) return made;
      }
      throw noGcsAnswer(call.operation, 'the object', this.#place.uri, call.key);
    } catch (error) {
      await this.#cancel(call, session);
      throw error;
    }
  }

  async #begin({ call, key, resource, expected }: GcsUpload, sizeBytes: number): Promise<string> {
    const request = {
      ...call,
      method: 'POST',
      path: uploadPath(this.#place),
      parameters: {
        uploadType: 'resumable',
        ifGenerationMatch: generationMatch(expected),
        fields: objectFields,
      },
      headers: {
        'content-type': 'application/json; charset=UTF-8',
        'x-upload-content-type': printable(resource.contentType ?? 'application/octet-stream'),
        'x-upload-content-length': String(sizeBytes),
      },
      body: Buffer.from(JSON.stringify({ ...resource, name: this.#place.nameOf(key) })),
    } as const;
    const { headers } = await this.#connection.change(request);
    const session = headers.location;
    if (!session || !URL.canParse(session, this.#connection.origin)) {
      throw noGcsAnswer(call.operation, 'an upload’s session', this.#place.uri, call.key);
    }
    return session;
  }

  /** One piece; the object, once its last byte is there. */
  async #send(
    call: GcsUpload['call'],
    session: string,
    piece: Buffer,
    start: number,
    sizeBytes: number,
  ): Promise<GcsObject | undefined> {
    const backoff = this.#connection.backoff();
    const end = start + piece.length;
    let at = start;
    for (;;) {
      let answer: GcsResult;
      try {
        answer = await this.#put(
          call,
          session,
          piece.subarray(at - start),
          `bytes ${at}-${end - 1}/${sizeBytes}`,
        );
      } catch (error) {
        await backoff.pause(passing(error), call.signal);
        answer = await this.#state(call, session, sizeBytes);
      }
      if (answer.status !== incomplete) return jsonOf(answer, call, this.#place.uri);
      const there = bytesThere(answer.headers.range);
      if (there === end && end < sizeBytes) return undefined;
      if (there < at || there >= end) {
        const message = `the storage has ${there} bytes of an upload, and not between ${at} and ${end}`;
        throw new UfsError('io', message, { backend: this.#place.uri, key: call.key });
      }
      // An answer that brings nothing forward counts as a failure.
      if (there === at) {
        const message = 'the storage takes no more of an upload';
        const details = { backend: this.#place.uri, key: call.key, retryable: true };
        await backoff.pause(new UfsError('unavailable', message, details), call.signal);
      }
      at = there;
    }
  }

  #put(call: StorageCall, session: string, bytes: Buffer, range: string): Promise<GcsResult> {
    return this.#connection.change({
      ...call,
      method: 'PUT',
      path: session,
      headers: { 'content-range': range },
      body: bytes,
      accepted: [incomplete],
    });
  }

  /** How much of it is there ("Perform resumable uploads", check the status). */
  #state(call: StorageCall, session: string, sizeBytes: number): Promise<GcsResult> {
    return this.#connection.read({
      ...call,
      method: 'PUT',
      path: session,
      headers: { 'content-range': `bytes */${sizeBytes}` },
      body: Buffer.alloc(0),
      accepted: [incomplete],
    });
  }

  /** What is left of it goes by itself after a week; that this one fails changes nothing. */
  async #cancel(call: StorageCall, session: string): Promise<void> {
    const request = { ...call, signal: undefined, method: 'DELETE', path: session, accepted: [499] } as const;
    await this.#connection.change(request).catch(() => undefined);
  }
}

/** Of `bytes=0-N`; without it there is nothing yet. */
function bytesThere(range: string | undefined): number {
  const last = /^bytes=0-(\d+)$/.exec(range ?? '')?.[1];
  return last === undefined ? 0 : Number(last) + 1;
}

/** The fault of one piece, which may be sent again: nothing becomes visible by it. */
function passing(error: unknown): unknown {
  if (!(error instanceof UfsError) || error.kind === 'cancelled' || !error.unresolved) return error;
  const { kind, message, backend, key, code, cause } = error;
  return new UfsError(kind, message, { backend, key, code, retryable: true, cause });
}

/** The type itself goes with the metadata; the head of a part holds printable ASCII alone. */
function printable(type: string): string {
  return /^[\x20-\x7e]+$/.test(type) ? type : 'application/octet-stream';
}
