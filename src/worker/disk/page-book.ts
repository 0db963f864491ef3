import type { Incarnations } from './incarnations.ts';
import type { PageHash } from './page-hash.ts';
import type { PageTableWriter, TableRow } from './page-table-writer.ts';

/** The table, the incarnations that its pages belong to, and what they sum up to. */
export class PageBook {
  readonly table: PageTableWriter;
  readonly incarnations: Incarnations;
  private readonly pinned: number[] = [];

  constructor(table: PageTableWriter, incarnations: Incarnations) {
    this.table = table;
    this.incarnations = incarnations;
  }

  /** Pages that can be read, and the bytes of their records. */
  get usage(): { pages: number; bytes: number } {
    return this.incarnations.usage;
  }

  /** Bytes of the records in a directory that are pinned. */
  pinnedBytes(directory: number): number {
    return this.pinned[directory] ?? 0;
  }

  /** True if a page can be added now. */
  get hasRoom(): boolean {
    return !this.table.isFull && this.incarnations.hasRoom;
  }

  /** True if the page is there already; one of a removed incarnation is not. */
  has(hash: PageHash): boolean {
    return this.table.find(hash) !== undefined;
  }

  /** Adds a page that is not there, and for which there is room. */
  add(incarnation: string, row: TableRow, directory: number, region: number): number {
    const number = this.incarnations.numberOf(incarnation);
    const bytes = row.headerBytes + row.pageBytes;
    this.incarnations.count(number, 1, bytes);
    if (row.pinned) this.pinned[directory] = this.pinnedBytes(directory) + bytes;
    return this.table.insert(row, number, directory, region);
  }

  remove(entry: number): void {
    const { headerBytes, pageBytes, pinned, directory } = this.table.placeAt(entry);
    const incarnation = this.table.incarnationOf(entry);
    this.table.remove(entry);
    this.incarnations.count(incarnation, -1, -headerBytes - pageBytes);
    if (pinned) this.pinned[directory] = this.pinnedBytes(directory) - headerBytes - pageBytes;
  }
}
