import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { takeProcessLock } from '../common/process-lock.ts';
import { type FileStatus, type FileSystem, FileSystemError, type OpenFile } from './file-system.ts';

const open = promisify(fs.open);
const close = promisify(fs.close);
const fsync = promisify(fs.fsync);
const lstat = promisify(fs.lstat);
const stat = promisify(fs.stat);
const fstat = promisify(fs.fstat);
const rename = promisify(fs.rename);
const link = promisify(fs.link);
const unlink = promisify(fs.unlink);
const mkdir = promisify(fs.mkdir);
const rmdir = promisify(fs.rmdir);
const readdir = promisify(fs.readdir);
const realpath = promisify(fs.realpath.native);
const readlink = promisify(fs.readlink);
const statfs = promisify(fs.statfs);

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_RDWR, O_CREAT, O_EXCL, O_DSYNC } = fs.constants;

/**
 * File systems that Linux itself keeps the times of, by their magic numbers (linux/magic.h): ext2 to ext4, XFS, Btrfs, tmpfs, ramfs,
 * overlayfs, F2FS, bcachefs, ZFS, FAT, exFAT. Anything else may be a server's.
 */
const localFileSystems: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x858458f6, 0x794c7630, 0xf2f52010, 0xca451a4e, 0x2fc12fc1,
  0x4d44, 0x2011bab0,
]);

/** The system's own file system. Files and directories are made readable and writable by their owner's group at most. */
export class NodeFileSystem implements FileSystem {
  async openForReading(path: string, mode: 'read' | 'read-no-follow'): Promise<OpenFile> {
    // Without O_NONBLOCK, opening a pipe that nobody writes to would occupy a thread for ever.
    const flags = O_RDONLY | O_NONBLOCK | (mode === 'read-no-follow' ? O_NOFOLLOW : 0);
    return new NodeFile(await wrap(open(path, flags)), path);
  }

  async createFile(path: string): Promise<OpenFile> {
    return new NodeFile(await wrap(open(path, O_RDWR | O_CREAT | O_EXCL, 0o640)), path);
  }

  async createDurableFile(path: string): Promise<OpenFile> {
    // Elsewhere the flag may leave what was written in the disk's own memory.
    const flag = process.platform === 'linux' ? O_DSYNC : 0;
    const fd = await wrap(open(path, O_RDWR | O_CREAT | O_EXCL | flag, 0o640));
    return new NodeFile(fd, path, flag === 0);
  }

  rename(from: string, to: string): Promise<void> {
    return wrap(rename(from, to));
  }

  link(existing: string, to: string): Promise<void> {
    return wrap(link(existing, to));
  }

  unlink(path: string): Promise<void> {
    return wrap(unlink(path));
  }

  async makeDirectory(path: string): Promise<void> {
    await wrap(mkdir(path, { mode: 0o750 }));
  }

  removeDirectory(path: string): Promise<void> {
    return wrap(rmdir(path));
  }

  readDirectory(path: string): Promise<string[]> {
    return wrap(readdir(path));
  }

  async readEntries(path: string): Promise<{ name: string; kind: FileStatus['kind'] }[]> {
    const entries = await wrap(readdir(path, { withFileTypes: true }));
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  }

  async *scanDirectory(path: string): AsyncIterable<string> {
    const directory = await wrap(fs.promises.opendir(path, { bufferSize: 64 }));
    try {
      for (;;) {
        const entry = await wrap(directory.read());
        if (!entry) return;
        yield entry.name;
      }
    } finally {
      await directory.close();
    }
  }

  async status(path: string): Promise<FileStatus> {
    return toStatus(await wrap(stat(path, { bigint: true })));
  }

  async linkStatus(path: string): Promise<FileStatus> {
    return toStatus(await wrap(lstat(path, { bigint: true })));
  }

  realPath(path: string): Promise<string> {
    return wrap(realpath(path));
  }

  async syncDirectory(path: string): Promise<void> {
    const fd = await wrap(open(path, O_RDONLY));
    try {
      await wrap(fsync(fd));
    } finally {
      await wrap(close(fd));
    }
  }

  async lock(path: string): Promise<() => void> {
    let lock: ReturnType<typeof takeProcessLock>;
    try {
      lock = takeProcessLock(path);
    } catch (error) {
      throw new FileSystemError('EIO', `cannot lock ${path}: ${(error as Error).message}`, { cause: error });
    }
    if (!lock) throw new FileSystemError('EBUSY', `${path} is locked`);
    return lock.release;
  }

  async space(path: string): Promise<{ freeBytes: number; totalBytes: number }> {
    const { bavail, blocks, bsize } = await wrap(statfs(path));
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  }

  async sharesClock(path: string): Promise<boolean> {
    // The kernel gives the number as a signed word on some machines.
    const { type } = await wrap(statfs(path));
    return process.platform === 'linux' && localFileSystems.has(type >>> 0);
  }
}

class NodeFile implements OpenFile {
  private readonly fd: number;
  private readonly path: string;
  private readonly syncsWrites: boolean;

  constructor(fd: number, path: string, syncsWrites = false) {
    this.fd = fd;
    this.path = path;
    this.syncsWrites = syncsWrites;
  }

  async read(buffer: Buffer, position: number): Promise<number> {
    let done = 0;
    while (done < buffer.length) {
      const count = await readOnce(this.fd, buffer, done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  async write(pieces: readonly Buffer[], position: number): Promise<void> {
    let at = position;
    let left = pieces.filter((piece) => piece.length > 0);
    while (left.length > 0) {
      const count = await writeOnce(this.fd, left, at);
      at += count;
      left = behind(left, count);
    }
    if (this.syncsWrites) await this.sync();
  }

  async status(): Promise<FileStatus> {
    return toStatus(await wrap(fstat(this.fd, { bigint: true })));
  }

  async resolvedPath(): Promise<string | undefined> {
    try {
      return await readlink(`/proc/self/fd/${this.fd}`);
    } catch {
      return undefined; // There is no /proc here: the caller falls back on what it resolved before opening.
    }
  }

  sync(): Promise<void> {
    return wrap(fsync(this.fd), this.path);
  }

  close(): Promise<void> {
    return wrap(close(this.fd), this.path);
  }
}

function readOnce(fd: number, buffer: Buffer, offset: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, buffer, offset, buffer.length - offset, position, (error, count) =>
      error ? reject(toFileSystemError(error)) : resolve(count),
    );
  });
}

function writeOnce(fd: number, pieces: readonly Buffer[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.writev(fd, pieces, position, (error, count) =>
      error ? reject(toFileSystemError(error)) : resolve(count),
    );
  });
}

/** What is left of the pieces when their first `count` bytes are taken away. */
function behind(pieces: readonly Buffer[], count: number): Buffer[] {
  let skip = count;
  const left: Buffer[] = [];
  for (const piece of pieces) {
    if (skip < piece.length) left.push(skip === 0 ? piece : piece.subarray(skip));
    skip = Math.max(0, skip - piece.length);
  }
  return left;
}

async function wrap<T>(work: Promise<T>, path?: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toFileSystemError(error, path);
  }
}

function toFileSystemError(error: unknown, path?: string): FileSystemError {
  const { code, message } = error as NodeJS.ErrnoException;
  // Node refuses a path with a NUL byte before the system sees it.
  const errno = code === 'ERR_INVALID_ARG_VALUE' ? 'EINVAL' : (code ?? 'EIO');
  return new FileSystemError(errno, path ? `${message}: ${path}` : message, { cause: error });
}

function toStatus(stats: fs.BigIntStats): FileStatus {
  return {
    kind: kindOf(stats),
    dev: stats.dev,
    ino: stats.ino,
    sizeBytes: Number(stats.size),
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
    mode: stats.mode,
    uid: stats.uid,
    gid: stats.gid,
    linkCount: stats.nlink,
  };
}

function kindOf(what: Pick<fs.Dirent, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): FileStatus['kind'] {
  if (what.isFile()) return 'file';
  if (what.isDirectory()) return 'directory';
  return what.isSymbolicLink() ? 'link' : 'other';
}
