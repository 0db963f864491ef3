import type { EvictionLog, EvictionReason } from '../eviction-log.ts';
import type { FolderName, Folders } from './folders.ts';
import type { PageHash } from './page-hash.ts';
import type { PageTableWriter, TableRow } from './page-table-writer.ts';

/** The table, the folders that its pages belong to, and what they sum up to. */
export class PageBook {
  readonly table: PageTableWriter;
  readonly folders: Folders;
  readonly evictions: EvictionLog;

  constructor(table: PageTableWriter, folders: Folders, evictions: EvictionLog) {
    this.table = table;
    this.folders = folders;
    this.evictions = evictions;
  }

  /** Pages that can be read, and the bytes of their records. */
  get usage(): { pages: number; bytes: number } {
    return this.folders.usage;
  }

  /** True if a page can be added now. */
  get hasRoom(): boolean {
    return !this.table.isFull && this.folders.hasRoom;
  }

  /** True if the page is there already; one of a removed incarnation is not. */
  has(hash: PageHash): boolean {
    return this.table.find(hash) !== undefined;
  }

  /** Adds a page that is not there, and for which there is room. */
  add(name: FolderName, row: TableRow, directory: number, region: number): number {
    const number = this.folders.numberOf(name);
    this.folders.count(number, 1, row.headerBytes + row.pageBytes, row.pageBytes);
    return this.table.insert(row, number, directory, region);
  }

  /** To be told before `remove`, where the page goes for good. */
  givesUp(entry: number, reason: EvictionReason): void {
    this.evictions.note(this.table.path32Of(entry), reason);
  }

  remove(entry: number): void {
    const { headerBytes, pageBytes } = this.table.placeAt(entry);
    const folder = this.table.folderOf(entry);
    this.table.remove(entry);
    this.folders.count(folder, -1, -headerBytes - pageBytes, -pageBytes);
  }
}
