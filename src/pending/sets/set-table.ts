import type { Clock } from '../../common/clock.ts';
import { CoordError, type CoordStore, type Entry } from '../../coord/store.ts';
import { WatchedPrefix } from '../../coord/watched-prefix.ts';
import { isClosed, type SetRecord, setsPrefix } from './set-record.ts';

export interface KnownSet {
  readonly record: SetRecord;
  /** For the next change. */
  readonly revision: number;
}

/** For keepers to say again what they keep when the coordination store went back, ms. */
const doubtMs = 10_000;

interface Seen {
  readonly generation: number;
  readonly isClosed: boolean;
  /** Since when the coordination store has nothing so late, on the monotonic clock. */
  doubtedMs?: number | undefined;
}

/** The sets of a cluster, in its coordination store. Rejects with `CoordError`. */
export class SetTable {
  readonly #clock: Clock;
  readonly #store: CoordStore;
  readonly #watched: WatchedPrefix<SetRecord>;
  /** The latest of each set that was ever seen here. */
  readonly #seen: Map<string, Seen>;
  #reading: Promise<readonly KnownSet[]> | undefined;
  #next: Promise<readonly KnownSet[]> | undefined;

  private constructor(
    clock: Clock,
    store: CoordStore,
    watched: WatchedPrefix<SetRecord>,
    seen: Map<string, Seen>,
  ) {
    this.#clock = clock;
    this.#store = store;
    this.#watched = watched;
    this.#seen = seen;
  }

  /** `onChange` is called after each change that became known here. */
  static async open(clock: Clock, store: CoordStore, onChange: () => void): Promise<SetTable> {
    const seen = new Map<string, Seen>();
    const decode = (value: string) => {
      const record = JSON.parse(value) as SetRecord;
      see(seen, record);
      return record;
    };
    const watched = await WatchedPrefix.open(clock, store, setsPrefix, decode, onChange);
    return new SetTable(clock, store, watched, seen);
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

  /**
   * As `latest`, of sets in which something may be pending. Undefined for a while where the coordination store has an earlier state than was seen
   * here: what is missing there may be pending all the same, and its keepers are going to say so.
   */
  async open(): Promise<readonly SetRecord[] | undefined> {
    const records = (await this.latest()).map(({ record }) => record);
    const found = new Map(records.map((record) => [record.id, record.generation]));
    let isDoubtful = false;
    for (const [id, seen] of this.#seen) {
      if (seen.isClosed) continue;
      if ((found.get(id) ?? 0) >= seen.generation) {
        seen.doubtedMs = undefined;
        continue;
      }
      const nowMs = this.#clock.monotonicMs();
      seen.doubtedMs ??= nowMs;
      // Nobody says it, so that it is as the store has it.
      if (nowMs - seen.doubtedMs > doubtMs) this.#seen.delete(id);
      else isDoubtful = true;
    }
    for (const record of records) see(this.#seen, record);
    return isDoubtful ? undefined : records.filter((record) => !isClosed(record));
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

function see(seen: Map<string, Seen>, record: SetRecord): void {
  const { id, generation } = record;
  if (generation > (seen.get(id)?.generation ?? 0)) seen.set(id, { generation, isClosed: isClosed(record) });
}

function knownOf({ key, value, revision }: Entry): KnownSet {
  try {
    return { record: JSON.parse(value) as SetRecord, revision };
  } catch (cause) {
    throw new CoordError('corrupt', `${key} is not what a node writes there`, { cause });
  }
}
