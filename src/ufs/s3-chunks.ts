import { createHash } from 'node:crypto';
import type { HmacKey } from '../common/hmac-key.ts';
import { sign } from '../common/sigv4.ts';

/** Every chunk but the last of a signed body has at least 8 KiB (S3 API Reference, "Signature calculations: chunked"). */
export const chunkBytes = 128 * 1024;

/** What the signature of a body's first chunk hangs on: that of the request's headers. */
export interface ChunkSeed {
  readonly signingKey: HmacKey;
  readonly amzDate: string;
  /** `date/region/s3/aws4_request`. */
  readonly scope: string;
  readonly signature: string;
}

export interface ChunkedForm {
  readonly sizeBytes: number;
  readonly signed: boolean;
  /** A checksum that follows the body; its value is asked for once the body has passed. */
  readonly trailer?: { readonly name: string; readonly valueLength: number; readonly value: () => string };
}

const signatureExtension = ';chunk-signature=';
const trailerSignature = 'x-amz-trailer-signature:';
const signatureLength = 64;
const lineEnd = Buffer.from('\r\n');
const emptyHash = createHash('sha256').digest('hex');

/** `x-amz-content-sha256` of a body in this form. */
export function payloadMark({ signed, trailer }: ChunkedForm): string {
  const mark = signed ? 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' : 'STREAMING-UNSIGNED-PAYLOAD';
  return trailer ? `${mark}-TRAILER` : mark;
}

/** Bytes of the encoded body: known before it, so that it can be sent with a Content-Length. */
export function encodedLength({ sizeBytes, signed, trailer }: ChunkedForm): number {
  const header = (bytes: number) =>
    bytes.toString(16).length + (signed ? signatureExtension.length + signatureLength : 0) + 2;
  const chunk = (bytes: number) => header(bytes) + bytes + 2;
  const whole = Math.floor(sizeBytes / chunkBytes);
  const rest = sizeBytes % chunkBytes;
  let length = whole * chunk(chunkBytes) + (rest > 0 ? chunk(rest) : 0) + header(0) + 2;
  if (trailer) {
    length += trailer.name.length + 1 + trailer.valueLength + 2;
    if (signed) length += trailerSignature.length + signatureLength + 2;
  }
  return length;
}

/** A body as `aws-chunked`. `seed` is asked for once the first byte is wanted, since the headers are signed by then. */
export async function* encodeChunks(
  source: AsyncIterable<Buffer>,
  form: ChunkedForm,
  seed: () => ChunkSeed | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  let signer: ChunkSigner | undefined;
  const header = (pieces: readonly Buffer[], bytes: number): Buffer => {
    if (form.signed) signer ??= new ChunkSigner(seed());
    const extension = signer ? signatureExtension + signer.chunk(pieces) : '';
    return Buffer.from(`${bytes.toString(16)}${extension}\r\n`);
  };
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      const taken = piece.subarray(at, at + chunkBytes - pendingBytes);
      at += taken.length;
      pending.push(taken);
      pendingBytes += taken.length;
      if (pendingBytes < chunkBytes) continue;
      yield header(pending, pendingBytes);
      yield* pending;
      yield lineEnd;
      pending = [];
      pendingBytes = 0;
    }
  }
  if (pendingBytes > 0) {
    yield header(pending, pendingBytes);
    yield* pending;
    yield lineEnd;
  }
  yield header([], 0);
  if (form.trailer) yield trailerLines(form.trailer.name, form.trailer.value(), signer);
  yield lineEnd;
}

function trailerLines(name: string, value: string, signer: ChunkSigner | undefined): Buffer {
  const signature = signer ? `${trailerSignature}${signer.trailer(`${name}:${value}\n`)}\r\n` : '';
  return Buffer.from(`${name}:${value}\r\n${signature}`);
}

/** Signs chunk after chunk, each over the signature before it. */
class ChunkSigner {
  private readonly seed: ChunkSeed;
  private previous: string;

  constructor(seed: ChunkSeed | undefined) {
    if (!seed) throw new Error('the chunks of a body are signed after its request');
    this.seed = seed;
    this.previous = seed.signature;
  }

  chunk(pieces: readonly Buffer[]): string {
    const hash = createHash('sha256');
    for (const piece of pieces) hash.update(piece);
    return this.sign('AWS4-HMAC-SHA256-PAYLOAD', emptyHash, hash.digest('hex'));
  }

  trailer(canonical: string): string {
    return this.sign('AWS4-HMAC-SHA256-TRAILER', createHash('sha256').update(canonical).digest('hex'));
  }

  private sign(algorithm: string, ...hashes: string[]): string {
    const { amzDate, scope, signingKey } = this.seed;
    const text = [algorithm, amzDate, scope, this.previous, ...hashes].join('\n');
    this.previous = sign(signingKey, text);
    return this.previous;
  }
}
