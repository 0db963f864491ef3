import { addRow } from './directory-load.ts';
import { folderOf } from './folders.ts';
import type { MissedRemovals } from './missed-removals.ts';
import type { PageBook } from './page-book.ts';
import type { PageHasher } from './page-hash.ts';
import { keyOf } from './record-format.ts';
import type { RegionFiles } from './region-files.ts';
import { type FoundRecord, scanRegion } from './region-scan.ts';
import type { Region } from './regions.ts';
import type { RemovalLog } from './removal-log.ts';

export interface RecoveryParts {
  readonly book: PageBook;
  readonly hasher: PageHasher;
  readonly files: RegionFiles;
  readonly log: RemovalLog;
  readonly directory: number;
  /** What was removed since the recovery began. */
  readonly missed: MissedRemovals;
  readonly isEnded: () => boolean;
}

/**
 * Finds out from its headers what is in a region that has no index, beside reads and writes, and makes what was found durable, so
 * that an index may be written. False if it did not come to the end. Rejects with `PageFaultError`.
 */
export function recoverRegion(parts: RecoveryParts, region: Region): Promise<boolean> {
  return parts.files.use(parts.directory, region.id, async ({ file, header }) => {
    const isRemoved = parts.log.removals.ofRegion(region.id);
    for await (const record of scanRegion(file, header.marker, region.fileBytes)) {
      if (parts.isEnded() || parts.missed.isOverrun) return false;
      take(parts, region, record, isRemoved);
    }
    await file.sync();
    return true;
  });
}

function take(
  { book, hasher, log, directory, missed }: RecoveryParts,
  region: Region,
  { offset, header }: FoundRecord,
  isRemoved: (offset: number, incarnation: string) => boolean,
): void {
  const key = keyOf(header.keyText);
  if (!key || isRemoved(offset, key.incarnation)) return;
  const row = {
    hash: hasher.page(key),
    path32: hasher.path32(key.incarnation, key.path),
    incarnation: key.incarnation,
    folder: folderOf(key.path),
    offset,
    headerBytes: header.headerBytes,
    pageBytes: header.pageBytes,
    filledSeconds: header.filledSeconds,
  };
  if (missed.has(row) || !addRow({ book, directory }, region, row)) log.addDead(region.id, offset);
}
