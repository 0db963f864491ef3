import type { Clock } from '../../common/clock.ts';
import { CoordError, type CoordStore, type Entry } from '../../coord/store.ts';
import { WatchedPrefix } from '../../coord/watched-prefix.ts';
import { isClosed, type SetRecord, setsPrefix } from './set-record.ts';

export interface KnownSet {
  readonly record: SetRecord;
  /** For the next change. */
  readonly revision: number;
}

/** The sets of a cluster, in its coordination store. Rejects with `CoordError`. */
export class SetTable {
  readonly #store: CoordStore;
  readonly #watched: WatchedPrefix<SetRecord>;
  #reading: Promise<readonly KnownSet[]> | undefined;
  #next: Promise<readonly KnownSet[]> | undefined;

  private constructor(store: CoordStore, watched: WatchedPrefix<SetRecord>) {
    this.#store = store;
    this.#watched = watched;
  }

  /** `onChange` is called after each change that became known here. */
  static async open(clock: Clock, store: CoordStore, onChange: () => void): Promise<SetTable> {
    const decode = (value: string) => JSON.parse(value) as SetRecord;
    return new SetTable(store, await WatchedPrefix.open(clock, store, setsPrefix, decode, onChange));
  }

  /** As far as it is known here by now. */
  get known(): readonly SetRecord[] {
    return this.#watched.values();
  }

  /** As it is at some moment after the call. Those who ask at once share a read. */
  latest(): Promise<readonly KnownSet[]> {
    if (!this.#reading) return this.#start();
    // The one that is under way may have begun before whatever the caller wants to see.
    this.#next ??= this.#reading.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  /** As `latest`, of sets in which something may be pending. */
  async open(): Promise<readonly SetRecord[]> {
    const all = await this.latest();
    return all.map(({ record }) => record).filter((record) => !isClosed(record));
  }

  async create(record: SetRecord): Promise<boolean> {
    return this.#watched.put(record.id, JSON.stringify(record), 'absent');
  }

  /**
   * Changes a set's record as it is now, again where somebody else was faster. `change` gives undefined where nothing is to be changed any
   * more; that is what is given back then.
   */
  async change(
    id: string,
    change: (record: SetRecord) => SetRecord | undefined,
  ): Promise<SetRecord | undefined> {
    for (;;) {
      const entry = await this.#store.get(setsPrefix + id);
      const record = entry && (JSON.parse(entry.value) as SetRecord);
      const changed = record && change(record);
      if (!entry || !changed) return undefined;
      const { revision } = entry;
      const isOver = isClosed(changed) && changed.former.length === 0;
      const isDone = isOver
        ? await this.#watched.delete(id, revision)
        : await this.#watched.put(id, JSON.stringify(changed), { revision });
      if (isDone) return changed;
    }
  }

  async close(): Promise<void> {
    await this.#watched.close();
  }

  #start(): Promise<readonly KnownSet[]> {
    this.#next = undefined;
    const reading = this.#read().finally(() => {
      if (this.#reading === reading) this.#reading = undefined;
    });
    this.#reading = reading;
    return reading;
  }

  async #read(): Promise<readonly KnownSet[]> {
    const { entries } = await this.#store.list(setsPrefix);
    return entries.map(knownOf);
  }
}

function knownOf({ key, value, revision }: Entry): KnownSet {
  try {
    return { record: JSON.parse(value) as SetRecord, revision };
  } catch (cause) {
    throw new CoordError('corrupt', `${key} is not what a node writes there`, { cause });
  }
}
