import type { StoreEvent, Watch } from './store.ts';

interface Change {
  readonly revision: number;
  readonly event: StoreEvent;
}

interface Watcher {
  readonly prefix: string;
  readonly onEvents: (events: readonly StoreEvent[]) => void;
  readonly onReset: () => void;
  waiting: StoreEvent[];
  delivering: boolean;
  closed: boolean;
}

/**
 * The latest changes of a store in this process, and those who watch them. A change is delivered before `append` returns,
 * unless the watcher is in the middle of an earlier delivery, which then goes on with it.
 */
export class ChangeLog {
  private readonly capacity: number;
  /** Every change after this revision is still in `changes`. */
  private forgottenRevision: number;
  private changes: Change[] = [];
  private readonly watchers = new Set<Watcher>();

  /** `fromRevision`: the store's revision now; nothing before it can be watched. `capacity`: changes remembered. */
  constructor(fromRevision: number, capacity: number) {
    this.forgottenRevision = fromRevision;
    this.capacity = capacity;
  }

  append(revision: number, events: readonly StoreEvent[]): void {
    for (const event of events) this.changes.push({ revision, event });
    // Trimmed in batches, so that a long life costs no copy of the array at each change.
    if (this.changes.length > this.capacity * 2) this.trim();
    for (const watcher of [...this.watchers]) {
      const seen = events.filter((event) => keyOf(event).startsWith(watcher.prefix));
      if (seen.length === 0) continue;
      watcher.waiting.push(...seen);
      deliver(watcher);
    }
  }

  watch(
    prefix: string,
    fromRevision: number,
    onEvents: (events: readonly StoreEvent[]) => void,
    onReset: () => void,
  ): Watch {
    const watcher: Watcher = { prefix, onEvents, onReset, waiting: [], delivering: false, closed: false };
    const watch: Watch = {
      close: async () => {
        watcher.closed = true;
        this.watchers.delete(watcher);
      },
    };
    if (fromRevision < this.forgottenRevision) {
      queueMicrotask(() => {
        if (!watcher.closed) onReset();
      });
      return watch;
    }
    for (const { revision, event } of this.changes) {
      if (revision > fromRevision && keyOf(event).startsWith(prefix)) watcher.waiting.push(event);
    }
    this.watchers.add(watcher);
    // The caller has its Watch in hand before the first event arrives.
    if (watcher.waiting.length > 0) queueMicrotask(() => deliver(watcher));
    return watch;
  }

  /** Nothing before `revision`, which may be an earlier one than the latest, can be watched any more: all watches are reset. */
  forget(revision: number): void {
    const watchers = [...this.watchers];
    this.close();
    this.forgottenRevision = revision;
    for (const watcher of watchers) watcher.onReset();
  }

  close(): void {
    for (const watcher of this.watchers) watcher.closed = true;
    this.watchers.clear();
    this.changes = [];
  }

  private trim(): void {
    let cut = this.changes.length - this.capacity;
    // All events of one revision are kept or forgotten together.
    const last = this.changes[cut - 1]?.revision;
    while (this.changes[cut]?.revision === last) cut++;
    this.forgottenRevision = last ?? this.forgottenRevision;
    this.changes = this.changes.slice(cut);
  }
}

function deliver(watcher: Watcher): void {
  if (watcher.delivering) return;
  watcher.delivering = true;
  try {
    while (watcher.waiting.length > 0 && !watcher.closed) {
      const events = watcher.waiting;
      watcher.waiting = [];
      watcher.onEvents(events);
    }
  } catch (error) {
    // The change is made and durable, so its writer must not see this; a watcher that throws is a programmer's error.
    queueMicrotask(() => {
      throw error;
    });
  } finally {
    watcher.delivering = false;
  }
}

function keyOf(event: StoreEvent): string {
  return event.type === 'put' ? event.entry.key : event.key;
}
