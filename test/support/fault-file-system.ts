import {
  type FileStatus,
  type FileSystem,
  FileSystemError,
  type OpenFile,
} from '../../src/ufs/file-system.ts';
import type { FailurePoints } from './failure-points.ts';
import type { DirectoryNode, Disk, FileNode, LinkNode } from './fault-disk.ts';

/** Faults of an implementation that a crash test has to find; each is what the code would do if it had that defect. */
export interface PlantedDefects {
  /** fsync of a file does nothing. */
  readonly dropFileSync?: boolean;
  /** fsync of a directory does nothing. */
  readonly dropDirectorySync?: boolean;
  /** A file is made durable only after it was renamed and its directory synced. */
  readonly renameBeforeSync?: boolean;
}

/**
 * A file system in memory that knows what would survive a power loss, and can lose power before any of its changing steps: from then on
 * no call ever returns, as in a process that is gone.
 */
export class FaultFileSystem implements FileSystem {
  readonly disk: Disk;
  private readonly defects: PlantedDefects;
  private readonly points: FailurePoints | undefined;
  private steps = 0;
  private failures = 0;
  private stopAt = Number.POSITIVE_INFINITY;
  private failAt = Number.POSITIVE_INFINITY;
  private failure = '';
  private isStopped = false;
  private announceStop = () => {};
  /** Resolves when the power is lost. */
  readonly stopped = new Promise<void>((resolve) => {
    this.announceStop = resolve;
  });
  private readonly locked = new Set<string>();
  private readonly untrusted = new Set<FileNode>();
  private lateSyncs: FileNode[] = [];
  private afterNextStep: (() => void) | undefined;

  /** `points`: strike where they choose, beside what is asked for here. */
  constructor(disk: Disk, defects: PlantedDefects = {}, points?: FailurePoints) {
    this.disk = disk;
    this.defects = defects;
    this.points = points;
  }

  /** Changing steps made so far. */
  get stepCount(): number {
    return this.steps;
  }

  /** Changing steps that failed because it was asked for. */
  get failureCount(): number {
    return this.failures;
  }

  /** Loses power before the step that comes after `count` more. */
  stopAfter(count: number): void {
    this.stopAt = this.steps + count;
  }

  /** Has the one step after `count` more fail with this errno. */
  failAfter(count: number, errno: string): void {
    this.failAt = this.steps + count;
    this.failure = errno;
  }

  async openForReading(path: string, mode: 'read' | 'read-no-follow'): Promise<OpenFile> {
    await this.look();
    const node = this.disk.find(path, mode === 'read');
    if (node.kind === 'link') throw fault('ELOOP', path);
    if (node.kind === 'directory') throw fault('EISDIR', path);
    return new FaultFile(this, node);
  }

  async createFile(path: string): Promise<OpenFile> {
    await this.change();
    const node = this.disk.newFile();
    this.disk.addEntry(path, node);
    return new FaultFile(this, node);
  }

  async createDurableFile(path: string): Promise<OpenFile> {
    await this.change();
    const node = this.disk.newFile();
    this.disk.addEntry(path, node);
    return new FaultFile(this, node, true);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.change();
    this.disk.rename(from, to);
  }

  async link(existing: string, to: string): Promise<void> {
    await this.change();
    this.disk.addEntry(to, this.disk.find(existing, false));
  }

  async unlink(path: string): Promise<void> {
    await this.change();
    if (this.disk.find(path, false).kind === 'directory') throw fault('EISDIR', path);
    this.disk.removeEntry(path);
  }

  async makeDirectory(path: string): Promise<void> {
    await this.change();
    this.disk.addEntry(path, this.disk.newDirectory());
  }

  async removeDirectory(path: string): Promise<void> {
    await this.change();
    if (this.disk.directory(path).entries.size > 0) throw fault('ENOTEMPTY', path);
    this.disk.removeEntry(path);
  }

  async readDirectory(path: string): Promise<string[]> {
    await this.look();
    return [...this.disk.directory(path).entries.keys()];
  }

  async readEntries(path: string): Promise<{ name: string; kind: FileStatus['kind'] }[]> {
    await this.look();
    return [...this.disk.directory(path).entries].map(([name, node]) => ({ name, kind: node.kind }));
  }

  async *scanDirectory(path: string): AsyncIterable<string> {
    yield* await this.readDirectory(path);
  }

  async status(path: string): Promise<FileStatus> {
    await this.look();
    return statusOf(this.disk.find(path, true));
  }

  async linkStatus(path: string): Promise<FileStatus> {
    await this.look();
    return statusOf(this.disk.find(path, false));
  }

  async realPath(path: string): Promise<string> {
    await this.look();
    this.disk.find(path, true);
    return path;
  }

  async syncDirectory(path: string): Promise<void> {
    await this.change();
    const directory = this.disk.directory(path);
    if (this.defects.dropDirectorySync) return;
    this.disk.syncDirectory(directory);
    // What the defective order leaves for later comes now: one step behind the rename and the sync of its directory.
    const late = this.lateSyncs;
    this.lateSyncs = [];
    if (late.length === 0) return;
    this.afterNextStep = () => {
      for (const node of late) this.disk.syncFile(node);
    };
  }

  async lock(path: string): Promise<() => void> {
    await this.look();
    if (this.locked.has(path)) throw fault('EBUSY', path);
    this.locked.add(path);
    return () => this.locked.delete(path);
  }

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    await this.look();
    return { freeBytes: 1e12, totalBytes: 1e12 };
  }

  async sharesClock(): Promise<boolean> {
    return true;
  }

  syncFile(node: FileNode): void {
    if (this.defects.dropFileSync || this.untrusted.has(node)) return;
    if (this.defects.renameBeforeSync) this.lateSyncs.push(node);
    else this.disk.syncFile(node);
  }

  /** From then on a sync of the file may succeed without doing anything: the system has forgotten what was to be written. */
  syncFailed(node: FileNode): void {
    this.untrusted.add(node);
  }

  /** Before each call that changes something. */
  async change(): Promise<void> {
    // While the one who asks is still on the stack.
    const strike = this.points?.reach();
    await this.look();
    if (strike === 'power' || this.steps === this.stopAt) {
      this.isStopped = true;
      this.announceStop();
      await never;
    }
    const failing = this.steps === this.failAt;
    this.steps++;
    this.afterNextStep?.();
    this.afterNextStep = undefined;
    if (strike !== 'error' && !failing) return;
    this.failures++;
    throw strike === 'error' ? fault('EIO', 'the step') : fault(this.failure, 'the step');
  }

  /** Before each call. */
  async look(): Promise<void> {
    if (this.isStopped) await never;
  }
}

const never = new Promise<void>(() => {});

class FaultFile implements OpenFile {
  private readonly fs: FaultFileSystem;
  private readonly node: FileNode;
  private readonly syncsWrites: boolean;

  constructor(fs: FaultFileSystem, node: FileNode, syncsWrites = false) {
    this.fs = fs;
    this.node = node;
    this.syncsWrites = syncsWrites;
  }

  async read(buffer: Buffer, position: number): Promise<number> {
    await this.fs.look();
    return this.node.data.copy(buffer, 0, position);
  }

  async write(pieces: readonly Buffer[], position: number): Promise<void> {
    const bytes = Buffer.concat(pieces);
    try {
      await this.fs.change();
    } catch (error) {
      // What fails may have been done in part.
      this.put(bytes.subarray(0, Math.ceil(bytes.length / 2)), position);
      throw error;
    }
    this.put(bytes, position);
    if (this.syncsWrites) await this.sync();
  }

  private put(bytes: Buffer, position: number): void {
    const data = Buffer.alloc(Math.max(this.node.data.length, position + bytes.length));
    this.node.data.copy(data);
    bytes.copy(data, position);
    this.node.data = data;
    this.fs.disk.touch(this.node, true);
  }

  async status(): Promise<FileStatus> {
    await this.fs.look();
    return statusOf(this.node);
  }

  async resolvedPath(): Promise<undefined> {
    return undefined;
  }

  async sync(): Promise<void> {
    try {
      await this.fs.change();
    } catch (error) {
      this.fs.syncFailed(this.node);
      throw error;
    }
    this.fs.syncFile(this.node);
  }

  async close(): Promise<void> {
    await this.fs.look();
  }
}

function statusOf(node: FileNode | DirectoryNode | LinkNode): FileStatus {
  return {
    kind: node.kind,
    dev: 1n,
    ino: BigInt(node.ino),
    sizeBytes: node.kind === 'file' ? node.data.length : 0,
    mtimeNs: node.mtimeNs,
    ctimeNs: node.ctimeNs,
    mode: 0o640n,
    uid: 0n,
    gid: 0n,
    linkCount: 1n,
  };
}

export function fault(errno: string, path: string): FileSystemError {
  return new FileSystemError(errno, `${errno}: ${path}`);
}

/** Undefined where the disk has failed; anything else is thrown. */
export function ifNoDisk(error: unknown): undefined {
  if (!(error instanceof FileSystemError)) throw error;
}
