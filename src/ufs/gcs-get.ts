import type { ByteRange } from '../common/byte-range.ts';
import { AnswerBody } from './answer-body.ts';
import type { GcsConnection, GcsHeaders } from './gcs-connection.ts';
import { objectPath } from './gcs-names.ts';
import type { GcsPlace } from './gcs-place.ts';
import type { StorageCall } from './storage-connection.ts';

/** Bytes of one generation that are on their way. To be closed in the end, in any case. */
export class GcsGet {
  readonly #connection: GcsConnection;
  readonly #call: StorageCall;
  readonly #range: ByteRange;
  readonly #body: AnswerBody;

  constructor(connection: GcsConnection, call: StorageCall, range: ByteRange) {
    this.#connection = connection;
    this.#call = call;
    this.#range = range;
    this.#body = new AnswerBody(connection, call, (error, deadline) =>
      connection.fault(error, call, deadline, undefined, false),
    );
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
    const { status, headers, body } = await this.#connection.request(request, this.#body.deadline, false);
    this.#body.begin(body);
    this.#check(status, headers, generation, sizeBytes);
  }

  /** Neither fewer bytes than the range nor more. Rejects with `UfsError`. */
  pieces(): AsyncIterable<Buffer> {
    const wantedBytes = this.#range.end - this.#range.start;
    return this.#body.pieces(0, wantedBytes, wantedBytes);
  }

  close(): void {
    this.#body.close();
  }

  /** Whatever was made of `generation` and Range, the answer's own headers say what it brings. */
  #check(status: number, headers: GcsHeaders, generation: string, sizeBytes: number): void {
    const { start, end } = this.#range;
    if (headers['x-goog-generation'] !== generation) {
      throw this.#body.error('the storage sends another generation than it was asked for', 'moved');
    }
    const length = headers['content-length'];
    if (length !== undefined && Number(length) !== end - start) {
      throw this.#body.error(`asked for ${end - start} bytes, the storage announces ${length}`);
    }
    const expected = `bytes ${start}-${end - 1}/${sizeBytes}`;
    const right = status === 206 ? headers['content-range'] === expected : start === 0 && end === sizeBytes;
    if (!right) throw this.#body.error('the storage sends another range than it was asked for');
  }
}
