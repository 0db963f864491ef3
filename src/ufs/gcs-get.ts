import type { IncomingMessage } from 'node:http';
import type { ByteRange } from '../common/byte-range.ts';
import type { Deadline } from './deadline.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import type { GcsConnection, GcsHeaders } from './gcs-connection.ts';
import { objectPath } from './gcs-names.ts';
import type { GcsPlace } from './gcs-place.ts';
import { RateFloor } from './rate-floor.ts';
import type { StorageCall } from './storage-connection.ts';

const maxChunkBytes = 1_048_576;

/** Bytes of one generation that are on their way. To be closed in the end, in any case. */
export class GcsGet {
  readonly #connection: GcsConnection;
  readonly #call: StorageCall;
  readonly #deadline: Deadline;
  readonly #floor: RateFloor;
  readonly #range: ByteRange;
  #body: IncomingMessage | undefined;

  constructor(connection: GcsConnection, call: StorageCall, range: ByteRange) {
    this.#connection = connection;
    this.#call = call;
    this.#range = range;
    this.#deadline = connection.deadline(call.signal);
    const { minBytesPerSecond, idleTimeoutMs } = connection.tuning;
    this.#floor = new RateFloor(connection.clock, { minBytesPerSecond, windowMs: idleTimeoutMs });
  }

  /** Sends it; resolves once the head of the answer was found to speak of the wanted generation and range. Kinds: moved, io. */
  async ask(place: GcsPlace, key: string, generation: string, sizeBytes: number): Promise<void> {
    const { start, end } = this.#range;
    const whole = start === 0 && end === sizeBytes;
    const request = {
      ...this.#call,
      method: 'GET',
      path: objectPath(place, key),
      parameters: { alt: 'media', generation },
      // What is stored compressed comes as it is stored ("Transcoding of gzip-compressed files").
      headers: { 'accept-encoding': 'gzip', ...(whole ? {} : { range: `bytes=${start}-${end - 1}` }) },
    } as const;
    const { status, headers, body } = await this.#connection.request(request, this.#deadline, false);
    // Whoever reads it is told; until then the process must not stop for it.
    body.on('error', () => {});
    this.#body = body;
    this.#deadline.pause();
    this.#check(status, headers, generation, sizeBytes);
  }

  /** Neither fewer bytes than the range nor more. Rejects with `UfsError`. */
  async *pieces(): AsyncGenerator<Buffer> {
    const wantedBytes = this.#range.end - this.#range.start;
    let passedBytes = 0;
    this.#deadline.resume();
    this.#floor.begin();
    try {
      for await (const piece of this.#body as AsyncIterable<Buffer>) {
        passedBytes += piece.length;
        if (passedBytes > wantedBytes) throw this.#error('the storage sent more bytes than it announced');
        if (!this.#floor.end(piece.length)) {
          throw this.#error('the storage sends too few bytes a second', 'timeout');
        }
        // While the reader is busy it is not the storage that stands still.
        this.#deadline.pause();
        for (let at = 0; at < piece.length; at += maxChunkBytes) yield piece.subarray(at, at + maxChunkBytes);
        this.#deadline.resume();
        this.#floor.begin();
      }
      if (passedBytes < wantedBytes) {
        throw this.#error(`${wantedBytes - passedBytes} bytes of the answer did not come`);
      }
    } catch (error) {
      throw this.#connection.fault(error, this.#call, this.#deadline, undefined, false);
    } finally {
      this.close();
    }
  }

  /** An answer that is here to its end gives its connection back; any other takes it along. */
  close(): void {
    this.#deadline.end();
    if (this.#body?.complete) this.#body.resume();
    else this.#body?.destroy();
  }

  /** Whatever was made of `generation` and Range, the answer's own headers say what it brings. */
  #check(status: number, headers: GcsHeaders, generation: string, sizeBytes: number): void {
    const { start, end } = this.#range;
    if (headers['x-goog-generation'] !== generation) {
      throw this.#error('the storage sends another generation than it was asked for', 'moved');
    }
    const length = headers['content-length'];
    if (length !== undefined && Number(length) !== end - start) {
      throw this.#error(`asked for ${end - start} bytes, the storage announces ${length}`);
    }
    const expected = `bytes ${start}-${end - 1}/${sizeBytes}`;
    const right = status === 206 ? headers['content-range'] === expected : start === 0 && end === sizeBytes;
    if (!right) throw this.#error('the storage sends another range than it was asked for');
  }

  #error(message: string, kind: UfsErrorKind = 'io'): UfsError {
    return new UfsError(kind, message, { backend: this.#connection.uri, key: this.#call.key });
  }
}
