import type { FileStatus, OpenFile } from './file-system.ts';

/**
 * An open file of a tree that others change too, and whether it still holds the bytes that it was opened with.
 *
 * Its generation changes with its ctime, which also moves when the bytes stay as they are: another file is renamed over it, a name of it
 * is added or taken away, its rights are changed. A reader goes on through all of these, for they can be seen. What cannot be told from a
 * write whose author set the modification time back afterwards counts as one.
 */
export class WatchedFile {
  readonly file: OpenFile;
  private last: FileStatus;
  private lastPath: string | undefined;
  private hasMoved = false;

  /** As it was when it was found to be the version wanted: its status, and the path that the system knew it by. */
  constructor(file: OpenFile, status: FileStatus, path: string | undefined) {
    this.file = file;
    this.last = status;
    this.lastPath = path;
  }

  /** To be asked after bytes were read and before they are given out. Once false, false for ever. */
  async isIntact(): Promise<boolean> {
    const now = await this.file.status();
    if (!this.hasMoved && !(await this.holdsSameBytes(now))) this.hasMoved = true;
    return !this.hasMoved;
  }

  private async holdsSameBytes(now: FileStatus): Promise<boolean> {
    const { last, lastPath } = this;
    if (now.mtimeNs !== last.mtimeNs || now.sizeBytes !== last.sizeBytes) return false;
    if (now.dev !== last.dev || now.ino !== last.ino) return false;
    // Another reader's later look may have come first.
    if (now.ctimeNs <= last.ctimeNs) return true;
    const path = await this.file.resolvedPath();
    const changed =
      now.mode !== last.mode ||
      now.uid !== last.uid ||
      now.gid !== last.gid ||
      now.linkCount !== last.linkCount ||
      path !== lastPath;
    if (now.ctimeNs > this.last.ctimeNs) {
      this.last = now;
      this.lastPath = path;
    }
    return changed;
  }
}
