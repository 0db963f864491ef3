import { compareUtf8 } from '../common/utf8-order.ts';
import { ChangeLog } from './change-log.ts';
import type { MirrorUpdate } from './mirror-feed.ts';
import { CoordError, type CoordStore, type Entry, type Lease, type StoreEvent, type Watch } from './store.ts';

const rememberedChanges = 1000;

/** A coordination store as another thread last told of it. It is read and watched; whoever wants to change it is refused. */
export class MirrorStore implements CoordStore {
  private readonly entries = new Map<string, Entry>();
  private readonly log: ChangeLog;
  private latest: number;
  private taken: number;

  constructor(snapshot: MirrorUpdate) {
    for (const entry of snapshot.entries ?? []) this.entries.set(entry.key, entry);
    this.latest = snapshot.revision;
    this.taken = snapshot.count;
    this.log = new ChangeLog(snapshot.revision, rememberedChanges);
  }

  /** How many changes the store had announced when the newest of them came here. */
  get count(): number {
    return this.taken;
  }

  /** Takes in what the feed sent; watchers have been called when it returns. */
  take(update: MirrorUpdate): void {
    if (update.entries && update.revision < this.latest) {
      this.goBack(update.entries, update.revision);
      this.taken = update.count;
      return;
    }
    for (const event of update.entries ? this.difference(update) : (update.events ?? [])) this.apply(event);
    this.latest = Math.max(this.latest, update.revision);
    this.taken = update.count;
  }

  async get(key: string): Promise<Entry | undefined> {
    return this.entries.get(key);
  }

  async list(prefix: string): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }> {
    const entries = [...this.entries.values()].filter(({ key }) => key.startsWith(prefix));
    return { entries: entries.sort((a, b) => compareUtf8(a.key, b.key)), revision: this.latest };
  }

  async putIf(): Promise<undefined> {
    throw readOnly();
  }

  async deleteIf(): Promise<boolean> {
    throw readOnly();
  }

  async watch(
    prefix: string,
    fromRevision: number,
    onEvents: (events: readonly StoreEvent[]) => void,
    onReset: () => void,
  ): Promise<Watch> {
    return this.log.watch(prefix, fromRevision, onEvents, onReset);
  }

  async lease(): Promise<Lease> {
    throw readOnly();
  }

  async close(): Promise<void> {
    this.log.close();
  }

  /** The store was restored from an older copy: its revisions say nothing about what is here. */
  private goBack(entries: readonly Entry[], revision: number): void {
    this.entries.clear();
    for (const entry of entries) this.entries.set(entry.key, entry);
    this.latest = revision;
    this.log.forget(revision);
  }

  /** What came twice, with the snapshot and as an event, is passed over. */
  private apply(event: StoreEvent): void {
    const revision = event.type === 'put' ? event.entry.revision : event.revision;
    if (revision <= this.latest) return;
    if (event.type === 'put') this.entries.set(event.entry.key, event.entry);
    else this.entries.delete(event.key);
    this.log.append(revision, [event]);
  }

  /** What leads from the entries here to those of a new snapshot, by the changes' revisions. */
  private difference({ entries = [], revision }: MirrorUpdate): StoreEvent[] {
    const kept = new Set(entries.map(({ key }) => key));
    const gone = [...this.entries.keys()].filter((key) => !kept.has(key));
    const changed = entries.filter((entry) => this.entries.get(entry.key)?.revision !== entry.revision);
    return [
      ...changed
        .toSorted((a, b) => a.revision - b.revision)
        .map((entry) => ({ type: 'put', entry }) as const),
      ...gone.map((key) => ({ type: 'delete', key, revision }) as const),
    ];
  }
}

function readOnly(): CoordError {
  return new CoordError('unavailable', 'a mirror of the coordination store takes no change');
}
