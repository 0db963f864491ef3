import type { Mutants } from '../common/mutants.ts';
import { PageFaultError } from './disk/page-fault.ts';
import { PageHasher } from './disk/page-hash.ts';
import type { PagePlace, PageTable } from './disk/page-table.ts';
import { keyTextOf } from './disk/record-format.ts';
import { RecordReader } from './disk/record-reader.ts';
import type { RegionFiles } from './disk/region-files.ts';
import type { Loans } from './loans.ts';
import type { PageKey } from './page-store.ts';

export interface DiskPageReaderSettings {
  /** False while what lies in a directory cannot be had. */
  readonly isReadable?: (directory: number) => boolean;
  /** Told of a page that is still in the table and could not be read there. */
  readonly onFault?: (place: PagePlace, fault: PageFaultError) => void;
  readonly mutants?: Mutants;
}

/** Reads whose end is remembered, so that one that goes on from there counts as the same use of the page. */
const rememberedEnds = 256;

/**
 * Finds pages in the table and reads them from their regions, without the thread that writes: every thread may have one over the
 * shared table, with files of its own. The writer's has `settings` to follow up what it finds.
 */
export class DiskPageReader {
  private readonly table: PageTable;
  private readonly settings: DiskPageReaderSettings;
  private readonly hasher = new PageHasher();
  private readonly records: RecordReader;
  /** By entry, where the last read ended. */
  private readonly lastEnds = new Map<number, number>();

  constructor(files: RegionFiles, table: PageTable, settings: DiskPageReaderSettings = {}) {
    this.table = table;
    this.settings = settings;
    this.records = new RecordReader(files, settings.mutants);
  }

  /** Where the page is said to be, if it is there and not too old. No file is touched. */
  find(key: PageKey): PagePlace | undefined {
    const place = this.table.find(this.hasher.page(key));
    if (place && place.filledSeconds < (key.notBeforeSeconds ?? 0)) return undefined;
    return place && this.settings.isReadable?.(place.directory) === false ? undefined : place;
  }

  /** Bytes `[start, end)` of the page; undefined if it is not there, or not as it was written. Never rejects for a fault of the disk. */
  async read(key: PageKey, start: number, end: number, loans?: Loans): Promise<Buffer | undefined> {
    const place = this.find(key);
    if (!place || end > place.pageBytes) return undefined;
    this.touch(place, start, end);
    return this.readAt(place, key, start, end, loans);
  }

  /** Whether the page is there and all of it as it was written. It counts as no use of the page. */
  async check(key: PageKey): Promise<boolean> {
    const place = this.find(key);
    return place !== undefined && (await this.readAt(place, key, 0, place.pageBytes)) !== undefined;
  }

  private async readAt(
    place: PagePlace,
    key: PageKey,
    start: number,
    end: number,
    loans?: Loans,
  ): Promise<Buffer | undefined> {
    try {
      return await this.records.read(place, keyTextOf(key), start, end, loans);
    } catch (error) {
      if (!(error instanceof PageFaultError)) throw error;
      const now = this.table.find(this.hasher.page(key));
      // A page that was given up, or carried elsewhere, while it was read is no fault of the disk.
      if (now && isSamePlace(now, place)) this.settings.onFault?.(place, error);
      return undefined;
    }
  }

  private touch({ entry, pageBytes }: PagePlace, start: number, end: number): void {
    if (this.lastEnds.get(entry) !== start) this.table.touch(entry);
    this.lastEnds.delete(entry);
    if (end === pageBytes) return;
    this.lastEnds.set(entry, end);
    if (this.lastEnds.size <= rememberedEnds) return;
    const [oldest] = this.lastEnds.keys();
    if (oldest !== undefined) this.lastEnds.delete(oldest);
  }
}

function isSamePlace(a: PagePlace, b: PagePlace): boolean {
  return a.directory === b.directory && a.region === b.region && a.offset === b.offset;
}
