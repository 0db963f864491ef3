import { createHash } from 'node:crypto';
import type { DigestName, UploadBody } from '../../../src/common/object-meta.ts';

/** An upload's bytes at hand, in small chunks, with the one digest that an ETag needs. */
export class TestBody implements UploadBody {
  readonly sizeBytes: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, sizeBytes = bytes.length) {
    this.#bytes = bytes;
    this.sizeBytes = sizeBytes;
  }

  need(name: DigestName): void {
    if (name !== 'MD5') throw new Error(`${name} is not to be had here`);
  }

  digest(name: DigestName): Buffer {
    this.need(name);
    return createHash('md5').update(this.#bytes).digest();
  }

  sentChecksums() {
    return {};
  }

  async *[Symbol.asyncIterator]() {
    for (let start = 0; start < this.#bytes.length; start += 1000)
      yield this.#bytes.subarray(start, start + 1000);
  }
}

export async function readAll(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
