import type { Clock } from '../common/clock.ts';
import { Following } from './following.ts';
import type { CoordStore, Entry, StoreEvent } from './store.ts';

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
 * Tells mirrors in other threads of each change of a store. A change is counted when the store delivers it to its watchers, which every
 * store does before the call that makes the change returns: so whoever finds a mirror to have taken as many changes as
 * were counted sees every change that was answered before.
 */
export class MirrorFeed {
  private readonly store: CoordStore;
  private readonly count: ChangeCount;
  private readonly mirrors = new Set<(update: MirrorUpdate) => void>();
  private following: Following | undefined;

  private constructor(store: CoordStore, count: ChangeCount) {
    this.store = store;
    this.count = count;
  }

  static async open(clock: Clock, store: CoordStore, count: ChangeCount): Promise<MirrorFeed> {
    const feed = new MirrorFeed(store, count);
    feed.following = await Following.open(clock, store, '', {
      // Each mirror gets a list of its own, made when it joins.
      onEntries: () => {},
      onEvents: (events) => feed.tell(events),
      // Until every mirror has all entries anew, none of them is as the store is.
      onLost: () => void feed.count.add(),
      onFollowing: () => feed.tellAll(),
    });
    return feed;
  }

  /** A mirror's beginning; `post` is called with each change that the snapshot may lack, from now until the returned function is called. Rejects with `CoordError`. */
  async join(
    post: (update: MirrorUpdate) => void,
  ): Promise<{ readonly snapshot: MirrorUpdate; readonly leave: () => void }> {
    this.mirrors.add(post);
    try {
      return { snapshot: await this.snapshot(), leave: () => this.mirrors.delete(post) };
    } catch (error) {
      this.mirrors.delete(post);
      throw error;
    }
  }

  /** From now on no mirror counts as current, until `resume`. */
  suspend(): void {
    this.count.add();
  }

  /** Tells every mirror everything. Rejects with `CoordError` if the store cannot be listed; the mirrors stay as they are then. */
  async resume(): Promise<void> {
    await this.tellAll();
  }

  async close(): Promise<void> {
    this.mirrors.clear();
    await this.following?.close();
  }

  private tell(events: readonly StoreEvent[]): void {
    const count = this.count.add();
    const last = events.at(-1);
    if (!last) return;
    const revision = last.type === 'put' ? last.entry.revision : last.revision;
    for (const post of this.mirrors) post({ count, revision, events });
  }

  /**
   * By a list that is made when changes are followed again: a change that was answered in between, when nobody waited for its
   * delivery, is in it.
   */
  private async tellAll(): Promise<void> {
    const update = await this.snapshot();
    for (const post of this.mirrors) post(update);
  }

  private async snapshot(): Promise<MirrorUpdate & { readonly entries: readonly Entry[] }> {
    // Read first: the list holds at least as many changes.
    const count = this.count.read();
    const { entries, revision } = await this.store.list('');
    return { count, revision, entries };
  }
}
