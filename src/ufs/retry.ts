import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';

export interface RetrySettings {
  /** Attempts in all, the first among them. */
  readonly attempts: number;
  /** The first pause is at most this long, each further one at most twice the one before; milliseconds. */
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * What may go away by itself. A call is repeated only where repeating it changes nothing at the backend, so `Backoff` is
 * for reads; a write that fails is its caller's to repeat (consistency rule 4: a late first attempt could overwrite a later write).
 */
const passing: ReadonlySet<UfsErrorKind> = new Set(['throttled', 'unavailable', 'timeout', 'io']);

/** What does not answer as it should, and will not by itself: a certificate that is not trusted, a server that is none of S3. */
function isLasting({ kind, retryable }: UfsError): boolean {
  return kind === 'unavailable' && !retryable;
}

/** Pauses between the attempts of one call: exponential, with full jitter, so that many callers do not come back as one. */
export class Backoff {
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly settings: RetrySettings;
  private failures = 0;

  constructor(clock: Clock, random: Random, settings: RetrySettings) {
    this.clock = clock;
    this.random = random;
    this.settings = settings;
  }

  /** Pauses after a failed attempt; rejects with the error itself where another attempt is of no use, or was the last. */
  async pause(error: unknown, signal?: AbortSignal): Promise<void> {
    this.failures++;
    const worthwhile = error instanceof UfsError && passing.has(error.kind) && !isLasting(error);
    if (!worthwhile || this.failures >= this.settings.attempts) throw error;
    const longestMs = Math.min(this.settings.capMs, this.settings.baseMs * 2 ** (this.failures - 1));
    try {
      await this.clock.sleep(this.random.next() * longestMs, signal);
    } catch (cause) {
      throw new UfsError('cancelled', 'the call was cancelled', {
        backend: error.backend,
        key: error.key,
        cause,
      });
    }
  }
}

/** The result of `attempt`, repeated with pauses while it rejects with what may go away by itself. */
export async function retried<Result>(
  backoff: Backoff,
  signal: AbortSignal | undefined,
  attempt: () => Promise<Result>,
): Promise<Result> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await backoff.pause(error, signal);
    }
  }
}
