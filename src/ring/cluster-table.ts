import type { Clock } from '../common/clock.ts';
import { Following } from '../coord/following.ts';
import type { CoordStore, Entry, StoreEvent } from '../coord/store.ts';
import type { ClusterState, Suspicion } from './next-view.ts';
import type { RingWorker } from './ring.ts';
import {
  defaultRingSettings,
  type MemberRecord,
  membersPrefix,
  pointerKey,
  type RingSettings,
  settingsKey,
  suspectsPrefix,
  workersPrefix,
} from './view-record.ts';

/** That placement is to follow who is alive: the epoch of the view it was frozen in, at `ring/thaw`. */
export const thawKey = 'ring/thaw';
const ringPrefix = 'ring/';

type Rows = Map<string, unknown>;

/** What is stored of the cluster beside its views, kept up to date by watches. */
export class ClusterTable {
  private readonly onPointer: (entry: Entry) => void;
  private readonly onChange: () => void;
  private readonly ring: Rows = new Map();
  private readonly members: Rows = new Map();
  private followings: readonly Following[] = [];

  private constructor(onPointer: (entry: Entry) => void, onChange: () => void) {
    this.onPointer = onPointer;
    this.onChange = onChange;
  }

  /** `onPointer` is told of each change of `ring/epoch`, `onChange` of everything else. Rejects with `CoordError`. */
  static async open(
    clock: Clock,
    store: CoordStore,
    onPointer: (entry: Entry) => void,
    onChange: () => void,
  ): Promise<ClusterTable> {
    const table = new ClusterTable(onPointer, onChange);
    const ring = await table.follow(clock, store, ringPrefix, table.ring);
    try {
      table.followings = [ring, await table.follow(clock, store, membersPrefix, table.members)];
    } catch (error) {
      await ring.close();
      throw error;
    }
    return table;
  }

  async close(): Promise<void> {
    for (const following of this.followings) await following.close();
  }

  get settings(): RingSettings {
    return (this.ring.get(settingsKey) as RingSettings | undefined) ?? defaultRingSettings;
  }

  alive(): MemberRecord[] {
    return [...this.members.values()] as MemberRecord[];
  }

  registered(): RingWorker[] {
    return this.under(workersPrefix) as RingWorker[];
  }

  /** What the next view is made of. */
  state(lostLately: readonly RingWorker[], presentEpoch: number): ClusterState {
    const thawEpoch = (this.ring.get(thawKey) as number | undefined) ?? 0;
    return {
      settings: this.settings,
      alive: this.alive(),
      suspicions: this.under(suspectsPrefix) as Suspicion[],
      registered: this.registered(),
      lostLately,
      thaw: thawEpoch >= presentEpoch,
    };
  }

  private under(prefix: string): unknown[] {
    return [...this.ring].filter(([key]) => key.startsWith(prefix)).map(([, value]) => value);
  }

  private follow(clock: Clock, store: CoordStore, prefix: string, rows: Rows): Promise<Following> {
    return Following.open(clock, store, prefix, {
      onEntries: (entries) => {
        rows.clear();
        for (const entry of entries) this.put(rows, entry);
        this.onChange();
      },
      onEvents: (events) => this.take(rows, events),
      // What is known stands until everything was listed again.
      onLost: () => {},
    });
  }

  private take(rows: Rows, events: readonly StoreEvent[]): void {
    let changed = false;
    for (const event of events) {
      if (event.type === 'put') changed = this.put(rows, event.entry) || changed;
      else changed = rows.delete(event.key) || changed;
    }
    if (changed) this.onChange();
  }

  private put(rows: Rows, entry: Entry): boolean {
    if (entry.key === pointerKey) {
      this.onPointer(entry);
      return false;
    }
    rows.set(entry.key, JSON.parse(entry.value));
    return true;
  }
}
