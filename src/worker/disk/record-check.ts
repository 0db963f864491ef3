import { PageFaultError } from './page-fault.ts';
import type { PagePlace } from './page-table.ts';
import type { PageTableWriter } from './page-table-writer.ts';
import type { RecordReader } from './record-reader.ts';

/** Told of a page that cannot be read as it was written, and that is still there. */
export type OnBad = (place: PagePlace, fault: PageFaultError) => void;

/** Reads pages that nobody asks for, so that damage is found before somebody does. */
export class RecordCheck {
  private readonly table: PageTableWriter;
  private readonly reader: RecordReader;
  private readonly onBad: OnBad;

  constructor(table: PageTableWriter, reader: RecordReader, onBad: OnBad) {
    this.table = table;
    this.reader = reader;
    this.onBad = onBad;
  }

  /** False if the page is not as it was written; true also if it is not there any more. */
  async isWhole(entry: number): Promise<boolean> {
    const place = this.table.placeAt(entry);
    try {
      await this.reader.readRecord(place);
      return true;
    } catch (error) {
      if (!(error instanceof PageFaultError)) throw error;
      if (!this.isThere(entry, place)) return true;
      this.onBad(place, error);
      return false;
    }
  }

  private isThere(entry: number, place: PagePlace): boolean {
    const { table } = this;
    if (table.regionOf(entry) !== place.region || table.directoryOf(entry) !== place.directory) return false;
    return table.placeAt(entry).offset === place.offset;
  }
}
