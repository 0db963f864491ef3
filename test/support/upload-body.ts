import { digestOf } from '../../src/common/checksums.ts';
import type {
  AnnouncedChecksum,
  ChecksumAlgorithm,
  Checksums,
  DigestName,
  UploadBody,
} from '../../src/common/object-meta.ts';

export interface TestBodyOptions {
  readonly sent?: Checksums;
  /** What was sent was in the headers, and so is known before the body; otherwise it comes behind the body. */
  readonly sentAhead?: boolean;
  /** Size of the chunks in which the bytes are given. */
  readonly chunkSizeBytes?: number;
  /** Rejects with this in place of the last chunk. */
  readonly failure?: Error;
  /** Runs before each chunk. */
  readonly beforeChunk?: (index: number) => void | Promise<void>;
}

/** A body as a checked request would give it. Digests can be had only if they were asked for or sent, as the interface says. */
export class TestBody implements UploadBody {
  readonly sizeBytes: number;
  private readonly bytes: Buffer;
  private readonly options: TestBodyOptions;
  private readonly needed = new Set<DigestName>();
  private ended = false;

  constructor(bytes: Buffer | string, options: TestBodyOptions = {}) {
    this.bytes = Buffer.from(bytes);
    this.sizeBytes = this.bytes.length;
    this.options = options;
    for (const name of Object.keys(options.sent ?? {})) this.needed.add(name as DigestName);
  }

  get announcedChecksum(): AnnouncedChecksum | undefined {
    const [found] = Object.entries(this.options.sent ?? {});
    if (!found) return undefined;
    return {
      algorithm: found[0] as ChecksumAlgorithm,
      value: this.options.sentAhead ? found[1] : undefined,
    };
  }

  need(name: DigestName): void {
    this.needed.add(name);
  }

  digest(name: DigestName): Buffer {
    if (!this.ended) throw new Error('the body was not read to its end');
    if (!this.needed.has(name)) throw new Error(`${name} was not asked for`);
    return digestOf(name, this.bytes);
  }

  sentChecksums(): Checksums {
    if (!this.ended) throw new Error('the body was not read to its end');
    return this.options.sent ?? {};
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    const { chunkSizeBytes = 65_536, failure, beforeChunk } = this.options;
    let index = 0;
    for (let at = 0; at < this.bytes.length || (failure && index === 0); at += chunkSizeBytes) {
      await beforeChunk?.(index++);
      if (failure && at + chunkSizeBytes >= this.bytes.length) throw failure;
      yield Buffer.from(this.bytes.subarray(at, at + chunkSizeBytes));
    }
    this.ended = true;
  }
}

/** Reproducible bytes that differ at every place and for every seed. */
export function someBytes(sizeBytes: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let i = 0; i < sizeBytes; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}
