import { createDigest, type Digest } from '../common/checksums.ts';
import {
  type AnnouncedChecksum,
  type Checksums,
  checksumAlgorithms,
  type DigestName,
  type UploadBody,
} from '../common/object-meta.ts';
import { UfsError } from './errors.ts';

/** A body out of bytes that need no checking against a client's words, such as those of an object that is copied. */
export class PlainBody implements UploadBody {
  readonly sizeBytes: number;
  private readonly source: AsyncIterable<Buffer>;
  private readonly digests = new Map<DigestName, Digest>();
  private readonly values = new Map<DigestName, Buffer>();

  constructor(source: AsyncIterable<Buffer>, sizeBytes: number) {
    this.source = source;
    this.sizeBytes = sizeBytes;
  }

  /** Of bytes that are at hand. */
  static of(bytes: Buffer): PlainBody {
    async function* once() {
      yield bytes;
    }
    return new PlainBody(once(), bytes.length);
  }

  /** The checksum that was asked for: nobody sends one, and whoever asks wants it kept. */
  get announcedChecksum(): AnnouncedChecksum | undefined {
    const algorithm = checksumAlgorithms.find((name) => this.digests.has(name));
    return algorithm && { algorithm, value: undefined };
  }

  need(name: DigestName): void {
    if (!this.digests.has(name)) this.digests.set(name, createDigest(name));
  }

  digest(name: DigestName): Buffer {
    let value = this.values.get(name);
    if (!value) {
      const digest = this.digests.get(name);
      if (!digest) throw new Error(`${name} was not asked for`);
      value = digest.digest();
      this.values.set(name, value);
    }
    return value;
  }

  sentChecksums(): Checksums {
    return {};
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    let sizeBytes = 0;
    for await (const chunk of this.source) {
      sizeBytes += chunk.length;
      for (const digest of this.digests.values()) digest.update(chunk);
      if (sizeBytes > this.sizeBytes) break;
      yield chunk;
    }
    if (sizeBytes !== this.sizeBytes) {
      throw new UfsError('io', `the source does not have the ${this.sizeBytes} bytes it was said to have`, {
        backend: 'copy',
      });
    }
  }
}
