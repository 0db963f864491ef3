import type { Log } from '../common/log.ts';
import type { DiskPage } from './disk-page-store.ts';
import { PageFileError, PageFiles } from './page-files.ts';
import type { PageRow } from './page-index.ts';

export interface ReconcileParts {
  readonly files: PageFiles;
  readonly log: Log;
  readonly isClosed: () => boolean;
  /** The page known by this name now, whole or being written. */
  readonly known: (name: string) => DiskPage | undefined;
  /** Takes a whole page file into the store; false if it is not wanted. */
  readonly adopt: (row: PageRow) => Promise<boolean>;
  /** Gives up a page whose file is not there. */
  readonly forget: (page: DiskPage) => void;
}

/**
 * Compares what the index said at start with the files: whole page files that it does not know are adopted, others removed, and
 * rows without a file forgotten. Runs beside reads and writes, one folder after the other. Never rejects.
 */
export async function reconcile(parts: ReconcileParts, loaded: readonly DiskPage[]): Promise<void> {
  const byShard = new Map<string, DiskPage[]>();
  for (const page of loaded) {
    const shard = page.name.slice(0, 2);
    const pages = byShard.get(shard);
    if (pages) pages.push(page);
    else byShard.set(shard, [page]);
  }
  let adopted = 0;
  for (const shard of PageFiles.shards) {
    if (parts.isClosed()) return;
    try {
      adopted += await reconcileShard(parts, shard, byShard.get(shard) ?? []);
    } catch (error) {
      if (!(error instanceof PageFileError)) throw error;
      parts.log.warn({ err: error, shard }, 'a folder of pages cannot be compared with its index');
    }
  }
  if (adopted > 0) parts.log.info({ adopted }, 'page files without a row in the index were adopted');
}

async function reconcileShard(
  parts: ReconcileParts,
  shard: string,
  loaded: readonly DiskPage[],
): Promise<number> {
  const names = new Set(await parts.files.list(shard));
  for (const page of loaded) if (!names.has(page.name)) parts.forget(page);
  let adopted = 0;
  for (const name of names) {
    if (parts.isClosed()) return adopted;
    if (!parts.known(name) && (await adoptOrRemove(parts, name))) adopted++;
  }
  return adopted;
}

async function adoptOrRemove(parts: ReconcileParts, name: string): Promise<boolean> {
  const isUnknown = () => parts.known(name) === undefined;
  try {
    const found = await parts.files.inspect(name);
    // It may have been filled anew while it was looked at.
    if (!isUnknown()) return false;
    if (found) {
      const { incarnation, path, generation } = found.header.key;
      const { pageBytes } = found.header;
      const row = { name, incarnation, path, generation, pageBytes, fileBytes: found.fileBytes };
      if (await parts.adopt(row)) return true;
    }
    await parts.files.remove(name, isUnknown);
  } catch (error) {
    if (!(error instanceof PageFileError)) throw error;
    // Gone already, evicted meanwhile; or a fault of the disk, met again at the next start.
    if (error.reason !== 'missing')
      parts.log.warn({ err: error, page: name }, 'a page file cannot be examined');
  }
  return false;
}
