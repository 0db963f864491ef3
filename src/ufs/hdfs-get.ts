import type { ByteRange } from '../common/byte-range.ts';
import type { Deadline } from './deadline.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import type { HdfsClient } from './hdfs-client.ts';
import type { HdfsAnswer } from './hdfs-connection.ts';
import { RateFloor } from './rate-floor.ts';
import type { StorageCall } from './storage-connection.ts';

/** Bytes of a file that are on their way. To be closed in the end, in any case. */
export class HdfsGet {
  readonly #client: HdfsClient;
  readonly #call: StorageCall;
  readonly #range: ByteRange;
  readonly #deadline: Deadline;
  readonly #floor: RateFloor;
  #answer: HdfsAnswer | undefined;
  /** The DataNode that sends, once it is known. */
  host: string | undefined;

  constructor(client: HdfsClient, call: StorageCall, range: ByteRange) {
    this.#client = client;
    this.#call = call;
    this.#range = range;
    this.#deadline = client.connection.deadline(call.signal);
    const { clock, tuning } = client.connection;
    const { minBytesPerSecond, idleTimeoutMs } = tuning;
    this.#floor = new RateFloor(clock, { minBytesPerSecond, windowMs: idleTimeoutMs });
  }

  /** Resolves once the head of the answer is here. Kinds: not-found. */
  async ask(path: string, excluded: readonly string[]): Promise<void> {
    const { key, signal } = this.#call;
    const onHost = (host: string) => {
      this.host = host;
    };
    this.#answer = await this.#client.open(path, this.#range, excluded, this.#deadline, {
      key,
      signal,
      onHost,
    });
    this.#deadline.pause();
    const { length } = this.#answer;
    const wanted = this.#range.end - this.#range.start;
    if (length !== undefined && Number(length) !== wanted) {
      throw this.#error(`asked for ${wanted} bytes, the storage announces ${length}`);
    }
  }

  /** Neither fewer bytes than the range nor more. Rejects with `UfsError`. */
  async *pieces(): AsyncGenerator<Buffer> {
    const wantedBytes = this.#range.end - this.#range.start;
    let passedBytes = 0;
    this.#deadline.resume();
    this.#floor.begin();
    try {
      for await (const piece of (this.#answer as HdfsAnswer).body as AsyncIterable<Buffer>) {
        passedBytes += piece.length;
        if (passedBytes > wantedBytes) throw this.#error('the storage sent more bytes than it was asked for');
        if (!this.#floor.end(piece.length)) {
          throw this.#error('the storage sends too few bytes a second', 'timeout');
        }
        // While the reader is busy it is not the storage that stands still.
        this.#deadline.pause();
        yield piece;
        this.#deadline.resume();
        this.#floor.begin();
      }
      if (passedBytes < wantedBytes) {
        throw this.#error(`${wantedBytes - passedBytes} bytes of the answer did not come`);
      }
    } catch (error) {
      throw this.#client.connection.fault(error, this.#call, this.#deadline, undefined, false);
    } finally {
      this.close();
    }
  }

  /** An answer that is here to its end gives its connection back; any other takes it along. */
  close(): void {
    this.#deadline.end();
    const body = this.#answer?.body;
    if (body?.complete) body.resume();
    else body?.destroy();
  }

  #error(message: string, kind: UfsErrorKind = 'io'): UfsError {
    return new UfsError(kind, message, { backend: this.#client.connection.uri, key: this.#call.key });
  }
}
