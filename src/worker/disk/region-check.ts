import type { PageDirectory } from './page-directory.ts';
import type { PageTableWriter } from './page-table-writer.ts';
import type { RecordCheck } from './record-check.ts';

/** What was found in one region, in pages and in bytes of them with their headers. */
export interface CheckedRegion {
  readonly whole: { readonly count: number; readonly bytes: number };
  readonly damaged: { readonly count: number; readonly bytes: number };
}

export interface CheckOptions {
  /** Nothing is read: all pages are taken to be whole. */
  readonly isPlan: boolean;
  /** Told of bytes that were read; nothing more is read before it resolves. */
  readonly pace: (bytes: number) => Promise<void>;
  readonly signal: AbortSignal;
}

const digits = 12;

/** Goes through the pages of a region when somebody asks for it; those that are not as they were written are given up. */
export class RegionChecks {
  private readonly directories: readonly PageDirectory[];
  private readonly table: PageTableWriter;
  private readonly check: RecordCheck;

  constructor(directories: readonly PageDirectory[], table: PageTableWriter, check: RecordCheck) {
    this.directories = directories;
    this.table = table;
    this.check = check;
  }

  /** Names of all regions whose pages are known, in order. */
  names(): string[] {
    return this.directories.flatMap((directory, index) =>
      directory.knownRegions.map(({ id }) => nameOf(index, id)).sort(),
    );
  }

  /** Nothing is found in a region that has gone meanwhile. Rejects with the signal's reason. */
  async run(name: string, { isPlan, pace, signal }: CheckOptions): Promise<CheckedRegion> {
    const whole = { count: 0, bytes: 0 };
    const damaged = { count: 0, bytes: 0 };
    const [directory = 0, id = 0] = name.split('/').map(Number);
    const entries = this.directories[directory]?.knownRegions.find((region) => region.id === id)?.entries;
    for (let i = 0; entries && i < entries.length; i++) {
      signal.throwIfAborted();
      const entry = entries.at(i);
      if (this.table.regionOf(entry) !== id || this.table.directoryOf(entry) !== directory) continue;
      const { headerBytes, pageBytes } = this.table.placeAt(entry);
      const bytes = headerBytes + pageBytes;
      const found = isPlan || (await this.check.isWhole(entry)) ? whole : damaged;
      found.count++;
      found.bytes += bytes;
      if (!isPlan) await pace(bytes);
    }
    return { whole, damaged };
  }
}

function nameOf(directory: number, region: number): string {
  return [directory, region].map((number) => String(number).padStart(digits, '0')).join('/');
}
