import type { ReadinessPart } from '../admin/readiness.ts';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import { CoordError } from '../coord/store.ts';
import { UfsError } from '../ufs/errors.ts';
import { CommandError } from './errors.ts';

const firstPauseMs = 250;
const longestPauseMs = 2_000;

/**
 * What a node needs while it starts may be away for a while, or slow: it is tried again until it answers. Meanwhile the log and `/readyz` say what is
 * waited for. What waiting does not mend ends the start.
 */
export class Patience {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop: AbortSignal;
  #waitingFor: string | undefined;

  /** `stop` ends the waiting. */
  constructor(clock: Clock, log: Log, stop: AbortSignal) {
    this.#clock = clock;
    this.#log = log;
    this.#stop = stop;
  }

  readiness(): ReadinessPart {
    const reasonNotReady = this.#waitingFor && `waiting for ${this.#waitingFor}`;
    return { reasonNotReady, details: {} };
  }

  /**
   * Runs a step, again where it rejects because something is away for the moment; nothing of a step that failed is left. `what`: as an operator
   * names what it needs. Rejects with `CommandError` where the same would come of each try, with any other error of the step, or with the signal's reason.
   */
  async until<T>(what: string, step: () => Promise<T>): Promise<T> {
    let said: string | undefined;
    try {
      for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
        const tried = await this.#try(step);
        if ('done' in tried) return tried.done;
        const { reason } = tried;
        this.#waitingFor = `${what}: ${reason}`;
        if (reason !== said) this.#log.warn({ reason }, `waiting for ${what}`);
        said = reason;
        await this.#clock.sleep(pauseMs, this.#stop);
      }
    } finally {
      this.#waitingFor = undefined;
    }
  }

  async #try<T>(step: () => Promise<T>): Promise<{ readonly done: T } | { readonly reason: string }> {
    try {
      return { done: await this.#orStopped(step()) };
    } catch (error) {
      if (this.#stop.aborted) throw this.#stop.reason;
      const reason = passing(error);
      if (reason === undefined) throw error;
      return { reason };
    }
  }

  /** Whoever is asked to end does not wait for an answer that may be long in coming. */
  async #orStopped<T>(step: Promise<T>): Promise<T> {
    const over = new AbortController();
    const stopped = new Promise<never>((_, reject) => {
      if (this.#stop.aborted) reject(this.#stop.reason);
      this.#stop.addEventListener('abort', () => reject(this.#stop.reason), {
        once: true,
        signal: over.signal,
      });
    });
    stopped.catch(() => {});
    try {
      return await Promise.race([step, stopped]);
    } finally {
      over.abort();
      step.catch(() => {});
    }
  }
}

/** Why something is away at the moment; undefined if that is not what is wrong. Throws `CommandError` for what only a person can mend. */
function passing(error: unknown): string | undefined {
  if (error instanceof CoordError) return error.kind === 'unavailable' ? mendable(error) : undefined;
  const isSlow = error instanceof UfsError && ['timeout', 'cancelled', 'throttled'].includes(error.kind);
  return isSlow ? error.message : undefined;
}

/** What a name, a certificate or a password that is wrong leads to, in the words of etcd's client and of OpenSSL. */
const mistakes: readonly (readonly [RegExp, string])[] = [
  [
    /etcd refuses this user|authentication is not enabled/,
    'check FOREBAY_ETCD_USER and FOREBAY_ETCD_PASSWORD, and what that user may',
  ],
  [/Name resolution failed|ENOTFOUND/, 'check FOREBAY_ETCD_ENDPOINTS: there is no such host'],
  [/Protocol error/, 'check FOREBAY_ETCD_ENDPOINTS: what listens there is no etcd'],
  [
    /unable to (verify|get)|self.signed certificate|certificate has expired|alert (bad certificate|unknown ca|certificate)|not in the cert|wrong version number|packet length too long/i,
    'check FOREBAY_ETCD_ENDPOINTS, FOREBAY_ETCD_CA_FILE, FOREBAY_ETCD_CERT and FOREBAY_ETCD_KEY',
  ],
];

function mendable({ message }: CoordError): string {
  const mistake = mistakes.find(([words]) => words.test(message));
  if (!mistake) return message;
  throw new CommandError(`${message}; ${mistake[1]}`);
}
