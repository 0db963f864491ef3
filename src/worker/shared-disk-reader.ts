import type { FileSystem } from '../ufs/file-system.ts';
import { PageTable } from './disk/page-table.ts';
import { RegionFiles } from './disk/region-files.ts';
import { DiskPageReader } from './disk-page-reader.ts';
import type { Loans } from './loans.ts';
import type { PageKey } from './page-store.ts';

/** What a thread needs to read the pages that another one writes: plain data. */
export interface SharedDisk {
  /** `DiskPageStore.tableMemory`. */
  readonly table: SharedArrayBuffer;
  /** Paths of the folders, in the order of their numbers in the table. */
  readonly directories: readonly string[];
}

const maxOpenFiles = 64;
/** Files of regions that were given up take room on the disk until they are closed here too. */
const closeEveryMs = 5000;

/**
 * Pages on disk, as a thread reads them that writes none. What cannot be read is absent here, and found out, counted and dropped by the
 * thread that writes, which answers instead.
 */
export class SharedDiskReader {
  private readonly files: RegionFiles;
  private readonly pages: DiskPageReader;
  private readonly timer: NodeJS.Timeout;

  constructor(fs: FileSystem, disk: SharedDisk) {
    this.files = new RegionFiles(fs, disk.directories, maxOpenFiles);
    this.pages = new DiskPageReader(this.files, new PageTable(disk.table));
    this.timer = setInterval(() => this.files.closeAll(), closeEveryMs);
    this.timer.unref();
  }

  /** The length of a page that is there. */
  pageBytesOf(key: PageKey): number | undefined {
    return this.pages.find(key)?.pageBytes;
  }

  /** As `PageStore.read`. */
  read(key: PageKey, start: number, end: number, loans?: Loans): Promise<Buffer | undefined> {
    return this.pages.read(key, start, end, loans);
  }

  close(): void {
    clearInterval(this.timer);
    this.files.closeAll();
  }
}
