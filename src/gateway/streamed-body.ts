import { createDigest, type Digest } from '../common/checksums.ts';
import type { Checksums, DigestName, UploadBody } from '../common/object-meta.ts';

/** Bytes that Forebay itself moves from one backend to another, as the body of an upload. */
export class StreamedBody implements UploadBody {
  readonly sizeBytes: number;
  readonly #chunks: AsyncIterable<Buffer>;
  readonly #digests = new Map<DigestName, Digest>();
  readonly #results = new Map<DigestName, Buffer>();

  /** `chunks` gives exactly `sizeBytes` bytes or rejects. */
  constructor(chunks: AsyncIterable<Buffer>, sizeBytes: number) {
    this.#chunks = chunks;
    this.sizeBytes = sizeBytes;
  }

  need(name: DigestName): void {
    if (!this.#digests.has(name)) this.#digests.set(name, createDigest(name));
  }

  digest(name: DigestName): Buffer {
    let result = this.#results.get(name);
    if (!result) {
      const digest = this.#digests.get(name);
      if (!digest) throw new Error(`the digest ${name} was not asked for`);
      result = digest.digest();
      this.#results.set(name, result);
    }
    return result;
  }

  sentChecksums(): Checksums {
    return {};
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for await (const chunk of this.#chunks) {
      for (const digest of this.#digests.values()) digest.update(chunk);
      yield chunk;
    }
  }
}
