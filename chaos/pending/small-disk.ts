import { mkdir, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../scripts/run-command.ts';

/** A folder on a file system of its own that can be full. Where none can be mounted it is a folder like any other, and never full. */
export class SmallDisk {
  readonly folder: string;
  /** Why it cannot be full; undefined if it can. */
  readonly missing: string | undefined;

  private constructor(folder: string, missing: string | undefined) {
    this.folder = folder;
    this.missing = missing;
  }

  static async create(folder: string, sizeBytes: number): Promise<SmallDisk> {
    await mkdir(folder);
    const args = ['-t', 'tmpfs', '-o', `size=${sizeBytes},mode=700`, 'forebay-chaos', folder];
    const { code, output } = await runCommand('mount', args);
    return new SmallDisk(folder, code === 0 ? undefined : output.trim());
  }

  /** Takes all room but so much. */
  async fill(leftBytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.folder);
    const bytes = Buffer.alloc(Math.max(0, bavail * bsize - leftBytes), 1);
    // What was taken before it was full stays taken.
    await writeFile(this.filler, bytes).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOSPC') throw error;
    });
  }

  async free(): Promise<void> {
    await truncate(this.filler, 0).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  async close(): Promise<void> {
    if (this.missing === undefined) {
      const { code, output } = await runCommand('umount', ['-l', this.folder]);
      if (code !== 0) throw new Error(`the small disk stays mounted at ${this.folder}: ${output}`);
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  private get filler(): string {
    return join(this.folder, 'filler');
  }
}
