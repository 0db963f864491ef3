import type { IWatchResponse } from 'etcd3';
import type { EtcdKeys } from './etcd-keys.ts';
import type { EtcdWatchStream } from './etcd-link.ts';
import type { EtcdWatcher } from './etcd-watcher.ts';

/** The watchers on one stream, from its beginning to its end. */
export class EtcdWatchSession {
  /** Resolves when the stream has ended, for whatever reason. */
  readonly over: Promise<void>;
  private readonly stream: EtcdWatchStream;
  private readonly keys: EtcdKeys;
  private readonly onAnswer: (answer: IWatchResponse) => void;
  /** Asked for and not yet answered, in the order in which etcd answers. */
  private readonly asked: EtcdWatcher[] = [];
  private readonly byId = new Map<string, EtcdWatcher>();
  private listeners: (() => void)[] = [];
  private finish: () => void = () => {};
  private ended = false;

  constructor(stream: EtcdWatchStream, keys: EtcdKeys, onAnswer: (answer: IWatchResponse) => void) {
    this.stream = stream;
    this.keys = keys;
    this.onAnswer = onAnswer;
    this.over = new Promise((resolve) => {
      this.finish = resolve;
    });
    stream.on('data', (answer) => this.take(answer));
    // What the error says is of no use to a watcher: it goes on over another stream.
    stream.on('error', () => this.end());
    stream.on('end', () => this.end());
  }

  /** Begins it behind what it has seen. */
  add(watcher: EtcdWatcher): void {
    if (this.ended) return;
    this.asked.push(watcher);
    this.stream.write({
      create_request: {
        ...this.keys.range(watcher.prefix),
        start_revision: String(watcher.nextRevision),
        progress_notify: true,
      },
    });
  }

  remove(watcher: EtcdWatcher): void {
    for (const [id, one] of this.byId) if (one === watcher) this.cancel(id);
  }

  /** Resolves with the next answer of any kind; asks for one. */
  ask(): Promise<void> {
    return new Promise((resolve) => {
      this.listeners.push(resolve);
      if (!this.ended) this.stream.write({ progress_request: {} });
    });
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.stream.cancel();
    this.finish();
  }

  private take(answer: IWatchResponse): void {
    if (this.ended) return;
    this.onAnswer(answer);
    const listeners = this.listeners;
    this.listeners = [];
    for (const heard of listeners) heard();
    if (answer.created) this.begin(answer);
    else if (answer.canceled) this.lose(answer);
    else this.deliver(answer);
  }

  private begin(answer: IWatchResponse): void {
    const watcher = this.asked.shift();
    if (!watcher || answer.canceled) {
      this.refused(watcher, answer);
      return;
    }
    this.byId.set(answer.watch_id, watcher);
    if (watcher.isOver) this.cancel(answer.watch_id);
    // The store has gone back behind what was seen, as after a restore: nothing that was seen counts any more.
    else if (Number(answer.header.revision) < watcher.nextRevision - 1) {
      this.cancel(answer.watch_id);
      watcher.reset();
    }
  }

  private deliver(answer: IWatchResponse): void {
    const watcher = this.byId.get(answer.watch_id);
    if (!watcher) return;
    if (answer.events.length > 0) watcher.take(answer.events);
    // Told of this watch by itself, when it has caught up. An answer to `ask` may be ahead of what is on its way.
    else watcher.passOver(Number(answer.header.revision));
  }

  private lose(answer: IWatchResponse): void {
    const watcher = this.byId.get(answer.watch_id);
    this.byId.delete(answer.watch_id);
    if (!watcher || watcher.isOver) return;
    if (Number(answer.compact_revision) > 0) watcher.reset();
    else this.end();
  }

  /** Without rights, or with a token that has run out: a new connection asks for a new one. */
  private refused(watcher: EtcdWatcher | undefined, answer: IWatchResponse): void {
    if (watcher && Number(answer.compact_revision) > 0) watcher.reset();
    else this.end();
  }

  private cancel(id: string): void {
    this.byId.delete(id);
    this.stream.write({ cancel_request: { watch_id: id } });
  }
}
