import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { digestLengths } from '../common/checksums.ts';
import type { ChecksumAlgorithm, UploadBody } from '../common/object-meta.ts';
import type { Deadline } from './deadline.ts';
import { UfsError } from './errors.ts';
import { type ChunkedForm, type ChunkSeed, encodeChunks, encodedLength, payloadMark } from './s3-chunks.ts';
import { checksumHeader } from './s3-headers.ts';
import { checkSignal } from './write-rules.ts';

export interface SendOptions {
  readonly backend: string;
  readonly key: string;
  readonly signal?: AbortSignal;
  /** Whether the connection is encrypted, and so keeps the body from being changed on its way. */
  readonly secure: boolean;
  /** Bodies of so many bytes at most are gathered and sent in one piece. */
  readonly inlineBodyBytes: number;
  /** Whether the backend takes a checksum behind a body, and a body in signed chunks. */
  readonly checksumTrailers: boolean;
  readonly signedChunks: boolean;
  /** A checksum to send whatever the client sent: that of the multipart upload. */
  readonly algorithm?: ChecksumAlgorithm;
  readonly beforeCommit?: () => Promise<void>;
  readonly commitTimeoutMs: number;
}

export type Payload = Buffer | Readable;

/** What goes on the wire. */
export interface SentBody {
  readonly payload: Payload;
  readonly contentLength: number;
  readonly headers: Record<string, string>;
}

/**
 * A body on its way to the backend. The last piece goes out only when the whole body was found right and `beforeCommit`
 * has run; until then the backend has fewer bytes than it was told to expect, and makes nothing visible.
 *
 * Small bodies go in one piece with everything known. Over TLS the rest goes as UNSIGNED-PAYLOAD, or with a checksum as an
 * unsigned trailer; without TLS in signed chunks, if the backend takes them (S3 API Reference, "Signature calculations:
 * transferring a payload").
 */
export class BodySender {
  readonly #body: UploadBody;
  readonly #options: SendOptions;
  readonly #algorithm: ChecksumAlgorithm | undefined;
  #deadline: Deadline | undefined;
  #stream: Readable | undefined;
  #seed: ChunkSeed | undefined;
  #failure: { readonly error: unknown } | undefined;
  #lastGone = false;

  constructor(body: UploadBody, options: SendOptions) {
    this.#body = body;
    this.#options = options;
    if (options.algorithm) body.need(options.algorithm);
    this.#algorithm = options.algorithm ?? body.announcedChecksum?.algorithm;
  }

  /** Whether the backend may have the whole body. Before that no failure can have left anything visible. */
  get complete(): boolean {
    return this.#lastGone;
  }

  /** What the body or `beforeCommit` rejected with. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  readonly seed = (seed: ChunkSeed): void => {
    this.#seed = seed;
  };

  /** Gathers a small body; rejects with what it rejects with. */
  async prepare(): Promise<SentBody> {
    return this.#body.sizeBytes <= this.#options.inlineBodyBytes ? this.#inOnePiece() : this.#streamed();
  }

  /** Just before the request goes out. From here on the deadline watches the backend. */
  async start(deadline: Deadline): Promise<void> {
    this.#deadline = deadline;
    if (this.#stream) return;
    await this.#options.beforeCommit?.();
    this.#lastGone = true;
    deadline.allow(this.#options.commitTimeoutMs);
  }

  /** Lets go of the body, and of a request that has not had all of it. */
  end(): void {
    if (this.#stream && !this.#stream.readableEnded) {
      this.#deadline?.stop();
      this.#stream.destroy();
    }
  }

  async #inOnePiece(): Promise<SentBody> {
    const { backend, key, secure, signal } = this.#options;
    const pieces: Buffer[] = [];
    for await (const piece of this.#body) {
      checkSignal(signal, backend, key);
      pieces.push(piece);
    }
    const payload = Buffer.concat(pieces);
    this.#checkSize(payload.length);
    const headers: Record<string, string> = {
      'x-amz-content-sha256': secure
        ? 'UNSIGNED-PAYLOAD'
        : createHash('sha256').update(payload).digest('hex'),
    };
    for (const [algorithm, value] of Object.entries(this.#checksums())) {
      Object.assign(headers, checksumHeaders(algorithm as ChecksumAlgorithm, value as string));
    }
    return { payload, contentLength: payload.length, headers };
  }

  #checksums() {
    const sent = this.#body.sentChecksums();
    const algorithm = this.#algorithm;
    if (!algorithm || sent[algorithm] !== undefined) return sent;
    return { [algorithm]: this.#body.digest(algorithm).toString('base64') };
  }

  #streamed(): SentBody {
    const { secure, checksumTrailers, signedChunks } = this.#options;
    const { sizeBytes } = this.#body;
    const ahead = this.#checksumAhead();
    const algorithm = checksumTrailers && !ahead ? this.#algorithm : undefined;
    const signed = !secure && signedChunks;
    if (!signed && !algorithm) {
      const headers = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...ahead };
      return { payload: this.#open(this.#heldBack()), contentLength: sizeBytes, headers };
    }
    const form: ChunkedForm = {
      sizeBytes,
      signed,
      ...(algorithm ? { trailer: this.#trailer(algorithm) } : {}),
    };
    return {
      payload: this.#open(encodeChunks(this.#heldBack(), form, () => this.#seed)),
      contentLength: encodedLength(form),
      headers: {
        'x-amz-content-sha256': payloadMark(form),
        'x-amz-decoded-content-length': String(sizeBytes),
        ...(algorithm && form.trailer
          ? { 'x-amz-trailer': form.trailer.name, [algorithmHeader]: algorithm }
          : ahead),
      },
    };
  }

  /** The checksum as a header, if it is known already: every S3 server takes that, and fewer take it behind the body. */
  #checksumAhead(): Record<string, string> | undefined {
    const { announcedChecksum: known } = this.#body;
    if (known?.value === undefined || known.algorithm !== this.#algorithm) return undefined;
    return checksumHeaders(known.algorithm, known.value);
  }

  #trailer(algorithm: ChecksumAlgorithm) {
    return {
      name: checksumHeader(algorithm),
      valueLength: Math.ceil(digestLengths[algorithm] / 3) * 4,
      value: () => this.#checksums()[algorithm] as string,
    };
  }

  #open(pieces: AsyncIterable<Buffer>): Readable {
    this.#stream = Readable.from(pieces, { objectMode: false, highWaterMark: 64 * 1024 });
    // The failure is kept already; without a listener the process would stop.
    this.#stream.on('error', () => {});
    return this.#stream;
  }

  async *#heldBack(): AsyncGenerator<Buffer, void, undefined> {
    const pieces = this.#body[Symbol.asyncIterator]();
    try {
      let held: Buffer | undefined;
      let sizeBytes = 0;
      for (;;) {
        this.#deadline?.pause();
        const next = await pieces.next();
        this.#deadline?.resume();
        if (next.done) break;
        sizeBytes += next.value.length;
        if (held) yield held;
        held = next.value;
      }
      this.#checkSize(sizeBytes);
      await this.#options.beforeCommit?.();
      this.#lastGone = true;
      this.#deadline?.allow(this.#options.commitTimeoutMs);
      if (held) yield held;
    } catch (error) {
      this.#failure = { error };
      this.#deadline?.stop();
      throw error;
    } finally {
      await pieces.return?.();
    }
  }

  #checkSize(sizeBytes: number): void {
    if (sizeBytes === this.#body.sizeBytes) return;
    const { backend, key } = this.#options;
    throw new UfsError('io', `a body of ${this.#body.sizeBytes} bytes ended after ${sizeBytes}`, {
      backend,
      key,
    });
  }
}

/** With it some servers look for the checksum; the SDKs send it with each (S3 API Reference, PutObject). */
const algorithmHeader = 'x-amz-sdk-checksum-algorithm';

function checksumHeaders(algorithm: ChecksumAlgorithm, value: string): Record<string, string> {
  return { [checksumHeader(algorithm)]: value, [algorithmHeader]: algorithm };
}

/** `content-encoding` of an object whose body is sent as `aws-chunked`. */
export function chunkedEncoding(headers: Record<string, string>): string | undefined {
  const own = headers['content-encoding'];
  if (headers['x-amz-decoded-content-length'] === undefined) return own;
  return own ? `aws-chunked,${own}` : 'aws-chunked';
}
