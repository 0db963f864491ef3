import { join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import type { ByteRange } from '../common/byte-range.ts';
import type { Random } from '../common/random.ts';
import {
  type FileSystem,
  FileSystemError,
  isErrno,
  type OpenFile,
  removeQuietly,
} from '../ufs/file-system.ts';

const blockBytes = 64 * 1024;
const chunkBytes = 16 * blockBytes;

/**
 * Bodies too large for a record, each in a file of its own: the bytes, and behind them the CRC-32C of each block of 64 KiB as a
 * little-endian u32. Nothing is given out whose checksum does not hold. Rejects with `FileSystemError`.
 */
export class BodyFiles {
  readonly #fs: FileSystem;
  readonly #random: Random;
  readonly #directory: string;

  constructor(fs: FileSystem, random: Random, directory: string) {
    this.#fs = fs;
    this.#random = random;
    this.#directory = directory;
  }

  /** Writes a body; it survives a power loss, under the name that is given, when this returns. Leaves nothing if it rejects. */
  async write(body: AsyncIterable<Buffer>, check: () => void): Promise<{ name: string; sizeBytes: number }> {
    const name = this.#random.uuid();
    const path = join(this.#directory, name);
    const file = await this.#fs.createFile(path);
    try {
      const sums = new BlockSums();
      let sizeBytes = 0;
      try {
        for await (const chunk of body) {
          check();
          sums.add(chunk);
          await file.write([chunk], sizeBytes);
          sizeBytes += chunk.length;
        }
        check();
        await file.write([sums.table()], sizeBytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.#fs.syncDirectory(this.#directory);
      return { name, sizeBytes };
    } catch (error) {
      await removeQuietly(this.#fs, path);
      throw error;
    }
  }

  /** Exactly the bytes of `range`, in chunks of at most 1 MiB. EIO where a checksum does not hold or the file is too short. */
  async *read(name: string, sizeBytes: number, range: ByteRange, check: () => void): AsyncGenerator<Buffer> {
    const path = join(this.#directory, name);
    const file = await this.#fs.openForReading(path, 'read');
    try {
      const first = range.start - (range.start % blockBytes);
      for (let start = first; start < range.end; start += chunkBytes) {
        check();
        const end = Math.min(start + chunkBytes, sizeBytes);
        const wanted = Math.min(end, Math.ceil(range.end / blockBytes) * blockBytes);
        const bytes = await readBlocks(file, path, sizeBytes, { start, end: wanted });
        yield bytes.subarray(Math.max(0, range.start - start), Math.min(range.end, wanted) - start);
      }
    } finally {
      await file.close();
    }
  }

  /** Whether there is such a file of the right length. */
  async has(name: string, sizeBytes: number): Promise<boolean> {
    try {
      const status = await this.#fs.status(join(this.#directory, name));
      return status.sizeBytes === sizeBytes + 4 * Math.ceil(sizeBytes / blockBytes);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }

  names(): Promise<string[]> {
    return this.#fs.readDirectory(this.#directory);
  }

  /** One that is left behind is swept when the journal is opened again. */
  remove(name: string): Promise<void> {
    return removeQuietly(this.#fs, join(this.#directory, name));
  }
}

/** Checksums of the blocks of bytes that come in pieces. */
class BlockSums {
  readonly #sums: number[] = [];
  #running = 0;
  #filled = 0;

  add(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + blockBytes - this.#filled);
      this.#running = crc32c(piece, this.#running);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled === blockBytes) this.#end();
    }
  }

  table(): Buffer {
    if (this.#filled > 0) this.#end();
    const table = Buffer.allocUnsafe(4 * this.#sums.length);
    for (const [index, sum] of this.#sums.entries()) table.writeUInt32LE(sum, 4 * index);
    return table;
  }

  #end(): void {
    this.#sums.push(this.#running);
    this.#running = 0;
    this.#filled = 0;
  }
}

/** Whole blocks, checked. `start` is a block's first byte, `end` a block's end or the body's. */
async function readBlocks(
  file: OpenFile,
  path: string,
  sizeBytes: number,
  { start, end }: ByteRange,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(end - start);
  const table = Buffer.allocUnsafe(4 * Math.ceil(bytes.length / blockBytes));
  const counts = await Promise.all([
    file.read(bytes, start),
    file.read(table, sizeBytes + (start / blockBytes) * 4),
  ]);
  if (counts[0] < bytes.length || counts[1] < table.length) throw damaged(path, 'is shorter than it was');
  for (let at = 0, index = 0; at < bytes.length; at += blockBytes, index++) {
    if (crc32c(bytes.subarray(at, at + blockBytes)) !== table.readUInt32LE(4 * index)) {
      throw damaged(path, 'does not have the checksum that it was written with');
    }
  }
  return bytes;
}

function damaged(path: string, how: string): FileSystemError {
  return new FileSystemError('EIO', `${path} ${how}`);
}
