import { createHash } from 'node:crypto';
import type { Clock } from '../common/clock.ts';
import type { CoordStore } from './store.ts';
import { WatchedPrefix } from './watched-prefix.ts';

export interface ConfigRow {
  readonly key: string;
  /** As an operator wrote it. */
  readonly value: string;
}

const keyPrefix = 'config/';

/** Settings that all nodes share, as text: who reads them knows what they mean. */
export class ConfigStore {
  private readonly rows: WatchedPrefix<ConfigRow>;
  private readonly listeners = new Set<() => void>();

  private constructor(rows: WatchedPrefix<ConfigRow>) {
    this.rows = rows;
  }

  static async open(clock: Clock, store: CoordStore): Promise<ConfigStore> {
    let opened: ConfigStore | undefined;
    const decode = (value: string) => Object.freeze(JSON.parse(value) as ConfigRow);
    const rows = await WatchedPrefix.open(clock, store, keyPrefix, decode, () => opened?.tell());
    opened = new ConfigStore(rows);
    return opened;
  }

  get(key: string): string | undefined {
    return this.rows.get(key)?.value;
  }

  /** By key. */
  list(): ConfigRow[] {
    return this.rows.values().sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** The same on every node that knows of the same settings. */
  get digest(): string {
    return createHash('sha256').update(JSON.stringify(this.list())).digest('hex').slice(0, 16);
  }

  /** False if somebody else has changed it meanwhile. */
  put(key: string, value: string): Promise<boolean> {
    const revision = this.rows.revisionOf(key);
    const expected = revision === undefined ? 'absent' : { revision };
    return this.rows.put(key, JSON.stringify({ key, value }), expected);
  }

  /** False if somebody else has changed it meanwhile; undefined if it is not set. */
  async remove(key: string): Promise<boolean | undefined> {
    const revision = this.rows.revisionOf(key);
    return revision === undefined ? undefined : this.rows.delete(key, revision);
  }

  /** Calls `listener` after each change, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.listeners.clear();
    await this.rows.close();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
