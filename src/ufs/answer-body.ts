import type { IncomingMessage } from 'node:http';
import type { Deadline } from './deadline.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import { RateFloor } from './rate-floor.ts';
import type { CallTuning, StorageCall, StorageConnection } from './storage-connection.ts';

const maxChunkBytes = 1_048_576;

/** Any failure of the call as the storage's error. */
type FaultOf = (error: unknown, deadline: Deadline) => UfsError;

/** The bytes of one answer, at the pace of whoever takes them. To be closed in the end, in any case. */
export class AnswerBody {
  /** Of the whole call, its head too. */
  readonly deadline: Deadline;
  readonly #backend: string;
  readonly #key: string | undefined;
  readonly #floor: RateFloor;
  readonly #faultOf: FaultOf;
  #body: IncomingMessage | undefined;

  constructor(connection: StorageConnection<CallTuning>, call: StorageCall, faultOf: FaultOf) {
    const { clock, tuning, uri } = connection;
    const { minBytesPerSecond, idleTimeoutMs } = tuning;
    this.deadline = connection.deadline(call.signal);
    this.#backend = uri;
    this.#key = call.key;
    this.#floor = new RateFloor(clock, { minBytesPerSecond, windowMs: idleTimeoutMs });
    this.#faultOf = faultOf;
  }

  /** The head of the answer is here. From now on nothing is expected of the storage until somebody asks for bytes. */
  begin(body: IncomingMessage): void {
    // Whoever reads it is told; until then the process must not stop for it.
    body.on('error', () => {});
    this.#body = body;
    this.deadline.pause();
  }

  /**
   * The answer's bytes but for the first `skipBytes`, and only so many as are wanted; it has `carriedBytes` in all, neither
   * fewer nor more. Rejects with `UfsError`.
   */
  async *pieces(skipBytes: number, wantedBytes: number, carriedBytes: number): AsyncGenerator<Buffer> {
    let passedBytes = 0;
    this.deadline.resume();
    this.#floor.begin();
    try {
      for await (const piece of this.#body as AsyncIterable<Buffer>) {
        const from = Math.max(0, skipBytes - passedBytes);
        const to = skipBytes + wantedBytes - passedBytes;
        passedBytes += piece.length;
        if (passedBytes > carriedBytes) {
          throw this.error('the storage sent more bytes than belong to the answer');
        }
        if (!this.#floor.end(piece.length)) {
          throw this.error('the storage sends too few bytes a second', 'timeout');
        }
        // While the reader is busy it is not the storage that stands still.
        this.deadline.pause();
        for (let at = from; at < Math.min(to, piece.length); at += maxChunkBytes) {
          yield piece.subarray(at, Math.min(to, at + maxChunkBytes));
        }
        this.deadline.resume();
        this.#floor.begin();
        if (passedBytes >= skipBytes + wantedBytes && passedBytes < carriedBytes) return;
      }
      if (passedBytes < carriedBytes) {
        throw this.error(`${carriedBytes - passedBytes} bytes of the answer did not come`);
      }
    } catch (error) {
      throw this.#faultOf(error, this.deadline);
    } finally {
      this.close();
    }
  }

  /** An answer that is here to its end gives its connection back; any other takes it along. */
  close(): void {
    this.deadline.end();
    if (this.#body?.complete) this.#body.resume();
    else this.#body?.destroy();
  }

  /** An answer that is not what was asked for. */
  error(message: string, kind: UfsErrorKind = 'io'): UfsError {
    return new UfsError(kind, message, { backend: this.#backend, key: this.#key });
  }
}
