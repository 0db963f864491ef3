import { dirname } from 'node:path';
import { UfsError, type UfsErrorKind } from './errors.ts';

export interface FileStatus {
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  readonly dev: bigint;
  readonly ino: bigint;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly mode: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  /** Names that lead to it; 0 of a file that is open and was removed. */
  readonly linkCount: bigint;
}

/** One open file. To be closed exactly once; methods may run concurrently until then. */
export interface OpenFile {
  /** Fills `buffer` from byte `position` on; gives how many bytes there were, fewer than asked only at the file's end. */
  read(buffer: Buffer, position: number): Promise<number>;
  /** Writes all of the pieces, one behind the other, from byte `position` on. */
  write(pieces: readonly Buffer[], position: number): Promise<void>;
  status(): Promise<FileStatus>;
  /** The path of what is really open, links resolved; undefined where the system cannot tell. */
  resolvedPath(): Promise<string | undefined>;
  /** The file's bytes and length survive a power loss when this returns (fsync(2)). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The little of a POSIX file system that the file layouts use. Paths are absolute. Every method rejects with `FileSystemError`.
 * A change of a directory (create, rename, link, unlink, make, remove) survives a power loss only after `syncDirectory` of it.
 */
export interface FileSystem {
  /** `read`: an existing file, its last component followed if a link; `read-no-follow`: ELOOP for a link. */
  openForReading(path: string, mode: 'read' | 'read-no-follow'): Promise<OpenFile>;
  /** A new empty file; EEXIST where there is something. */
  createFile(path: string): Promise<OpenFile>;
  /** As `createFile`; what is written to it survives a power loss when `write` returns (O_DSYNC): one call where two would be needed. */
  createDurableFile(path: string): Promise<OpenFile>;
  /** Atomic; replaces a file (or an empty directory) at `to`. */
  rename(from: string, to: string): Promise<void>;
  /** A second name for a file; EEXIST where there is something. Atomic. */
  link(existing: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  /** ENOTEMPTY unless empty. */
  removeDirectory(path: string): Promise<void>;
  /** Names without `.` and `..`, in no order. */
  readDirectory(path: string): Promise<string[]>;
  /** As `readDirectory`, with what each name is; of a link itself. */
  readEntries(path: string): Promise<{ readonly name: string; readonly kind: FileStatus['kind'] }[]>;
  /** As `readDirectory`, a piece at a time, for looking at a large directory's beginning. */
  scanDirectory(path: string): AsyncIterable<string>;
  /** Follows links. */
  status(path: string): Promise<FileStatus>;
  /** Of a link itself. */
  linkStatus(path: string): Promise<FileStatus>;
  realPath(path: string): Promise<string>;
  syncDirectory(path: string): Promise<void>;
  /**
   * Takes the lock on a file, which is made if it is not there, for the caller alone until the returned function is called or the
   * process ends; EBUSY if somebody has it. The file is to be used for nothing else.
   */
  lock(path: string): Promise<() => void>;
  /** What is free for this process on the file system that `path` lies on, and what it holds in all. */
  space(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
  /** Whether the times of files there come from this machine's own clock, and not from a server's. */
  sharesClock(path: string): Promise<boolean>;
}

/** What the system said, by its errno name (`ENOENT`). */
export class FileSystemError extends Error {
  override name = 'FileSystemError';
  readonly code: string;
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof FileSystemError && codes.includes(error.code);
}

const kindsByErrno: Readonly<Record<string, UfsErrorKind>> = {
  EISDIR: 'key-conflict',
  ENOTEMPTY: 'key-conflict',
  ENAMETOOLONG: 'invalid-key',
  EILSEQ: 'invalid-key',
  EINVAL: 'invalid-key',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EFBIG: 'no-space',
  EROFS: 'read-only',
  EACCES: 'denied',
  EPERM: 'denied',
  EMFILE: 'unavailable',
  ENFILE: 'unavailable',
  ENOMEM: 'unavailable',
  ESTALE: 'unavailable',
  ENODEV: 'unavailable',
  ENOTCONN: 'unavailable',
  ETIMEDOUT: 'timeout',
};

/**
 * A file system's fault as a `UfsError`; anything else is given back as it is. That something is missing has no kind of its own
 * here: a layout knows itself where this is to be expected, and elsewhere it is damage.
 */
export function toUfsError(error: unknown, backend: string, key?: string): unknown {
  if (!(error instanceof FileSystemError)) return error;
  return new UfsError(kindsByErrno[error.code] ?? 'io', error.message, { backend, key, cause: error });
}

/** Runs `work` and turns the file system's faults into `UfsError`. */
export async function withUfsErrors<T>(
  backend: string,
  key: string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toUfsError(error, backend, key);
  }
}

/** Reads a small file whole. */
export async function readWhole(fs: FileSystem, path: string, limitBytes: number): Promise<Buffer> {
  const file = await fs.openForReading(path, 'read');
  try {
    const { sizeBytes } = await file.status();
    if (sizeBytes > limitBytes)
      throw new FileSystemError('EFBIG', `${path} is larger than ${limitBytes} bytes`);
    const buffer = Buffer.allocUnsafe(sizeBytes);
    return buffer.subarray(0, await file.read(buffer, 0));
  } finally {
    await file.close();
  }
}

/** Writes a new file and makes its bytes durable; the directory entry is the caller's to sync. Leaves nothing if it rejects. */
export async function writeDurably(fs: FileSystem, path: string, pieces: readonly Buffer[]): Promise<void> {
  const file = await fs.createFile(path);
  try {
    try {
      let position = 0;
      for (const piece of pieces) {
        if (piece.length > 0) await file.write([piece], position);
        position += piece.length;
      }
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await removeQuietly(fs, path);
    throw error;
  }
}

/**
 * Puts a small file in place, over the one that is there, in one step and durably. `tmp` is a free path on the same file system; nothing
 * is left at it. If only the last sync fails, the new file is there all the same, and may not survive a power loss.
 */
export async function replaceDurably(
  fs: FileSystem,
  tmp: string,
  path: string,
  pieces: readonly Buffer[],
): Promise<void> {
  await replaceFile(fs, tmp, path, pieces);
  await fs.syncDirectory(dirname(path));
}

/** As `replaceDurably` without the last sync: after a power loss the old file or the new one is there, whole. */
export async function replaceFile(
  fs: FileSystem,
  tmp: string,
  path: string,
  pieces: readonly Buffer[],
): Promise<void> {
  await writeDurably(fs, tmp, pieces);
  try {
    await fs.rename(tmp, path);
  } catch (error) {
    await removeQuietly(fs, tmp);
    throw error;
  }
}

/** Makes a directory unless it is there; its entry is the caller's to sync. */
export async function makeDirectoryOnce(fs: FileSystem, path: string): Promise<void> {
  try {
    await fs.makeDirectory(path);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}

/** Removes a file that may be gone. Whatever else stands in the way is left to the sweep, since no reader knows the file. */
export async function removeQuietly(fs: FileSystem, path: string): Promise<void> {
  await fs.unlink(path).catch(() => {});
}
