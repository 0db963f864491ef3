import type { Clock } from '../common/clock.ts';
import type { ProbeOptions } from './backend.ts';
import { UfsError } from './errors.ts';

type Call<Result> = (signal: AbortSignal | undefined) => Promise<Result>;

/** The calls of a probe: each is given up when it takes too long, with an error that says how slow the storage is. */
export class ProbeCalls {
  readonly #clock: Clock;
  readonly #backend: string;
  readonly #options: ProbeOptions;
  #count = 0;
  #totalMs = 0;

  constructor(clock: Clock, backend: string, options: ProbeOptions) {
    this.#clock = clock;
    this.#backend = backend;
    this.#options = options;
  }

  ask<Result>(call: Call<Result>): Promise<Result> {
    return this.#timed(call, this.#options.signal);
  }

  /** A call that is made also after the probe was given up. */
  clear<Result>(call: Call<Result>): Promise<Result> {
    return this.#timed(call, undefined);
  }

  async #timed<Result>(call: Call<Result>, whole: AbortSignal | undefined): Promise<Result> {
    const startMs = this.#clock.monotonicMs();
    try {
      return await call(withTimeout(whole, this.#options.callTimeoutMs));
    } catch (error) {
      throw error instanceof UfsError && (error.kind === 'timeout' || error.kind === 'cancelled')
        ? this.#slow(error, this.#clock.monotonicMs() - startMs)
        : error;
    } finally {
      this.#count++;
      this.#totalMs += this.#clock.monotonicMs() - startMs;
    }
  }

  #slow(cause: UfsError, tookMs: number): UfsError {
    const meanMs = Math.round((this.#totalMs + tookMs) / (this.#count + 1));
    return new UfsError('timeout', `the storage is slow: ${meanMs} ms a call`, {
      backend: this.#backend,
      cause,
    });
  }
}

function withTimeout(
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
): AbortSignal | undefined {
  if (timeoutMs === undefined) return signal;
  const timeout = AbortSignal.timeout(timeoutMs);
  return signal ? AbortSignal.any([signal, timeout]) : timeout;
}

/** The results once all of them are there; rejects, once none is under way any more, with the first error. */
export async function allDone<Result>(work: readonly Promise<Result>[]): Promise<Result[]> {
  const results = await Promise.allSettled(work);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
