import type { FileSystem, OpenFile } from '../../ufs/file-system.ts';
import { PageFaultError, withPageFaults } from './page-fault.ts';
import { decodeRegionHeader, type RegionHeader, regionHeaderBytes } from './region-format.ts';
import { regionPath } from './region-names.ts';

/** A region's file, open for reading, and its checked header. */
export interface OpenRegion {
  readonly file: OpenFile;
  readonly header: RegionHeader;
}

interface Held {
  readonly opening: Promise<OpenRegion>;
  users: number;
  /** The region was given up meanwhile; the last user closes it. */
  stale: boolean;
}

/**
 * Region files that stay open between reads, at most so many; the one longest unused is closed for the next. Only paths are needed, so
 * that each thread may have its own. A region's number is never used again in its directory: what is open is that region for good.
 */
export class RegionFiles {
  private readonly fs: FileSystem;
  private readonly directories: readonly string[];
  private readonly limit: number;
  /** By directory and region, in order of last use. Includes those being used. */
  private readonly held = new Map<number, Held>();
  private readonly waiting: (() => void)[] = [];
  private openCount = 0;

  constructor(fs: FileSystem, directories: readonly string[], limit: number) {
    this.fs = fs;
    this.directories = directories;
    this.limit = limit;
  }

  get count(): number {
    return this.openCount;
  }

  /** Runs `work` on the region's file, opening it if need be. Rejects with `PageFaultError`. */
  async use<T>(directory: number, region: number, work: (open: OpenRegion) => Promise<T>): Promise<T> {
    const name = nameOf(directory, region);
    while (!this.held.has(name) && !this.makeRoom()) await this.room();
    const held = this.held.get(name) ?? this.start(directory, region);
    this.held.delete(name);
    this.held.set(name, held);
    held.users++;
    try {
      return await withPageFaults(async () => work(await held.opening));
    } catch (error) {
      this.drop(name, held);
      throw error;
    } finally {
      held.users--;
      if (held.stale && held.users === 0) this.close(held);
      this.waiting.shift()?.();
    }
  }

  /** Closes the region's file, after its last use. */
  forget(directory: number, region: number): void {
    const name = nameOf(directory, region);
    const held = this.held.get(name);
    if (!held) return;
    this.drop(name, held);
    if (held.users === 0) this.close(held);
  }

  /** Closes what is not in use, and the rest after its last use; of one directory, or of all. */
  closeAll(directory?: number): void {
    for (const name of [...this.held.keys()]) {
      const at = Math.floor(name / regionLimit);
      if (directory === undefined || directory === at) this.forget(at, name % regionLimit);
    }
  }

  private room(): Promise<void> {
    return new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private start(directory: number, region: number): Held {
    this.openCount++;
    return { opening: this.open(directory, region), users: 0, stale: false };
  }

  private async open(directory: number, region: number): Promise<OpenRegion> {
    const file = await this.fs.openForReading(
      regionPath(this.directories[directory] as string, region),
      'read',
    );
    try {
      const start = Buffer.alloc(regionHeaderBytes);
      const count = await file.read(start, 0);
      const header = decodeRegionHeader(start.subarray(0, count), region);
      if (!header) throw new PageFaultError('checksum', `the header of region ${region} is damaged`);
      return { file, header };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private drop(name: number, held: Held): void {
    held.stale = true;
    if (this.held.get(name) === held) this.held.delete(name);
  }

  /** True if another file may be opened now. */
  private makeRoom(): boolean {
    if (this.openCount < this.limit) return true;
    for (const [name, held] of this.held) {
      if (held.users > 0) continue;
      this.drop(name, held);
      this.close(held);
      return true;
    }
    return false;
  }

  private close(held: Held): void {
    this.openCount--;
    this.waiting.shift()?.();
    held.opening
      .then(({ file }) => file.close())
      // What could not be opened needs no closing, and a read-only file loses nothing when closing fails.
      .catch(() => undefined);
  }
}

const regionLimit = 2 ** 32;

function nameOf(directory: number, region: number): number {
  return directory * regionLimit + region;
}
