import type { IncomingMessage } from 'node:http';
import type { Deadline } from './deadline.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import { RateFloor } from './rate-floor.ts';
import type { S3Connection } from './s3-connection.ts';
import { parseContentRange, parseLength, type WireHeaders } from './s3-headers.ts';
import type { ObjectRequest } from './s3-transport.ts';
import type { Call } from './s3-wire.ts';

const maxChunkBytes = 1_048_576;

/** The head of an answer to GET. */
export interface GetHead {
  readonly status: number;
  readonly headers: WireHeaders;
}

/** Which bytes an answer carries, by what it says itself, and of how many; undefined where it does not say it. */
export interface Carried {
  readonly start: number;
  readonly end: number;
  readonly wholeBytes: number;
}

export function carriedBy({ status, headers }: GetHead): Carried | undefined {
  if (status === 206) return parseContentRange(headers['content-range']);
  const wholeBytes = parseLength(headers['content-length']);
  return wholeBytes === undefined ? undefined : { start: 0, end: wholeBytes, wholeBytes };
}

/** One GET: its head, and then its body at the pace of whoever takes it. To be closed in the end, in any case. */
export class S3Get {
  readonly #connection: S3Connection;
  readonly #call: Call;
  readonly #deadline: Deadline;
  readonly #floor: RateFloor;
  #body: IncomingMessage | undefined;

  /** The call's signal counts for the whole of it, unless `follow` names another. */
  constructor(connection: S3Connection, call: Call) {
    this.#connection = connection;
    this.#call = call;
    this.#deadline = connection.deadline(call.signal);
    const { minBytesPerSecond, idleTimeoutMs } = connection.tuning;
    this.#floor = new RateFloor(connection.clock, { minBytesPerSecond, windowMs: idleTimeoutMs });
  }

  /** Sends it. From the head of the answer on nothing is expected of the backend until somebody asks for bytes. */
  async ask(request: ObjectRequest): Promise<GetHead> {
    const about = { mayHaveChanged: () => false };
    const { status, headers, body } = await this.#connection.request(
      request,
      this.#call,
      this.#deadline,
      about,
    );
    // Whoever reads it is told; until then the process must not stop for it.
    body.on('error', () => {});
    this.#body = body;
    this.#deadline.pause();
    return { status, headers };
  }

  /** From now on it ends with this signal. */
  follow(signal: AbortSignal | undefined): void {
    this.#deadline.follow(signal);
  }

  /**
   * The answer's bytes but for the first `skipBytes`, and only so many as are wanted; it has `carriedBytes` in all, neither
   * fewer nor more. Rejects with `UfsError`.
   */
  async *pieces(skipBytes: number, wantedBytes: number, carriedBytes: number): AsyncGenerator<Buffer> {
    let passedBytes = 0;
    this.#deadline.resume();
    this.#floor.begin();
    try {
      for await (const piece of this.#body as AsyncIterable<Buffer>) {
        const from = Math.max(0, skipBytes - passedBytes);
        const to = skipBytes + wantedBytes - passedBytes;
        passedBytes += piece.length;
        if (passedBytes > carriedBytes) throw this.#error('the backend sent more bytes than it announced');
        if (!this.#floor.end(piece.length))
          throw this.#error('the backend sends too few bytes a second', 'timeout');
        // While the reader is busy it is not the backend that stands still.
        this.#deadline.pause();
        for (let at = from; at < Math.min(to, piece.length); at += maxChunkBytes)
          yield piece.subarray(at, Math.min(to, at + maxChunkBytes));
        this.#deadline.resume();
        this.#floor.begin();
        if (passedBytes >= skipBytes + wantedBytes && passedBytes < carriedBytes) return;
      }
      if (passedBytes < carriedBytes) {
        throw this.#error(`${carriedBytes - passedBytes} bytes of the answer did not come`);
      }
    } catch (error) {
      throw this.#connection.fault(error, this.#call, this.#deadline, {}, false);
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

  #error(message: string, kind: UfsErrorKind = 'io'): UfsError {
    return new UfsError(kind, message, { backend: this.#connection.uri, key: this.#call.key });
  }
}
