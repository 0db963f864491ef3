import type { IWatchResponse } from 'etcd3';
import type { Clock } from '../common/clock.ts';
import type { EtcdKeys } from './etcd-keys.ts';
import type { EtcdLink } from './etcd-link.ts';
import { EtcdWatchSession } from './etcd-watch-session.ts';
import { EtcdWatcher } from './etcd-watcher.ts';
import { CoordError, type StoreEvent, type Watch } from './store.ts';

const firstPauseMs = 50;
const longestPauseMs = 1000;
const maxWatchers = 1000;

/** All watches of a store, over one stream at a time. When that is lost, each goes on in the next one behind what it has delivered. */
export class EtcdWatches {
  private readonly clock: Clock;
  private readonly link: EtcdLink;
  private readonly keys: EtcdKeys;
  private readonly watchers = new Set<EtcdWatcher>();
  private readonly ended = new AbortController();
  private session: EtcdWatchSession | undefined;
  private running: Promise<void> | undefined;

  constructor(clock: Clock, link: EtcdLink, keys: EtcdKeys) {
    this.clock = clock;
    this.link = link;
    this.keys = keys;
  }

  watch(
    prefix: string,
    fromRevision: number,
    onEvents: (events: readonly StoreEvent[]) => void,
    onReset: () => void,
  ): Watch {
    if (this.watchers.size >= maxWatchers) throw new CoordError('unavailable', 'there are too many watches');
    const watcher = new EtcdWatcher(this.keys, prefix, fromRevision, onEvents, () => {
      this.watchers.delete(watcher);
      onReset();
    });
    this.watchers.add(watcher);
    this.running ??= this.run();
    this.session?.add(watcher);
    return {
      close: async () => {
        watcher.end();
        this.watchers.delete(watcher);
        this.session?.remove(watcher);
      },
    };
  }

  /** Resolves when all who watch this key have been told of its change at this revision; rejects with the signal's reason. */
  async told(key: string, revision: number, signal: AbortSignal): Promise<void> {
    const concerned = [...this.watchers].filter(({ prefix }) => key.startsWith(prefix));
    const waiting = concerned.map((watcher) => watcher.reached(revision));
    const stop = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      if (signal.aborted) reject(signal.reason);
    });
    await Promise.race([Promise.all(waiting), stop]);
  }

  /** Resolves when the stream has given a sign of life that was asked for now, or there is none to ask. Gives it up if that takes too long. */
  async prove(timeoutMs: number): Promise<boolean> {
    const { session } = this;
    if (!session) return this.watchers.size === 0;
    const done = new AbortController();
    const late = this.clock.sleep(timeoutMs, done.signal).then(
      () => false,
      () => false,
    );
    const alive = await Promise.race([session.ask().then(() => true), session.over.then(() => false), late]);
    done.abort();
    if (!alive) session.end();
    return alive;
  }

  async close(): Promise<void> {
    this.ended.abort();
    for (const watcher of this.watchers) watcher.end();
    this.watchers.clear();
    this.session?.end();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.ended;
    let pauseMs = firstPauseMs;
    while (!signal.aborted) {
      const heard = await this.follow();
      pauseMs = heard ? firstPauseMs : Math.min(pauseMs * 2, longestPauseMs);
      // Closed while it waits: the loop ends.
      await this.clock.sleep(pauseMs, signal).catch(() => {});
    }
  }

  /** From one connection to its end. True if etcd answered over it. */
  private async follow(): Promise<boolean> {
    let opened: Awaited<ReturnType<EtcdLink['openWatch']>>;
    try {
      opened = await this.link.openWatch();
    } catch (error) {
      // Tried again: whoever watches learns from the store's health that it hears nothing at the moment.
      if (error instanceof CoordError) return false;
      throw error;
    }
    let heard = false;
    const session = new EtcdWatchSession(opened.stream, this.keys, (_answer: IWatchResponse) => {
      heard = true;
    });
    this.session = session;
    for (const watcher of this.watchers) session.add(watcher);
    if (this.ended.signal.aborted) session.end();
    await session.over;
    this.session = undefined;
    opened.drop();
    return heard;
  }
}
