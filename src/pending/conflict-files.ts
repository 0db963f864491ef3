import { join } from 'node:path';
import { writeBody } from '../ufs/body-file.ts';
import { type FileSystem, isErrno, makeDirectoryOnce, writeDurably } from '../ufs/file-system.ts';
import type { Journal } from './journal.ts';
import type { PendingEntry } from './pending-entry.ts';

/** Changes that gave way to somebody else's, for an operator to look at: each a JSON file, and beside it its bytes. */
export class ConflictFiles {
  readonly #fs: FileSystem;
  readonly #journal: Journal;
  readonly #directory: string;

  constructor(fs: FileSystem, journal: Journal, directory: string) {
    this.#fs = fs;
    this.#journal = journal;
    this.#directory = directory;
  }

  /** The path of the JSON file, which is durable. Rejects with `FileSystemError`. */
  async keep(entry: PendingEntry): Promise<string> {
    await makeDirectoryOnce(this.#fs, this.#directory);
    const path = join(this.#directory, `${entry.name}.json`);
    if (await this.#isThere(path)) return path;
    const { meta } = entry.change;
    if (meta && meta.sizeBytes > 0) {
      const release = this.#journal.hold(entry);
      const body = join(this.#directory, `${entry.name}.body`);
      try {
        await this.#fs.unlink(body).catch(() => undefined);
        const range = { start: 0, end: meta.sizeBytes };
        await writeBody(
          this.#fs,
          body,
          this.#journal.read(entry, range, () => {}),
          () => {},
        );
      } finally {
        release();
      }
    }
    await writeDurably(this.#fs, path, [Buffer.from(`${JSON.stringify(entry.change, undefined, 2)}\n`)]);
    await this.#fs.syncDirectory(this.#directory);
    return path;
  }

  async #isThere(path: string): Promise<boolean> {
    try {
      await this.#fs.status(path);
      return true;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }
}
