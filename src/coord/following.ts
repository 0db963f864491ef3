import type { Clock } from '../common/clock.ts';
import { CoordError, type CoordStore, type Entry, type StoreEvent, type Watch } from './store.ts';

const firstPauseMs = 50;
const longestPauseMs = 2_000;

/** What is told of the entries under a prefix, one call at a time. */
export interface Follower {
  /** Everything there is at this revision: at first, and again after changes were lost. */
  onEntries(entries: readonly Entry[], revision: number): void;
  /** Changes since, each once and in order. */
  onEvents(events: readonly StoreEvent[]): void;
  /** Changes were lost: what is known may be past until `onEntries` is called. */
  onLost(): void;
  /** After changes were lost: everything since the last `onEntries` is told again. If it rejects with `CoordError`, all is begun anew. */
  onFollowing?(): Promise<void>;
}

/** Lists the entries under a prefix and follows their changes; where changes were lost it lists again, as often as it takes. */
export class Following {
  private readonly clock: Clock;
  private readonly store: CoordStore;
  private readonly prefix: string;
  private readonly follower: Follower;
  private readonly ended = new AbortController();
  private watch: Watch | undefined;
  /** Of the beginnings; what an earlier one still brings is passed over. */
  private latest = 0;

  private constructor(clock: Clock, store: CoordStore, prefix: string, follower: Follower) {
    this.clock = clock;
    this.store = store;
    this.prefix = prefix;
    this.follower = follower;
  }

  /** Rejects with `CoordError` if the first list cannot be had. */
  static async open(clock: Clock, store: CoordStore, prefix: string, follower: Follower): Promise<Following> {
    const following = new Following(clock, store, prefix, follower);
    await following.begin();
    return following;
  }

  async close(): Promise<void> {
    this.ended.abort();
    await this.watch?.close();
  }

  private async begin(): Promise<void> {
    const mine = ++this.latest;
    const isPast = () => this.latest !== mine || this.ended.signal.aborted;
    const { entries, revision } = await this.store.list(this.prefix);
    if (isPast()) return;
    this.follower.onEntries(entries, revision);
    const watch = await this.store.watch(
      this.prefix,
      revision,
      (events) => {
        if (!isPast()) this.follower.onEvents(events);
      },
      () => {
        if (!isPast()) this.lose();
      },
    );
    if (isPast()) await watch.close();
    else this.watch = watch;
  }

  private lose(): void {
    this.follower.onLost();
    void this.beginAgain();
  }

  private async beginAgain(): Promise<void> {
    const { signal } = this.ended;
    let mine = this.latest;
    for (let pauseMs = firstPauseMs; !signal.aborted && this.latest === mine; ) {
      mine += 1;
      try {
        await this.begin();
        await this.follower.onFollowing?.();
        return;
      } catch (error) {
        if (!(error instanceof CoordError)) throw error;
        if (this.latest === mine) await this.watch?.close();
      }
      // Closed meanwhile: the loop ends.
      await this.clock.sleep(pauseMs, signal).catch(() => {});
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  }
}
