import { createHash, type Hash, hash } from 'node:crypto';
import { S3Error } from '../s3api/errors.ts';
import type { ChunkSigning } from './authenticate.ts';
import { TrailerLines, type Trailers } from './trailer-lines.ts';

export interface ChunkedFormat {
  /** Absent: the chunks carry no signatures. */
  readonly signing?: ChunkSigning;
  /** Whether trailing headers follow the last chunk. */
  readonly trailer: boolean;
  /** Bytes of the object, as announced. */
  readonly sizeBytes: number;
}

const maximumHeaderBytes = 256;
const minimumChunkBytes = 8192;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const emptySha256 = hash('sha256', '', 'hex');

type State = 'header' | 'data' | 'data-end' | 'trailer' | 'end';

/**
 * Takes the aws-chunked encoding off a body that comes in pieces of any size. Holds back no data and keeps no more than one
 * chunk header or the trailer; a chunk's signature is checked where the chunk ends, so data given out is proved only later:
 * whoever uses it keeps its end back until `finish` has returned.
 *
 * Source: S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks"
 * and "… Including Trailing Headers". Errors: IncompleteBody for anything that is not of this form or not of the announced
 * length, SignatureDoesNotMatch, InvalidChunkSizeError, MalformedTrailerError.
 */
export class ChunkedBody {
  private readonly format: ChunkedFormat;
  private readonly trailers: TrailerLines;
  private state: State = 'header';
  private header = '';
  private chunkCount = 0;
  private chunkBytes = 0;
  private chunkLeftBytes = 0;
  private receivedBytes = 0;
  private delimiterBytes = 0;
  private signature: string;
  private claimedSignature = '';
  private chunkHash: Hash | undefined;

  constructor(format: ChunkedFormat) {
    this.format = format;
    this.signature = format.signing?.seedSignature ?? '';
    this.trailers = new TrailerLines({ allowed: format.trailer, signed: format.signing !== undefined });
  }

  /** Takes the next bytes of the body and appends the object's bytes among them to `out`, as slices of `bytes`. */
  push(bytes: Buffer, out: Buffer[]): void {
    let at = 0;
    while (at < bytes.length) {
      switch (this.state) {
        case 'header':
          at = this.takeHeader(bytes, at);
          break;
        case 'data': {
          const end = Math.min(bytes.length, at + this.chunkLeftBytes);
          const data = bytes.subarray(at, end);
          this.chunkHash?.update(data);
          out.push(data);
          this.chunkLeftBytes -= data.length;
          if (this.chunkLeftBytes === 0) this.endData();
          at = end;
          break;
        }
        case 'data-end':
          at = this.takeDelimiter(bytes, at);
          break;
        case 'trailer':
          at = this.trailers.push(bytes, at);
          if (this.trailers.complete) this.endTrailers();
          break;
        case 'end':
          // Bytes behind the end were announced by nothing.
          throw new S3Error('IncompleteBody');
      }
    }
  }

  /** Says that the body is over. Returns its trailers once everything about it holds. */
  finish(): Trailers {
    if (this.state !== 'end') {
      throw new S3Error('IncompleteBody', { message: 'The request body terminated unexpectedly' });
    }
    return this.trailers.values;
  }

  private takeHeader(bytes: Buffer, start: number): number {
    const end = bytes.indexOf(lineFeed, start);
    const stop = end < 0 ? bytes.length : end + 1;
    if (this.header.length + stop - start > maximumHeaderBytes) throw malformedChunk();
    this.header += bytes.toString('latin1', start, stop);
    if (end >= 0) this.beginChunk();
    return stop;
  }

  private beginChunk(): void {
    const form = this.format.signing
      ? /^([0-9A-Fa-f]{1,12});chunk-signature=([0-9a-f]{64})\r\n$/
      : /^([0-9A-Fa-f]{1,12})\r\n$/;
    const match = form.exec(this.header);
    if (!match) throw malformedChunk();
    this.header = '';
    const sizeBytes = Number.parseInt(match[1] as string, 16);
    if (sizeBytes > 0 && this.chunkCount > 0 && this.chunkBytes < minimumChunkBytes) {
      throw new S3Error('InvalidChunkSizeError', {
        extra: { Chunk: String(this.chunkCount), BadChunkSize: String(this.chunkBytes) },
      });
    }
    this.receivedBytes += sizeBytes;
    const over = this.receivedBytes > this.format.sizeBytes;
    if (over || (sizeBytes === 0 && this.receivedBytes < this.format.sizeBytes)) {
      throw new S3Error('IncompleteBody');
    }
    this.chunkCount++;
    this.chunkBytes = sizeBytes;
    this.chunkLeftBytes = sizeBytes;
    this.claimedSignature = match[2] ?? '';
    if (sizeBytes > 0) {
      if (this.format.signing) this.chunkHash = createHash('sha256');
      this.state = 'data';
    } else {
      if (this.format.signing) this.checkChunk(this.format.signing, emptySha256);
      // The blank line that ends a body without trailers is an empty list of trailers.
      this.state = 'trailer';
    }
  }

  private endData(): void {
    if (this.format.signing && this.chunkHash) {
      this.checkChunk(this.format.signing, this.chunkHash.digest('hex'));
    }
    this.chunkHash = undefined;
    this.delimiterBytes = 0;
    this.state = 'data-end';
  }

  private takeDelimiter(bytes: Buffer, at: number): number {
    if (bytes[at] !== (this.delimiterBytes === 0 ? carriageReturn : lineFeed)) throw malformedChunk();
    this.delimiterBytes++;
    if (this.delimiterBytes === 2) this.state = 'header';
    return at + 1;
  }

  private checkChunk(signing: ChunkSigning, sha256: string): void {
    const text = `AWS4-HMAC-SHA256-PAYLOAD\n${signing.amzDate}\n${signing.scope}\n${this.signature}\n${emptySha256}\n${sha256}`;
    if (!signing.key.matches(text, this.claimedSignature)) throw new S3Error('SignatureDoesNotMatch');
    this.signature = this.claimedSignature;
  }

  private endTrailers(): void {
    const { signing, trailer } = this.format;
    if (signing && trailer) {
      const text = `AWS4-HMAC-SHA256-TRAILER\n${signing.amzDate}\n${signing.scope}\n${this.signature}\n${hash('sha256', this.trailers.canonical(), 'hex')}`;
      if (!signing.key.matches(text, this.trailers.signature ?? '')) {
        throw new S3Error('SignatureDoesNotMatch');
      }
    }
    this.state = 'end';
  }
}

function malformedChunk(): S3Error {
  return new S3Error('IncompleteBody', { message: 'The request body terminated unexpectedly' });
}
