import { join } from 'node:path';
import type { Metrics } from '../../common/metrics.ts';
import { nextTurn } from '../../common/next-turn.ts';
import { type FileSystem, isErrno, readWhole, removeQuietly } from '../../ufs/file-system.ts';
import type { MissedRemovals } from './missed-removals.ts';
import type { PageBook } from './page-book.ts';
import {
  decodeRegionHeader,
  decodeRegionIndex,
  type IndexRow,
  indexRowBytes,
  type RegionHeader,
  regionHeaderBytes,
} from './region-format.ts';
import { indexPath, parseRegionName, regionPath, regionsFolder } from './region-names.ts';
import { newRegion, type Region, type Regions } from './regions.ts';
import { readRemovals } from './removal-log.ts';
import { Removals } from './removals.ts';

export interface LoadParts {
  readonly fs: FileSystem;
  readonly metrics: Metrics;
  readonly book: PageBook;
  readonly regions: Regions;
  readonly path: string;
  readonly directory: number;
  /** What was removed while nothing was known of the directory. */
  readonly missed: MissedRemovals;
}

export interface Loaded {
  readonly removals: Removals;
  /** Regions whose contents only their own headers tell. */
  readonly unknown: readonly Region[];
  /** True if the regions that were there were given up, for it is not known what was removed of them. */
  readonly startedOver: boolean;
}

/** Larger than the index of any region. */
const maxIndexBytes = 1024 ** 3;
/** Rows of an index that are taken in one go: other folders' pages are read meanwhile. */
const rowsAtOnce = 4096;

/** Makes the folders of a directory that are missing. */
export async function makeFolders(fs: FileSystem, path: string): Promise<void> {
  for (const folder of [path, regionsFolder(path)]) {
    await fs.makeDirectory(folder).catch((error: unknown) => {
      if (!isErrno(error, 'EEXIST', 'EROFS')) throw error;
    });
  }
}

/**
 * Takes what lies in a directory into the table, as far as indexes tell it; no page is read. `known` is what this process has removed there
 * itself. Rejects with the file system's faults.
 */
export async function loadDirectory(parts: LoadParts, known?: Removals): Promise<Loaded> {
  const { fs, path, regions } = parts;
  const found = await readRemovals(fs, path, await fs.readDirectory(path));
  const files = await listRegions(parts);
  const isKnown = typeof found === 'object';
  const removals = isKnown ? found : new Removals();
  for (const change of known?.changes() ?? []) removals.apply(change);
  parts.book.table.reserve(await countRows(parts, files));
  const unknown: Region[] = [];
  for (const id of files) {
    removals.heardOf(id);
    const region = isKnown && !removals.isRetired(id) ? await openRegion(parts, id) : undefined;
    if (!region) {
      // Said in the next log, so that it does not come back should it not go away now.
      removals.retire(id);
      await removeQuietly(fs, indexPath(path, id));
      await removeQuietly(fs, regionPath(path, id));
      continue;
    }
    regions.add(region);
    if (!(await loadIndex(parts, removals, region))) {
      region.state = 'unknown';
      unknown.push(region);
    }
  }
  return { removals, unknown, startedOver: !isKnown && files.length > 0 };
}

/** Adds a page that was found in a region. True if it is in the table with this record now. */
export function addRow(parts: Pick<LoadParts, 'book' | 'directory'>, region: Region, row: IndexRow): boolean {
  const { book, directory } = parts;
  const present = book.table.entryOf(row.hash);
  if (present !== 0) {
    const { directory: at, region: id, offset } = book.table.placeAt(present);
    return at === directory && id === region.id && offset === row.offset;
  }
  if (!book.hasRoom) return false;
  region.entries.push(book.add(row, row, directory, region.id));
  region.livePages++;
  region.liveBytes += row.headerBytes + row.pageBytes;
  return true;
}

async function listRegions({ fs, path }: LoadParts): Promise<number[]> {
  const ids = new Set<number>();
  const indexes: number[] = [];
  for (const name of await fs.readDirectory(regionsFolder(path))) {
    const parsed = parseRegionName(name);
    if (parsed?.kind === 'region') ids.add(parsed.region);
    else if (parsed) indexes.push(parsed.region);
    else await removeQuietly(fs, join(regionsFolder(path), name));
  }
  for (const id of indexes) if (!ids.has(id)) await removeQuietly(fs, indexPath(path, id));
  return [...ids].sort((a, b) => a - b);
}

/** About how many pages the indexes name, by their lengths. */
async function countRows({ fs, path }: LoadParts, ids: readonly number[]): Promise<number> {
  let bytes = 0;
  for (const id of ids) {
    try {
      bytes += (await fs.status(indexPath(path, id))).sizeBytes;
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
  return Math.floor(bytes / indexRowBytes);
}

/** Undefined if the file is no region, since its making was cut off, or cannot be read: one bad block is no reason to do without the rest. */
async function openRegion(parts: LoadParts, id: number): Promise<Region | undefined> {
  try {
    return await readRegion(parts, id);
  } catch (error) {
    if (!isErrno(error, 'EIO')) throw error;
    parts.metrics.pageStoreErrors.inc({ reason: 'io' });
    return undefined;
  }
}

async function readRegion({ fs, path }: LoadParts, id: number): Promise<Region | undefined> {
  const file = await fs.openForReading(regionPath(path, id), 'read');
  try {
    const start = Buffer.alloc(regionHeaderBytes);
    const count = await file.read(start, 0);
    const header = decodeRegionHeader(start.subarray(0, count), id);
    if (!header) return undefined;
    const { sizeBytes } = await file.status();
    return newRegion(id, header.queue, header.marker, {
      state: 'sealed',
      file: undefined,
      fileBytes: sizeBytes,
    });
  } finally {
    await file.close();
  }
}

/** False if the region has no index that can be used. */
async function loadIndex(parts: LoadParts, removals: Removals, region: Region): Promise<boolean> {
  const { fs, path, regions, metrics } = parts;
  let bytes: Buffer;
  try {
    bytes = await readWhole(fs, indexPath(path, region.id), maxIndexBytes);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EIO')) throw error;
    if (isErrno(error, 'EIO')) metrics.pageStoreErrors.inc({ reason: 'index' });
    return false;
  }
  const header: RegionHeader = { region: region.id, marker: region.marker, queue: region.queue };
  const index = decodeRegionIndex(bytes, header, region.fileBytes);
  if (!index) {
    metrics.pageStoreErrors.inc({ reason: 'index' });
    await removeQuietly(fs, indexPath(path, region.id));
    return false;
  }
  regions.grow(region, 0, bytes.length - region.indexBytes);
  const isRemoved = removals.ofRegion(region.id);
  for (let number = 0; number < index.rowCount; number++) {
    if (number % rowsAtOnce === rowsAtOnce - 1) await nextTurn();
    const row = index.row(number);
    if (isRemoved(row.offset, row.incarnation)) continue;
    // What is not taken now must not come back later either, when it may have been removed elsewhere.
    if (parts.missed.has(row) || !addRow(parts, region, row)) removals.addDead(region.id, row.offset);
  }
  region.entries.trim();
  return true;
}
