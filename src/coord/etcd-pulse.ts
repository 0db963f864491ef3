import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { EtcdKeys } from './etcd-keys.ts';
import type { EtcdLink } from './etcd-link.ts';
import type { EtcdWatches } from './etcd-watches.ts';

/** How it stands with a store across the network. */
export interface StoreHealth {
  /** Undefined while it answers; otherwise for how long nothing was heard of it, milliseconds. */
  readonly silentMs: number | undefined;
  readonly reason: string | undefined;
}

/**
 * Asks etcd again and again whether it answers: by a read that takes the agreement of its members, and by a sign of life on the
 * stream of watches. So a connection that is half open, or leads to a member that is cut off from the others, is found out and
 * given up, though nobody reads or writes.
 */
export class EtcdPulse {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly link: EtcdLink;
  private readonly watches: EtcdWatches;
  private readonly keys: EtcdKeys;
  private readonly settings: { readonly pulseMs: number; readonly timeoutMs: number };
  private readonly ended = new AbortController();
  private readonly running: Promise<void>;
  private heardMs: number;
  private fault: string | undefined;

  constructor(
    clock: Clock,
    log: Log,
    link: EtcdLink,
    watches: EtcdWatches,
    keys: EtcdKeys,
    settings: { readonly pulseMs: number; readonly timeoutMs: number },
  ) {
    this.clock = clock;
    this.log = log;
    this.link = link;
    this.watches = watches;
    this.keys = keys;
    this.settings = settings;
    this.heardMs = clock.monotonicMs();
    this.running = this.run();
  }

  get health(): StoreHealth {
    const silentMs = this.clock.monotonicMs() - this.heardMs;
    // The process itself may have stood still: the next beat shows.
    const isLate = silentMs > 2 * this.settings.pulseMs + this.settings.timeoutMs;
    if (this.fault === undefined && !isLate) return { silentMs: undefined, reason: undefined };
    return { silentMs, reason: this.fault ?? 'no answer' };
  }

  async close(): Promise<void> {
    this.ended.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.ended;
    while (!signal.aborted) {
      try {
        await this.clock.sleep(this.settings.pulseMs, signal);
      } catch {
        return; // Closed.
      }
      await this.beat();
    }
  }

  private async beat(): Promise<void> {
    const { timeoutMs } = this.settings;
    const sentMs = this.clock.monotonicMs();
    const fault = await this.ask(timeoutMs);
    const wasAway = this.fault !== undefined;
    this.fault = fault;
    if (fault === undefined) this.heardMs = sentMs;
    if (this.ended.signal.aborted) return;
    if (fault !== undefined && !wasAway) {
      this.log.warn({ reason: fault }, 'etcd does not answer: the node goes on with what it knows');
    } else if (fault === undefined && wasAway) this.log.info('etcd answers again');
  }

  private async ask(timeoutMs: number): Promise<string | undefined> {
    const first = { ...this.keys.range(''), limit: 1, keys_only: true };
    try {
      await this.link.once('reach', timeoutMs, (etcd, call) => etcd.kv.range(first, call));
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    return (await this.watches.prove(timeoutMs)) ? undefined : 'the stream of changes is interrupted';
  }
}
