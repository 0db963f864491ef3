import type { IEvent } from 'etcd3';
import type { EtcdKeys } from './etcd-keys.ts';
import { entryOf } from './etcd-list.ts';
import type { StoreEvent } from './store.ts';

/** One who watches a prefix, and how far it has come. It outlives the streams that bring its events. */
export class EtcdWatcher {
  readonly prefix: string;
  private readonly keys: EtcdKeys;
  private readonly onEvents: (events: readonly StoreEvent[]) => void;
  private readonly onReset: () => void;
  private readonly waiters = new Set<{ readonly revision: number; readonly resolve: () => void }>();
  private over = false;
  /** The first revision that has not been delivered. */
  private next: number;

  constructor(
    keys: EtcdKeys,
    prefix: string,
    fromRevision: number,
    onEvents: (events: readonly StoreEvent[]) => void,
    onReset: () => void,
  ) {
    this.keys = keys;
    this.prefix = prefix;
    this.next = fromRevision + 1;
    this.onEvents = onEvents;
    this.onReset = onReset;
  }

  get isOver(): boolean {
    return this.over;
  }

  get nextRevision(): number {
    return this.next;
  }

  /** What came already, over an earlier stream, is passed by. All events of one revision come together. */
  take(arrived: readonly IEvent[]): void {
    const fresh = arrived.filter((event) => Number(event.kv.mod_revision) >= this.next);
    const last = fresh.at(-1);
    if (this.over || !last) return;
    this.next = Number(last.kv.mod_revision) + 1;
    guarded(() => this.onEvents(fresh.map((event) => eventOf(this.keys, event))));
    this.release();
  }

  /** There is nothing for it up to this revision, says etcd. */
  passOver(revision: number): void {
    if (revision < this.next) return;
    this.next = revision + 1;
    this.release();
  }

  /** What it has not seen cannot be had any more. */
  reset(): void {
    if (this.over) return;
    this.end();
    guarded(this.onReset);
  }

  end(): void {
    this.over = true;
    for (const waiter of this.waiters) waiter.resolve();
    this.waiters.clear();
  }

  /** Resolves when the events up to this revision have been delivered, or never will be. */
  async reached(revision: number): Promise<void> {
    if (this.over || this.next > revision) return;
    await new Promise<void>((resolve) => this.waiters.add({ revision, resolve }));
  }

  private release(): void {
    for (const waiter of this.waiters) {
      if (waiter.revision >= this.next) continue;
      this.waiters.delete(waiter);
      waiter.resolve();
    }
  }
}

/** What a watcher throws is a programmer's error, and not for the stream that others share. */
function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function eventOf(keys: EtcdKeys, event: IEvent): StoreEvent {
  const entry = entryOf(keys, event.kv);
  if (String(event.type).toUpperCase() === 'PUT') return { type: 'put', entry };
  return { type: 'delete', key: entry.key, revision: entry.revision };
}
