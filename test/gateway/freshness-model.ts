/** A version's number; `absent` where there is no object. */
export type State = number | 'absent';

interface Stretch {
  readonly state: State;
  /** It cannot have been seen before: when the change that made it began. */
  readonly fromMs: number;
  /** It cannot have been seen after: when the change that ended it was over. */
  toMs: number;
  /** When the one who made it through the gateway was told so. */
  acknowledgedMs: number;
}

/** What one reader saw of one key. */
export interface Sight {
  readonly key: string;
  readonly what: string;
  readonly startMs: number;
  readonly endMs: number;
  /** How old what is there, and what is not, may be. */
  readonly limitMs: number;
  readonly absentLimitMs: number;
  /** What the answer says of its own age, by the clock of the rest. */
  readonly validatedMs?: number;
  readonly seen: { readonly state: State } | { readonly etag: string } | { readonly error: string };
}

/** For what clocks leave away. */
const slackMs = 3;
/** What the storage refused in an outage may be heard of later, and be shared by readers who come in between. */
const heardWithinMs = 1_000;

/** What was at the storage when, by the one who put it there: each key is changed by one writer, one change after the other. */
export class StorageHistory {
  readonly #keys = new Map<string, Stretch[]>();
  readonly #etags = new Map<string, number>();
  /** When the way to the storage was made to fail. */
  readonly #outages: { readonly fromMs: number; toMs: number }[] = [];
  readonly sights: Sight[] = [];

  nowMs(): number {
    return performance.now();
  }

  /** Runs a change of a key at the storage, or through the gateway (`own`), whose result is the new version's ETag. */
  async change(
    key: string,
    state: State,
    own: boolean,
    work: () => Promise<string | undefined>,
  ): Promise<void> {
    const stretches = this.#keys.get(key) ?? [this.#stretch('absent', 0)];
    this.#keys.set(key, stretches);
    const before = stretches.at(-1);
    const made = this.#stretch(state, this.nowMs());
    stretches.push(made);
    const etag = await work();
    if (before) before.toMs = this.nowMs();
    if (own) made.acknowledgedMs = this.nowMs();
    if (etag !== undefined && typeof state === 'number') this.#etags.set(etag, state);
  }

  async outage(work: () => Promise<void>): Promise<void> {
    const outage = { fromMs: this.nowMs(), toMs: Number.POSITIVE_INFINITY };
    this.#outages.push(outage);
    await work();
    outage.toMs = this.nowMs();
  }

  /** What is wrong with what was seen, one line each. */
  violations(): string[] {
    return this.sights.flatMap((sight) => {
      const problem = this.#problem(sight);
      return problem === undefined ? [] : [`${sight.what} of ${sight.key}: ${problem}`];
    });
  }

  #stretch(state: State, fromMs: number): Stretch {
    return { state, fromMs, toMs: Number.POSITIVE_INFINITY, acknowledgedMs: Number.POSITIVE_INFINITY };
  }

  #problem(sight: Sight): string | undefined {
    const { seen, startMs, endMs } = sight;
    if ('error' in seen) {
      const failing = this.#outages.some(
        ({ fromMs, toMs }) => fromMs <= endMs && toMs + heardWithinMs >= startMs,
      );
      const known = failing
        ? /^(500 InternalError|403 AccessDenied|503 |cut)/
        : /^(503 ServiceUnavailable|cut)/;
      return known.test(seen.error) ? undefined : `the answer was ${seen.error}`;
    }
    const state = 'etag' in seen ? this.#etags.get(seen.etag) : seen.state;
    if (state === undefined) return `the ETag ${'etag' in seen ? seen.etag : ''} is of no version`;
    const limitMs = state === 'absent' ? sight.absentLimitMs : sight.limitMs;
    const { validatedMs } = sight;
    if (validatedMs !== undefined && startMs - validatedMs > limitMs + slackMs) {
      return `it was validated ${startMs - validatedMs} ms before, and ${limitMs} are allowed`;
    }
    const sinceMs = Math.max(startMs - limitMs, validatedMs ?? 0) - slackMs;
    if (this.#wasSo(sight.key, state, sinceMs, startMs, endMs)) return undefined;
    return `${state} was not so within the last ${Math.round(endMs - sinceMs)} ms`;
  }

  /** Whether the key was in this state at some time of the window, and nothing later had been acknowledged before the reader came. */
  #wasSo(key: string, state: State, sinceMs: number, startMs: number, endMs: number): boolean {
    const stretches = this.#keys.get(key) ?? [this.#stretch('absent', 0)];
    const oldest = stretches.findLastIndex(({ acknowledgedMs }) => acknowledgedMs < startMs);
    return stretches.some(
      (one, index) =>
        one.state === state && index >= oldest && one.toMs >= sinceMs && one.fromMs <= endMs + slackMs,
    );
  }
}
