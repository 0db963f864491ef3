import { timingSafeEqual } from 'node:crypto';
import type { Readable } from 'node:stream';
import { assert } from '../common/assert.ts';
import { createDigest, type Digest, isChecksumValue } from '../common/checksums.ts';
import type { AnnouncedChecksum, Checksums, DigestName, UploadBody } from '../common/object-meta.ts';
import { S3Error } from '../s3api/errors.ts';
import type { ChunkSigning } from './authenticate.ts';
import { ChunkedBody } from './chunked-body.ts';
import { checksumHeader, type PayloadSpec } from './payload-spec.ts';
import type { Trailers } from './trailer-lines.ts';

/** Pieces from the network are gathered into buffers of at least this size, where more follows. */
const gatheredBytes = 64 * 1024;
/** So many pieces at most wait apart: a client that sends byte by byte must not cost an object a byte. */
const maximumPieces = 64;

/** The client went away, or its connection broke, before the body was whole: there is nobody to answer. */
export class BodyAborted extends S3Error {
  override name = 'BodyAborted';

  constructor(cause: unknown) {
    super('IncompleteBody', { message: 'The request body terminated unexpectedly', cause });
  }
}

/**
 * A request's body as an upload: encoding taken off, and checked against everything its headers and trailers say.
 *
 * Iterated once. At most 64 KiB and one piece of the network are held; the stream is read no faster than the iteration
 * goes. The buffer with the last byte is given only once length, signatures, trailers and digests hold. The stream is not
 * destroyed, so that an answer can still be sent. Rejects with `S3Error`: IncompleteBody (`BodyAborted` where the client
 * went away), BadDigest, XAmzContentSHA256Mismatch, SignatureDoesNotMatch, InvalidChunkSizeError, MalformedTrailerError,
 * InvalidRequest (a trailing checksum that is none).
 */
export class RequestBody implements UploadBody {
  private readonly source: Readable;
  private readonly spec: PayloadSpec;
  private readonly chunked: ChunkedBody | undefined;
  private readonly digests = new Map<DigestName, Digest>();
  private readonly results = new Map<DigestName, Buffer>();
  private checksums: Checksums = {};
  private state: 'new' | 'reading' | 'whole' = 'new';

  /** `signing` is needed where the spec's chunks are signed. */
  constructor(source: Readable, spec: PayloadSpec, signing: ChunkSigning | undefined) {
    this.source = source;
    this.spec = spec;
    if (spec.chunks) {
      this.chunked = new ChunkedBody({
        signing: spec.chunks.signed ? signing : undefined,
        trailer: spec.chunks.trailer,
        sizeBytes: spec.sizeBytes,
      });
    }
    if (spec.contentMd5) this.need('MD5');
    if (spec.sha256) this.need('SHA256');
    if (spec.checksum) this.need(spec.checksum.algorithm);
  }

  get sizeBytes(): number {
    return this.spec.sizeBytes;
  }

  get announcedChecksum(): AnnouncedChecksum | undefined {
    return this.spec.checksum;
  }

  need(name: DigestName): void {
    assert(this.state === 'new', 'a digest is asked for before the body is read');
    if (!this.digests.has(name)) this.digests.set(name, createDigest(name));
  }

  digest(name: DigestName): Buffer {
    const result = this.results.get(name);
    assert(result, `the ${name} of a body is known once it was read, if it was asked for`);
    return result;
  }

  sentChecksums(): Checksums {
    assert(this.state === 'whole', 'the checksums sent with a body are known once it was read');
    return this.checksums;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    assert(this.state === 'new', 'a body is read once');
    this.state = 'reading';
    const pieces = this.source.iterator({ destroyOnReturn: false });
    try {
      yield* this.checked(pieces);
    } finally {
      // Takes its hands off the stream, so that whoever answers can drain it.
      await pieces.return?.();
    }
  }

  private async *checked(pieces: AsyncIterator<unknown>): AsyncGenerator<Buffer, void, undefined> {
    let pending: Buffer[] = [];
    let pendingBytes = 0;
    let receivedBytes = 0;
    while (true) {
      const piece = await nextPiece(pieces);
      if (piece === undefined) break;
      const before = pending.length;
      if (this.chunked) this.chunked.push(piece, pending);
      else pending.push(piece);
      for (let i = before; i < pending.length; i++) {
        const content = pending[i] as Buffer;
        receivedBytes += content.length;
        pendingBytes += content.length;
        for (const digest of this.digests.values()) digest.update(content);
      }
      if (receivedBytes > this.sizeBytes) throw new S3Error('IncompleteBody');
      if (pendingBytes >= gatheredBytes && receivedBytes < this.sizeBytes) {
        yield joined(pending, pendingBytes);
        pending = [];
        pendingBytes = 0;
      } else if (pending.length >= maximumPieces) {
        pending = [joined(pending, pendingBytes)];
      }
    }
    if (receivedBytes < this.sizeBytes) throw new S3Error('IncompleteBody');
    this.checkDigests(this.chunked?.finish() ?? new Map());
    this.state = 'whole';
    if (pendingBytes > 0) yield joined(pending, pendingBytes);
  }

  /** The whole body as text. MaxMessageLengthExceeded above `limitBytes`; MalformedXML where it is not UTF-8. */
  async readText(limitBytes: number): Promise<string> {
    if (this.sizeBytes > limitBytes) {
      throw new S3Error('MaxMessageLengthExceeded', { extra: { MaxMessageLengthBytes: String(limitBytes) } });
    }
    const parts: Buffer[] = [];
    for await (const part of this) parts.push(part);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts));
    } catch (cause) {
      throw new S3Error('MalformedXML', { cause });
    }
  }

  private checkDigests(trailers: Trailers): void {
    for (const [name, digest] of this.digests) this.results.set(name, digest.digest());
    const { sha256, contentMd5 } = this.spec;
    const expected = this.expectedChecksum(trailers);
    if (sha256 !== undefined && !equal(this.digest('SHA256'), Buffer.from(sha256, 'hex'))) {
      throw new S3Error('XAmzContentSHA256Mismatch', {
        extra: {
          ClientComputedContentSHA256: sha256,
          S3ComputedContentSHA256: this.digest('SHA256').toString('hex'),
        },
      });
    }
    if (contentMd5 && !equal(this.digest('MD5'), contentMd5)) {
      throw new S3Error('BadDigest', {
        extra: {
          CalculatedDigest: this.digest('MD5').toString('base64'),
          // S3 writes this one in hexadecimal.
          ExpectedDigest: contentMd5.toString('hex'),
        },
      });
    }
    if (!expected || !this.spec.checksum) return;
    const { algorithm } = this.spec.checksum;
    if (this.digest(algorithm).toString('base64') !== expected) {
      const message = `The ${algorithm} you specified did not match the calculated checksum.`;
      throw new S3Error('BadDigest', { message });
    }
    this.checksums = { [algorithm]: expected };
  }

  /** The client's checksum, base64. The trailer must hold what was announced, and nothing else. */
  private expectedChecksum(trailers: Trailers): string | undefined {
    const { checksum } = this.spec;
    if (!checksum || checksum.value !== undefined) {
      if (trailers.size > 0) throw new S3Error('MalformedTrailerError');
      return checksum?.value;
    }
    const header = checksumHeader(checksum.algorithm);
    const value = trailers.get(header);
    if (value === undefined || trailers.size > 1) throw new S3Error('MalformedTrailerError');
    if (!isChecksumValue(checksum.algorithm, value)) {
      const message = `Value for ${header} trailing header is invalid.`;
      throw new S3Error('InvalidRequest', { message });
    }
    return value;
  }
}

/** The next piece of a stream, undefined at its end. Any failure of the stream means that the client is gone. */
async function nextPiece(pieces: AsyncIterator<unknown>): Promise<Buffer | undefined> {
  try {
    const next = await pieces.next();
    return next.done ? undefined : (next.value as Buffer);
  } catch (error) {
    throw new BodyAborted(error);
  }
}

function joined(parts: readonly Buffer[], totalBytes: number): Buffer {
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts as Buffer[], totalBytes);
}

function equal(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
