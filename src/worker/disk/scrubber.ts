import type { Clock } from '../../common/clock.ts';
import type { Metrics } from '../../common/metrics.ts';
import type { PageDirectory } from './page-directory.ts';
import type { PageTableWriter } from './page-table-writer.ts';
import type { RecordCheck } from './record-check.ts';
import type { Region } from './regions.ts';

const stepMs = 1000;

/** Where it goes on: the region and which of its entries. */
interface Position {
  readonly directory: number;
  /** The number of the region that it came to last. */
  readonly regionId: number;
  /** Undefined when it is through with it. */
  region: Region | undefined;
  index: number;
}

function beginningOf(directory: number): Position {
  return { directory, regionId: 0, region: undefined, index: 0 };
}

/**
 * Reads all pages of sealed regions again and again, slowly, so that damage is found before somebody asks for the page: region by region,
 * in each directory, and then from the beginning.
 */
export class Scrubber {
  private readonly clock: Clock;
  private readonly metrics: Metrics;
  private readonly directories: readonly PageDirectory[];
  private readonly table: PageTableWriter;
  private readonly check: RecordCheck;
  private readonly closed = new AbortController();
  private running: Promise<void> | undefined;
  private bytesPerSecond: number;
  private at = beginningOf(0);

  /** `scrubBytesPerSecond` 0: nothing is read. */
  constructor(
    clock: Clock,
    metrics: Metrics,
    directories: readonly PageDirectory[],
    table: PageTableWriter,
    check: RecordCheck,
    settings: { readonly scrubBytesPerSecond: number },
  ) {
    this.clock = clock;
    this.metrics = metrics;
    this.directories = directories;
    this.table = table;
    this.check = check;
    this.bytesPerSecond = settings.scrubBytesPerSecond;
  }

  begin(): void {
    if (this.bytesPerSecond > 0) this.running ??= this.run();
  }

  /** Goes on at this pace; 0: it stands still. */
  tune(bytesPerSecond: number): void {
    this.bytesPerSecond = bytesPerSecond;
    this.begin();
  }

  async close(): Promise<void> {
    this.closed.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    // A page that is longer than a second's share is paid for by pauses afterwards.
    let credit = 0;
    while (await this.pause()) {
      credit = Math.min(credit + this.bytesPerSecond, this.bytesPerSecond);
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
    const { headerBytes, pageBytes } = this.table.placeAt(entry);
    const bytes = headerBytes + pageBytes;
    await this.check.isWhole(entry);
    this.metrics.pageStoreScrubbedBytes.inc(bytes);
    return bytes;
  }

  /** The next entry that is in its region still; 0 at the end of all, from where it begins anew. */
  private next(): number {
    for (; this.at.directory < this.directories.length; this.at = beginningOf(this.at.directory + 1)) {
      const { directory } = this.at;
      const { isReadable } = this.directories[directory] as PageDirectory;
      // Regions are looked for once for each, not for each page: there may be thousands.
      while (isReadable && (this.at.region?.state === 'sealed' || this.toNextRegion())) {
        const { id, entries } = this.at.region as Region;
        while (this.at.index < entries.length) {
          const entry = entries.at(this.at.index++);
          const isHere = this.table.regionOf(entry) === id && this.table.directoryOf(entry) === directory;
          if (isHere) return entry;
        }
        this.at.region = undefined;
      }
    }
    this.at = beginningOf(0);
    return 0;
  }

  /** Goes on to the oldest region behind the last one. False if there is none in the directory. */
  private toNextRegion(): boolean {
    const { directory, regionId } = this.at;
    let next: Region | undefined;
    for (const region of (this.directories[directory] as PageDirectory).sealedRegions) {
      if (region.id > regionId && (!next || region.id < next.id)) next = region;
    }
    this.at = { directory, regionId: next?.id ?? regionId, region: next, index: 0 };
    return next !== undefined;
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
