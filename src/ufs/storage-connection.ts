import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { Deadline } from './deadline.ts';
import { UfsError } from './errors.ts';
import { AdaptiveLimit, type LimitSettings, type Permit } from './limit.ts';
import { Backoff, type RetrySettings } from './retry.ts';

/** What a mount's calls keep to, whatever the storage. */
export interface CallTuning {
  /** How long the storage may do nothing while it is its turn. */
  readonly idleTimeoutMs: number;
  /** A body that comes more slowly than this, over `idleTimeoutMs` of the storage's own time, counts as standing still; 0: none does. */
  readonly minBytesPerSecond: number;
  /** Calls at once, of reads and of writes each; the limit moves between the least and the most. */
  readonly initialConcurrency: number;
  readonly minConcurrency: number;
  readonly maxConcurrency: number;
  readonly maxQueued: number;
  readonly maxWaitMs: number;
  readonly retry: RetrySettings;
}

/** For whom a call is made: what messages tell of it, and until when it is wanted. */
export interface StorageCall {
  /** The storage's own word for what is asked for. */
  readonly operation: string;
  readonly key?: string;
  readonly signal?: AbortSignal;
  /** Of a change: called when it is its turn, each time before something is sent. What it rejects with is passed on as it is. */
  readonly beforeCommit?: () => Promise<void>;
}

/** The calls of one mount to a storage over HTTP: how many at once, for how long, and how often. What is said in them is each storage's own. */
export class StorageConnection<Tuning extends CallTuning> {
  readonly uri: string;
  readonly tuning: Tuning;
  readonly clock: Clock;
  readonly reads: AdaptiveLimit;
  readonly writes: AdaptiveLimit;
  readonly #random: Random;

  constructor(clock: Clock, random: Random, uri: string, tuning: Tuning) {
    this.uri = uri;
    this.tuning = tuning;
    this.clock = clock;
    this.#random = random;
    // A copy through this process reads and writes at once: with one limit for both, readers could wait for each other.
    this.reads = new AdaptiveLimit(clock, limitSettings(uri, tuning));
    this.writes = new AdaptiveLimit(clock, limitSettings(uri, tuning));
  }

  backoff(): Backoff {
    return new Backoff(this.clock, this.#random, this.tuning.retry);
  }

  deadline(signal: AbortSignal | undefined): Deadline {
    return new Deadline(this.clock, this.tuning.idleTimeoutMs, signal);
  }

  /** Runs `work` with a permit of `limit`. */
  async under<Result>(
    limit: AdaptiveLimit,
    signal: AbortSignal | undefined,
    work: (permit: Permit) => Promise<Result>,
  ): Promise<Result> {
    const permit = await limit.acquire(signal);
    try {
      return await work(permit);
    } finally {
      permit.release();
    }
  }

  /** The fault of a call that its deadline has ended; undefined where it was not the deadline. */
  protected endedBy(
    { cause }: Pick<Deadline, 'cause'>,
    { operation, key, signal }: StorageCall,
    unresolved: boolean,
  ): UfsError | undefined {
    const details = { backend: this.uri, key, unresolved };
    if (cause === 'cancelled') {
      const message = `${operation}: the call was cancelled`;
      return new UfsError('cancelled', message, { ...details, cause: signal?.reason });
    }
    if (cause !== 'timeout') return undefined;
    return new UfsError('timeout', `${operation}: the storage did not go on in time`, details);
  }
}

/** For calls of one kind at a storage. */
export function limitSettings(backend: string, tuning: CallTuning): LimitSettings {
  return {
    backend,
    initial: tuning.initialConcurrency,
    minimum: tuning.minConcurrency,
    maximum: tuning.maxConcurrency,
    maxQueued: tuning.maxQueued,
    maxWaitMs: tuning.maxWaitMs,
    cutIntervalMs: 1_000,
    idleMs: 100,
    maxLent: tuning.maxConcurrency,
  };
}

/** Tells the limit of complaints. */
export async function noting<Result>(permit: Permit, attempt: () => Promise<Result>): Promise<Result> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof UfsError && error.kind === 'throttled') permit.throttled();
    throw error;
  }
}
