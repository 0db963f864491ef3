import type { CoordStore, StoreEvent, Watch } from './store.ts';

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
  private watch: Watch | undefined;
  private closed = false;

  private constructor(store: CoordStore, prefix: string, decode: (value: string) => T, onChange: () => void) {
    this.store = store;
    this.prefix = prefix;
    this.decode = decode;
    this.onChange = onChange;
  }

  /** `onChange` is called after each change was taken in, and not for what was there at the beginning. */
  static async open<T>(
    store: CoordStore,
    prefix: string,
    decode: (value: string) => T,
    onChange: () => void,
  ): Promise<WatchedPrefix<T>> {
    const watched = new WatchedPrefix(store, prefix, decode, onChange);
    await watched.begin();
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

  /** False if `expected` does not hold. Rejects with `CoordError`. */
  async put(
    name: string,
    value: string,
    expected: 'absent' | { readonly revision: number },
  ): Promise<boolean> {
    const key = this.prefix + name;
    const revision = await this.store.putIf(key, value, expected);
    if (revision === undefined) return false;
    if (this.take(key, revision, this.decode(value))) this.onChange();
    return true;
  }

  /** False if the entry is not at this revision any more. Rejects with `CoordError`. */
  async delete(name: string, revision: number): Promise<boolean> {
    const key = this.prefix + name;
    if (!(await this.store.deleteIf(key, { revision }))) return false;
    // The deletion's own revision is not known, but it is above that of the entry: a late event about the entry is passed by.
    const row = this.rows.get(key);
    if (row?.value !== undefined && row.revision <= revision) {
      this.rows.set(key, { revision, value: undefined });
      this.onChange();
    }
    return true;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.watch?.close();
  }

  private async begin(): Promise<void> {
    const { entries, revision } = await this.store.list(this.prefix);
    this.rows = new Map(
      entries.map((entry) => [entry.key, { revision: entry.revision, value: this.decode(entry.value) }]),
    );
    this.watch = await this.store.watch(
      this.prefix,
      revision,
      (events) => this.takeAll(events),
      () => void this.beginAgain(),
    );
  }

  /** After a reset: everything is read again. The old rows stand until then. */
  private async beginAgain(): Promise<void> {
    if (this.closed) return;
    await this.begin();
    if (this.closed) await this.watch?.close();
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
