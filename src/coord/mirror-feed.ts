import type { CoordStore, Entry, StoreEvent, Watch } from './store.ts';

/** What a mirror is told. Plain data. */
export interface MirrorUpdate {
  /** Changes announced so far. */
  readonly count: number;
  /** The store's revision that this leads to. */
  readonly revision: number;
  readonly events?: readonly StoreEvent[];
  /** Every entry there is: what is not among them is gone. */
  readonly entries?: readonly Entry[];
}

/** Where the number of changes is announced, before any mirror can have heard of the newest. */
export interface ChangeCount {
  read(): number;
  /** Returns the new number. */
  add(): number;
}

/**
 * Tells mirrors in other threads of each change of a store. A change is counted when the store delivers it to its watchers, which a
 * store in this process does before the call that makes the change returns: so whoever finds a mirror to have taken as many changes as
 * were counted sees every change that was answered before.
 */
export class MirrorFeed {
  private readonly store: CoordStore;
  private readonly count: ChangeCount;
  private readonly mirrors = new Set<(update: MirrorUpdate) => void>();
  private watch: Watch | undefined;
  private closed = false;

  private constructor(store: CoordStore, count: ChangeCount) {
    this.store = store;
    this.count = count;
  }

  static async open(store: CoordStore, count: ChangeCount): Promise<MirrorFeed> {
    const feed = new MirrorFeed(store, count);
    await feed.begin();
    return feed;
  }

  /** A mirror's beginning; `post` is called with each change that the snapshot may lack, from now until the returned function is called. */
  async join(
    post: (update: MirrorUpdate) => void,
  ): Promise<{ readonly snapshot: MirrorUpdate; readonly leave: () => void }> {
    this.mirrors.add(post);
    // Read first: the list below holds at least as many changes.
    const count = this.count.read();
    const { entries, revision } = await this.store.list('');
    return { snapshot: { count, revision, entries }, leave: () => this.mirrors.delete(post) };
  }

  async close(): Promise<void> {
    this.closed = true;
    this.mirrors.clear();
    await this.watch?.close();
  }

  private async begin(): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }> {
    const { entries, revision } = await this.store.list('');
    this.watch = await this.store.watch(
      '',
      revision,
      (events) => this.tell(events),
      () => void this.beginAgain(),
    );
    return { entries, revision };
  }

  private tell(events: readonly StoreEvent[]): void {
    const count = this.count.add();
    const last = events.at(-1);
    if (!last) return;
    const revision = last.type === 'put' ? last.entry.revision : last.revision;
    for (const post of this.mirrors) post({ count, revision, events });
  }

  /** Some changes are not known any more: until every mirror has all entries anew, none of them is as the store is. */
  private async beginAgain(): Promise<void> {
    const count = this.count.add();
    const { entries, revision } = await this.begin();
    if (this.closed) return this.watch?.close();
    for (const post of this.mirrors) post({ count, revision, entries });
  }
}
