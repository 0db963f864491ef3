import type { Clock } from '../common/clock.ts';
import type { CallOptions } from '../ufs/backend.ts';
import { Deadline } from '../ufs/deadline.ts';
import { UfsError } from '../ufs/errors.ts';
import { checkSignal } from '../ufs/write-rules.ts';
import type { Persister } from './persister.ts';

/** Waits for what is pending, and not for ever. Kinds: throttled, cancelled. */
export class Barrier {
  readonly #clock: Clock;
  readonly #persister: Persister;
  readonly #uri: string;
  readonly #maxMs: number;

  constructor(clock: Clock, persister: Persister, uri: string, maxMs: number) {
    this.#clock = clock;
    this.#persister = persister;
    this.#uri = uri;
    this.#maxMs = maxMs;
  }

  flush(key: string, { signal }: CallOptions): Promise<void> {
    return this.#within(signal, key, (until) => this.#persister.flush(key, until));
  }

  flushAll(prefix: string, { signal }: CallOptions): Promise<void> {
    return this.#within(signal, undefined, (until) => this.#persister.flushAll(prefix, until));
  }

  async #within(
    signal: AbortSignal | undefined,
    key: string | undefined,
    work: (until: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const deadline = new Deadline(this.#clock, this.#maxMs, signal);
    try {
      await work(deadline.signal);
    } catch (error) {
      checkSignal(signal, this.#uri, key);
      if (deadline.cause !== 'timeout') throw error;
      throw new UfsError('throttled', 'earlier writes wait for the storage', { backend: this.#uri, key });
    } finally {
      deadline.end();
    }
  }
}
