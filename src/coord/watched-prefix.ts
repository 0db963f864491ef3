import type { Clock } from '../common/clock.ts';
import { Following } from './following.ts';
import type { CoordStore, Entry, StoreEvent } from './store.ts';

/** A row of a `WatchedPrefix`: the value of `undefined` stands for a deletion that the watch has not delivered yet. */
interface Row<T> {
  readonly revision: number;
  readonly value: T | undefined;
}

/**
 * The entries under one prefix, decoded, kept in memory and up to date by a watch. Looking is synchronous. What this process
 * writes through it is seen here when the write returns; what others write, when the watch delivers it.
 */
export class WatchedPrefix<T> {
  private readonly store: CoordStore;
  private readonly prefix: string;
  private readonly decode: (value: string) => T;
  private readonly onChange: () => void;
  private rows = new Map<string, Row<T>>();
  /** While everything is listed again: what this process has written meanwhile, which the list may not know of. */
  private ownMeanwhile: Map<string, Row<T>> | undefined;
  private following: Following | undefined;

  private constructor(store: CoordStore, prefix: string, decode: (value: string) => T, onChange: () => void) {
    this.store = store;
    this.prefix = prefix;
    this.decode = decode;
    this.onChange = onChange;
  }

  /** `onChange` is called after each change was taken in, and not for what was there at the beginning. */
  static async open<T>(
    clock: Clock,
    store: CoordStore,
    prefix: string,
    decode: (value: string) => T,
    onChange: () => void,
  ): Promise<WatchedPrefix<T>> {
    const watched = new WatchedPrefix(store, prefix, decode, onChange);
    watched.following = await Following.open(clock, store, prefix, {
      onEntries: (entries, revision) => watched.begin(entries, revision),
      onEvents: (events) => watched.takeAll(events),
      onLost: () => {
        watched.ownMeanwhile ??= new Map();
      },
    });
    return watched;
  }

  /** `name` is the key without the prefix, here and below. */
  get(name: string): T | undefined {
    return this.rows.get(this.prefix + name)?.value;
  }

  /** In no particular order. */
  values(): T[] {
    const found: T[] = [];
    for (const row of this.rows.values()) if (row.value !== undefined) found.push(row.value);
    return found;
  }

  /** The revision of the entry, as `put` and `delete` take it. */
  revisionOf(name: string): number | undefined {
    const row = this.rows.get(this.prefix + name);
    return row?.value === undefined ? undefined : row.revision;
  }

  /** Reads the entry from the store, ahead of the watch, which alone tells that it is gone. Rejects with `CoordError`. */
  async refresh(name: string): Promise<void> {
    const entry = await this.store.get(this.prefix + name);
    if (!entry) return;
    const { key, revision } = entry;
    const value = this.decode(entry.value);
    this.ownMeanwhile?.set(key, { revision, value });
    if (this.take(key, revision, value)) this.onChange();
  }

  /** False if `expected` does not hold. Rejects with `CoordError`. */
  async put(
    name: string,
    value: string,
    expected: 'absent' | { readonly revision: number },
  ): Promise<boolean> {
    const key = this.prefix + name;
    const revision = await this.store.putIf(key, value, expected);
    if (revision === undefined) return false;
    const decoded = this.decode(value);
    this.ownMeanwhile?.set(key, { revision, value: decoded });
    if (this.take(key, revision, decoded)) this.onChange();
    return true;
  }

  /** False if the entry is not at this revision any more. Rejects with `CoordError`. */
  async delete(name: string, revision: number): Promise<boolean> {
    const key = this.prefix + name;
    if (!(await this.store.deleteIf(key, { revision }))) return false;
    // The deletion's own revision is not known, but it is above that of the entry: a late event about the entry is passed by.
    const row = this.rows.get(key);
    this.ownMeanwhile?.set(key, { revision, value: undefined });
    if (row?.value !== undefined && row.revision <= revision) {
      this.rows.set(key, { revision, value: undefined });
      this.onChange();
    }
    return true;
  }

  async close(): Promise<void> {
    await this.following?.close();
  }

  /** At first, and again after changes were lost: the old rows stand until then. */
  private begin(entries: readonly Entry[], listRevision: number): void {
    const rows = new Map<string, Row<T>>(
      entries.map(({ key, revision, value }) => [key, { revision, value: this.decode(value) }]),
    );
    for (const [key, own] of this.ownMeanwhile ?? []) {
      const listed = rows.get(key);
      const isNewer =
        own.value === undefined
          ? listed !== undefined && listed.revision <= own.revision
          : own.revision > listRevision;
      if (isNewer) rows.set(key, own);
    }
    this.rows = rows;
    if (this.ownMeanwhile === undefined) return;
    this.ownMeanwhile = undefined;
    this.onChange();
  }

  private takeAll(events: readonly StoreEvent[]): void {
    let changed = false;
    for (const event of events) {
      const taken =
        event.type === 'put'
          ? this.take(event.entry.key, event.entry.revision, this.decode(event.entry.value))
          : this.take(event.key, event.revision, undefined);
      changed ||= taken;
    }
    if (changed) this.onChange();
  }

  /** False if something as new is here already. */
  private take(key: string, revision: number, value: T | undefined): boolean {
    const present = this.rows.get(key);
    if (present && present.revision >= revision) return false;
    if (value !== undefined) this.rows.set(key, { revision, value });
    else this.rows.delete(key);
    return true;
  }
}
