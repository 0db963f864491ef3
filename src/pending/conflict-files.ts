import { dirname, join } from 'node:path';
import { writeBody } from '../ufs/body-file.ts';
import { type FileSystem, makeDirectoryOnce, removeQuietly, writeDurably } from '../ufs/file-system.ts';
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
    await this.#fs.syncDirectory(dirname(this.#directory));
    const [path, body] = ['json', 'body'].map((kind) => join(this.#directory, `${entry.name}.${kind}`)) as [
      string,
      string,
    ];
    // What an attempt has left that came to nothing may not last.
    for (const left of [path, body]) await removeQuietly(this.#fs, left);
    const { meta } = entry.change;
    if (meta && meta.sizeBytes > 0) {
      const release = this.#journal.hold(entry);
      try {
        const bytes = this.#journal.read(entry, { start: 0, end: meta.sizeBytes }, () => {});
        await writeBody(this.#fs, body, bytes, () => {});
      } finally {
        release();
      }
    }
    await writeDurably(this.#fs, path, [Buffer.from(`${JSON.stringify(entry.change, undefined, 2)}\n`)]);
    await this.#fs.syncDirectory(this.#directory);
    return path;
  }
}
