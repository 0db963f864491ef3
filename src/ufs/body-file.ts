import { join } from 'node:path';
import type { ByteRange } from '../common/byte-range.ts';
import { createDigest } from '../common/checksums.ts';
import type { DigestName, UploadBody } from '../common/object-meta.ts';
import { type FileSystem, FileSystemError, type OpenFile, removeQuietly } from './file-system.ts';

const chunkSizeBytes = 1024 * 1024;

/**
 * Writes a body to a new file and makes its bytes durable; the directory entry is the caller's to sync. Leaves nothing if it
 * rejects. `check` runs before each chunk and may throw. Gives the number of bytes.
 */
export async function writeBody(
  fs: FileSystem,
  path: string,
  body: AsyncIterable<Buffer>,
  check: () => void,
): Promise<number> {
  const file = await fs.createFile(path);
  try {
    try {
      let position = 0;
      for await (const chunk of body) {
        check();
        await file.write([chunk], position);
        position += chunk.length;
      }
      check();
      await file.sync();
      return position;
    } finally {
      await file.close();
    }
  } catch (error) {
    await removeQuietly(fs, path);
    throw error;
  }
}

/** The whole of a body that is known to be small. */
export async function collectBody(body: UploadBody, check: () => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) {
    check();
    chunks.push(chunk);
  }
  check();
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

/** Exactly the bytes of `range`, in chunks of at most 1 MiB; EIO if the file ends before. The file stays the caller's to close. */
export async function* readRange(
  file: OpenFile,
  path: string,
  range: ByteRange,
  check: () => void,
): AsyncGenerator<Buffer> {
  for (let start = range.start; start < range.end; start += chunkSizeBytes) {
    check();
    const buffer = Buffer.allocUnsafeSlow(Math.min(chunkSizeBytes, range.end - start));
    const count = await file.read(buffer, start);
    if (count < buffer.length) throw new FileSystemError('EIO', `${path} is shorter than it should be`);
    yield buffer;
  }
}

/** The bytes of files in one directory, one behind the other; what `readRange` says of each. */
export async function* readFiles(
  fs: FileSystem,
  directory: string,
  files: readonly { readonly file: string; readonly sizeBytes: number }[],
  check: () => void,
): AsyncGenerator<Buffer> {
  for (const { file: name, sizeBytes } of files) {
    const path = join(directory, name);
    const file = await fs.openForReading(path, 'read');
    try {
      yield* readRange(file, path, { start: 0, end: sizeBytes }, check);
    } finally {
      await file.close();
    }
  }
}

/** The digest of such files, in base64. */
export async function digestFiles(
  fs: FileSystem,
  directory: string,
  files: readonly { readonly file: string; readonly sizeBytes: number }[],
  name: DigestName,
): Promise<string> {
  const digest = createDigest(name);
  for await (const chunk of readFiles(fs, directory, files, () => {})) digest.update(chunk);
  return digest.digest().toString('base64');
}
