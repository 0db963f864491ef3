import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { UfsError } from './errors.ts';
import { type FileStatus, type FileSystem, isErrno, type OpenFile } from './file-system.ts';
import { reservedName } from './tree-keys.ts';
import type { VersionClock } from './version-clock.ts';

/** A file just opened: what it is, and the path that the system says is open, where it can tell. */
export interface OpenedFile {
  readonly file: OpenFile;
  readonly status: FileStatus;
  readonly resolvedPath: string | undefined;
}

/** The files of a tree as they are: opening them without leaving the tree, and telling their versions apart. */
export class TreeFiles {
  readonly root: string;
  private readonly uri: string;
  private readonly fs: FileSystem;
  private readonly versionClock: VersionClock;

  /** `root` is resolved: no part of it is a link. */
  constructor(uri: string, fs: FileSystem, versionClock: VersionClock, root: string) {
    this.uri = uri;
    this.fs = fs;
    this.versionClock = versionClock;
    this.root = root;
  }

  path(segments: readonly string[]): string {
    return join(this.root, ...segments);
  }

  /** A regular file inside the tree, through links that stay inside; undefined for anything else. */
  async open(path: string): Promise<OpenedFile | undefined> {
    let file: OpenFile;
    try {
      // What is no regular file is not even opened, since opening a device may do something.
      if ((await this.fs.status(path)).kind !== 'file') return undefined;
      file = await this.fs.openForReading(path, 'read');
    } catch (error) {
      if (isMissing(error)) return this.absent();
      throw error;
    }
    try {
      const status = await file.status();
      // Asked of the open file, so that exchanging a directory for a link in between leads nowhere.
      const resolvedPath = await file.resolvedPath();
      const real = resolvedPath ?? (await this.fs.realPath(path));
      if (status.kind === 'file' && this.isInside(real)) return { file, status, resolvedPath };
    } catch (error) {
      await file.close();
      if (isMissing(error)) return undefined;
      throw error;
    }
    await file.close();
    return undefined;
  }

  /** What a link inside the tree leads to, if that lies inside too. */
  async followLink(path: string): Promise<{ status: FileStatus; realPath: string } | undefined> {
    try {
      const realPath = await this.fs.realPath(path);
      if (!this.isInside(realPath)) return undefined;
      return { status: await this.fs.status(realPath), realPath };
    } catch (error) {
      if (isMissing(error) || isErrno(error, 'EACCES')) return undefined;
      throw error;
    }
  }

  /** Whether a resolved path lies in the tree, and not among Forebay's own files there or below. */
  isInside(realPath: string): boolean {
    if (realPath === this.root) return true;
    const base = this.root === '/' ? '/' : `${this.root}/`;
    return realPath.startsWith(base) && !realPath.slice(base.length).split('/').includes(reservedName);
  }

  /** Rejects with `unavailable` if the reason why something is missing is that the whole tree is. */
  async absent(): Promise<undefined> {
    try {
      await this.fs.status(this.root);
      return undefined;
    } catch (error) {
      throw new UfsError('unavailable', `${this.root} is not there`, { backend: this.uri, cause: error });
    }
  }

  generationSettled(status: FileStatus): boolean {
    return this.versionClock.isSettled(status, generationOf(status));
  }
}

/** Names the exact bytes of a file, as long as nobody sets the clock back. */
export function generationOf(status: FileStatus): string {
  const { dev, ino, ctimeNs, mtimeNs, sizeBytes } = status;
  return [dev, ino, ctimeNs, mtimeNs, sizeBytes].map((value) => value.toString(36)).join('.');
}

/** The ETag of a file that was found: no client takes it for the MD5 of the bytes. */
export function etagOf(status: FileStatus): string {
  return `${createHash('sha256').update(generationOf(status)).digest('hex').slice(0, 32)}-0`;
}

export function isMissing(error: unknown): boolean {
  return isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EINVAL', 'ENXIO');
}
