import { AnswerBody } from './answer-body.ts';
import type { S3Connection } from './s3-connection.ts';
import { parseContentRange, parseLength, type WireHeaders } from './s3-headers.ts';
import type { ObjectRequest } from './s3-transport.ts';
import type { Call } from './s3-wire.ts';

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
  readonly #body: AnswerBody;

  /** The call's signal counts for the whole of it, unless `follow` names another. */
  constructor(connection: S3Connection, call: Call) {
    this.#connection = connection;
    this.#call = call;
    this.#body = new AnswerBody(connection, call, (error, deadline) =>
      connection.fault(error, call, deadline, {}, false),
    );
  }

  /** Sends it. From the head of the answer on nothing is expected of the backend until somebody asks for bytes. */
  async ask(request: ObjectRequest): Promise<GetHead> {
    const about = { mayHaveChanged: () => false };
    const { status, headers, body } = await this.#connection.request(
      request,
      this.#call,
      this.#body.deadline,
      about,
    );
    this.#body.begin(body);
    return { status, headers };
  }

  /** From now on it ends with this signal. */
  follow(signal: AbortSignal | undefined): void {
    this.#body.deadline.follow(signal);
  }

  /**
   * The answer's bytes but for the first `skipBytes`, and only so many as are wanted; it has `carriedBytes` in all, neither
   * fewer nor more. Rejects with `UfsError`.
   */
  pieces(skipBytes: number, wantedBytes: number, carriedBytes: number): AsyncIterable<Buffer> {
    return this.#body.pieces(skipBytes, wantedBytes, carriedBytes);
  }

  close(): void {
    this.#body.close();
  }
}
