import { type FileSystem, FileSystemError, type OpenFile } from '../../src/ufs/file-system.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';

export type FileOperation =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'rename'
  | 'unlink'
  | 'list'
  | 'sync'
  | 'mkdir';

/** The real file system, where an operation may be made to fail or to wait. */
export class FaultyFileSystem extends NodeFileSystem {
  /** Called before each operation; an errno name makes it fail. */
  fault: (operation: FileOperation, path: string) => string | Promise<void> | undefined = () => undefined;
  /** What the file system has free, at most. */
  freeBytes = Number.POSITIVE_INFINITY;
  /** A write to the path finds room for so many bytes only. */
  cutWrites: (path: string) => number | undefined = () => undefined;
  openFiles = 0;
  maxOpenFiles = 0;

  override async openForReading(...args: Parameters<FileSystem['openForReading']>): Promise<OpenFile> {
    await this.before('open', args[0]);
    return this.watched(await super.openForReading(...args), args[0]);
  }

  override async createFile(path: string): Promise<OpenFile> {
    await this.before('create', path);
    return this.watched(await super.createFile(path), path);
  }

  override async createDurableFile(path: string): Promise<OpenFile> {
    await this.before('create', path);
    return this.watched(await super.createDurableFile(path), path);
  }

  override async rename(from: string, to: string): Promise<void> {
    await this.before('rename', to);
    return super.rename(from, to);
  }

  override async unlink(path: string): Promise<void> {
    await this.before('unlink', path);
    return super.unlink(path);
  }

  override async makeDirectory(path: string): Promise<void> {
    await this.before('mkdir', path);
    return super.makeDirectory(path);
  }

  override async space(path: string): Promise<{ freeBytes: number; totalBytes: number }> {
    const { freeBytes, totalBytes } = await super.space(path);
    return { freeBytes: Math.min(freeBytes, this.freeBytes), totalBytes };
  }

  override async readDirectory(path: string): Promise<string[]> {
    await this.before('list', path);
    return super.readDirectory(path);
  }

  private async before(operation: FileOperation, path: string): Promise<void> {
    const outcome = this.fault(operation, path);
    if (typeof outcome === 'string') throw new FileSystemError(outcome, `planned ${outcome}`);
    await outcome;
  }

  private watched(file: OpenFile, path: string): OpenFile {
    this.openFiles++;
    this.maxOpenFiles = Math.max(this.maxOpenFiles, this.openFiles);
    return {
      read: async (buffer, position) => {
        await this.before('read', path);
        return file.read(buffer, position);
      },
      write: async (pieces, position) => {
        await this.before('write', path);
        const room = this.cutWrites(path);
        if (room === undefined) return file.write(pieces, position);
        await file.write([Buffer.concat(pieces).subarray(0, room)], position);
        throw new FileSystemError('ENOSPC', 'planned ENOSPC');
      },
      status: () => file.status(),
      resolvedPath: () => file.resolvedPath(),
      sync: async () => {
        await this.before('sync', path);
        return file.sync();
      },
      close: () => {
        this.openFiles--;
        return file.close();
      },
    };
  }
}
