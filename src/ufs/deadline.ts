import type { Clock } from '../common/clock.ts';

/**
 * Ends a request that its caller gave up or that stands still. `signal` is what the request listens to; `cause` says
 * afterwards which of the two it was.
 */
export class Deadline {
  readonly #clock: Clock;
  #idleMs: number;
  #caller: AbortSignal | undefined;
  readonly #request = new AbortController();
  /** Ends the sleep of the watcher, with a reason that costs nothing to make. */
  #waking = new AbortController();
  #ended = false;
  #cause: 'timeout' | 'cancelled' | 'stopped' | undefined;
  #lastMs: number;
  #paused = false;

  /** `idleMs`: how long the backend may do nothing while it is its turn. */
  constructor(clock: Clock, idleMs: number, caller: AbortSignal | undefined) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#caller = caller;
    this.#lastMs = clock.monotonicMs();
    this.#listen();
    void this.#watch();
  }

  /** Another one is to be able to give it up from now on, or nobody. */
  follow(caller: AbortSignal | undefined): void {
    this.#caller?.removeEventListener('abort', this.#onCaller);
    this.#caller = caller;
    this.#listen();
  }

  get signal(): AbortSignal {
    return this.#request.signal;
  }

  get cause(): 'timeout' | 'cancelled' | 'stopped' | undefined {
    return this.#cause;
  }

  /** The backend did something. */
  touch(): void {
    this.#lastMs = this.#clock.monotonicMs();
  }

  /** From now on the backend may take this long. */
  allow(idleMs: number): void {
    const sooner = idleMs < this.#idleMs;
    this.#idleMs = idleMs;
    this.touch();
    // The watcher sleeps as long as it was allowed before.
    if (sooner) this.#wake();
  }

  /** It is not the backend's turn: its client is slow to send or to take. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.touch();
  }

  /** Breaks the request off for the caller's own reasons. */
  stop(): void {
    this.#abort('stopped');
  }

  /** The request is over; nothing is watched any more. */
  end(): void {
    this.#ended = true;
    this.#wake();
    this.#caller?.removeEventListener('abort', this.#onCaller);
  }

  #listen(): void {
    if (this.#caller?.aborted) this.#onCaller();
    else this.#caller?.addEventListener('abort', this.#onCaller, { once: true });
  }

  readonly #onCaller = (): void => this.#abort('cancelled');

  #abort(cause: 'timeout' | 'cancelled' | 'stopped'): void {
    this.#cause ??= cause;
    this.#request.abort();
  }

  #wake(): void {
    const waking = this.#waking;
    if (!this.#ended) this.#waking = new AbortController();
    waking.abort('woken');
  }

  async #watch(): Promise<void> {
    while (!this.#ended) {
      const leftMs = this.#paused ? this.#idleMs : this.#lastMs + this.#idleMs - this.#clock.monotonicMs();
      if (leftMs <= 0) return this.#abort('timeout');
      try {
        await this.#clock.sleep(leftMs, this.#waking.signal);
      } catch {
        // Woken: the request is over, or what it is allowed has changed.
      }
    }
  }
}
