import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import { type EntryTable, LocalStore } from './local-store.ts';
import type { CoordStore, Entry } from './store.ts';

class MemoryTable implements EntryTable {
  private readonly rows = new Map<string, { readonly entry: Entry; readonly leaseId: string | undefined }>();
  private latest = 0;

  revision(): number {
    return this.latest;
  }

  get(key: string): Entry | undefined {
    return this.rows.get(key)?.entry;
  }

  list(prefix: string): Entry[] {
    return [...this.rows.values()]
      .map((row) => row.entry)
      .filter((entry) => entry.key.startsWith(prefix))
      .sort((a, b) => compareUtf8(a.key, b.key));
  }

  put(entry: Entry, leaseId: string | undefined): void {
    this.rows.set(entry.key, { entry, leaseId });
    this.latest = entry.revision;
  }

  delete(keys: readonly string[], revision: number): void {
    for (const key of keys) this.rows.delete(key);
    this.latest = revision;
  }

  keysOfLease(leaseId: string): string[] {
    return [...this.rows].filter(([, row]) => row.leaseId === leaseId).map(([key]) => key);
  }

  close(): void {
    this.rows.clear();
  }
}

/** A coordination store that keeps everything in memory and forgets it when closed. */
export function createMemoryStore(
  clock: Clock,
  random: Random,
  settings?: { rememberedChanges?: number },
): CoordStore {
  return new LocalStore(clock, random, new MemoryTable(), settings);
}
