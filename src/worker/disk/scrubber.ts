import type { Clock } from '../../common/clock.ts';
import type { Metrics } from '../../common/metrics.ts';
import type { PageDirectory } from './page-directory.ts';
import { PageFaultError } from './page-fault.ts';
import type { PagePlace } from './page-table.ts';
import type { PageTableWriter } from './page-table-writer.ts';
import type { RecordReader } from './record-reader.ts';

export interface ScrubberSettings {
  /** 0: nothing is read. */
  readonly bytesPerSecond: number;
  /** Told of a page that cannot be read as it was written, and that is still there. */
  readonly onBad: (place: PagePlace, fault: PageFaultError) => void;
}

const stepMs = 1000;

/**
 * Reads all pages of sealed regions again and again, slowly, so that damage is found before somebody asks for the page: region by region,
 * in each directory, and then from the beginning.
 */
export class Scrubber {
  private readonly clock: Clock;
  private readonly metrics: Metrics;
  private readonly directories: readonly PageDirectory[];
  private readonly table: PageTableWriter;
  private readonly reader: RecordReader;
  private readonly settings: ScrubberSettings;
  private readonly closed = new AbortController();
  private running: Promise<void> = Promise.resolve();
  /** Where it goes on: the region and which of its entries. */
  private at = { directory: 0, region: 0, index: 0 };

  constructor(
    clock: Clock,
    metrics: Metrics,
    directories: readonly PageDirectory[],
    table: PageTableWriter,
    reader: RecordReader,
    settings: ScrubberSettings,
  ) {
    this.clock = clock;
    this.metrics = metrics;
    this.directories = directories;
    this.table = table;
    this.reader = reader;
    this.settings = settings;
  }

  begin(): void {
    if (this.settings.bytesPerSecond > 0) this.running = this.run();
  }

  async close(): Promise<void> {
    this.closed.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    // A page that is longer than a second's share is paid for by pauses afterwards.
    let credit = 0;
    while (await this.pause()) {
      credit = Math.min(credit + this.settings.bytesPerSecond, this.settings.bytesPerSecond);
      while (credit > 0 && !this.closed.signal.aborted) {
        const bytes = await this.step();
        if (bytes === 0) break;
        credit -= bytes;
      }
    }
  }

  /** Reads the next page; 0 if there is none in the rest of this turn. */
  private async step(): Promise<number> {
    const entry = this.next();
    if (entry === 0) return 0;
    const place = this.table.placeAt(entry);
    const bytes = place.headerBytes + place.pageBytes;
    try {
      await this.reader.readRecord(place);
    } catch (error) {
      if (!(error instanceof PageFaultError)) throw error;
      if (this.isThere(entry, place)) this.settings.onBad(place, error);
    }
    this.metrics.pageStoreScrubbedBytes.inc(bytes);
    return bytes;
  }

  /** The next entry that is in its region still; 0 at the end of all, from where it begins anew. */
  private next(): number {
    for (; this.at.directory < this.directories.length; this.at = this.inNextDirectory()) {
      const directory = this.directories[this.at.directory] as PageDirectory;
      if (!directory.isReadable) continue;
      const regions = directory.sealedRegions.filter(({ id }) => id >= this.at.region);
      for (const region of regions.sort((a, b) => a.id - b.id)) {
        if (region.id !== this.at.region) this.at = { ...this.at, region: region.id, index: 0 };
        while (this.at.index < region.entries.length) {
          const entry = region.entries.at(this.at.index++);
          const isHere = this.table.regionOf(entry) === region.id;
          if (isHere && this.table.directoryOf(entry) === this.at.directory) return entry;
        }
      }
    }
    this.at = { directory: 0, region: 0, index: 0 };
    return 0;
  }

  private inNextDirectory() {
    return { directory: this.at.directory + 1, region: 0, index: 0 };
  }

  private isThere(entry: number, place: PagePlace): boolean {
    const { table } = this;
    if (table.regionOf(entry) !== place.region || table.directoryOf(entry) !== place.directory) return false;
    return table.placeAt(entry).offset === place.offset;
  }

  private async pause(): Promise<boolean> {
    try {
      await this.clock.sleep(stepMs, this.closed.signal);
      return true;
    } catch {
      return false; // Only closing ends a sleep early.
    }
  }
}
