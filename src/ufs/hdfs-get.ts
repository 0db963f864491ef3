import type { ByteRange } from '../common/byte-range.ts';
import { AnswerBody } from './answer-body.ts';
import type { HdfsClient } from './hdfs-client.ts';
import type { StorageCall } from './storage-connection.ts';

/** Bytes of a file that are on their way. To be closed in the end, in any case. */
export class HdfsGet {
  readonly #client: HdfsClient;
  readonly #call: StorageCall;
  readonly #range: ByteRange;
  readonly #body: AnswerBody;
  /** The DataNode that sends, once it is known. */
  host: string | undefined;

  constructor(client: HdfsClient, call: StorageCall, range: ByteRange) {
    this.#client = client;
    this.#call = call;
    this.#range = range;
    const { connection } = client;
    this.#body = new AnswerBody(connection, call, (error, deadline) =>
      connection.fault(error, call, deadline, undefined, false),
    );
  }

  /** Resolves once the head of the answer is here. Kinds: not-found. */
  async ask(path: string, excluded: readonly string[]): Promise<void> {
    const { key, signal } = this.#call;
    const onHost = (host: string) => {
      this.host = host;
    };
    const { deadline } = this.#body;
    const about = { key, signal, onHost };
    const { body, length } = await this.#client.open(path, this.#range, excluded, deadline, about);
    this.#body.begin(body);
    const wanted = this.#range.end - this.#range.start;
    if (length !== undefined && Number(length) !== wanted) {
      throw this.#body.error(`asked for ${wanted} bytes, the storage announces ${length}`);
    }
  }

  /** Neither fewer bytes than the range nor more. Rejects with `UfsError`. */
  pieces(): AsyncIterable<Buffer> {
    const wantedBytes = this.#range.end - this.#range.start;
    return this.#body.pieces(0, wantedBytes, wantedBytes);
  }

  close(): void {
    this.#body.close();
  }
}
