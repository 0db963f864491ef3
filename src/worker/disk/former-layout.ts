import { join } from 'node:path';
import type { Log } from '../../common/log.ts';
import { nextTurn } from '../../common/next-turn.ts';
import { type FileSystem, FileSystemError, isErrno } from '../../ufs/file-system.ts';

/** How many files are removed before others get their turn. */
const filesATurn = 64;

/**
 * Removes what the layout of one file a page left in a folder: `pages/xx/<name>`, `tmp/<name>` and an index. A page at a time, and
 * not at all once `isEnded`. Never rejects: what cannot be removed is met again at the next start.
 */
export async function removeFormerLayout(
  fs: FileSystem,
  log: Log,
  path: string,
  isEnded: () => boolean,
): Promise<void> {
  try {
    const names = new Set(await fs.readDirectory(path));
    for (const name of ['index.sqlite', 'index.sqlite-wal', 'index.sqlite-shm']) {
      if (names.has(name)) await fs.unlink(join(path, name));
    }
    if (names.has('tmp')) await removeFolder(fs, join(path, 'tmp'), isEnded);
    if (!names.has('pages')) return;
    const pages = join(path, 'pages');
    for (const shard of await fs.readDirectory(pages)) await removeFolder(fs, join(pages, shard), isEnded);
    if (!isEnded()) await fs.removeDirectory(pages);
    log.info({ path }, 'pages of the former layout were removed');
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    if (!isErrno(error, 'ENOENT')) log.warn({ err: error, path }, 'pages of the former layout are left');
  }
}

async function removeFolder(fs: FileSystem, folder: string, isEnded: () => boolean): Promise<void> {
  let removed = 0;
  for (const name of await fs.readDirectory(folder)) {
    if (isEnded()) return;
    await fs.unlink(join(folder, name));
    if (++removed % filesATurn === 0) await nextTurn();
  }
  await fs.removeDirectory(folder);
}
