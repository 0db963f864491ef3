import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import type { Backend } from '../ufs/backend.ts';
import { UfsError } from '../ufs/errors.ts';
import type { ConflictFiles } from './conflict-files.ts';
import type { Journal } from './journal.ts';
import type { PendingChain } from './pending-chain.ts';
import type { PendingEntry } from './pending-entry.ts';
import { type AttemptResult, type AttemptSettings, type Attempts, attempt } from './persist-attempt.ts';
import type { StampedVersions } from './stamped-versions.ts';

/** For attempts under way when the node ends. */
const stopMs = 1_500;
/** Between looks whether attempts may go out again. */
const heldBackMs = 100;

export interface PersisterSettings extends AttemptSettings {
  /** Changes that are brought to the storage at once. */
  readonly concurrency: number;
  /** How long a change waits for a later one of its key to take its place, at most. */
  readonly delayMs: number;
  /** Between attempts while the storage fails: from the first to the second, doubling. */
  readonly retryMs: readonly [least: number, greatest: number];
}

export interface PersisterEvents {
  /** How an attempt ended: `persisted`, `overtaken`, `superseded`, `again`, `conflict`, or `failed`. */
  attempted(result: AttemptResult['result'] | 'failed'): void;
}

/** Brings what is pending to its storage: of each key in order, several keys at once, again and again until it is there. */
export class Persister {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #journal: Journal;
  readonly #chain: PendingChain;
  readonly #inner: Backend;
  readonly #versions: StampedVersions;
  readonly #conflicts: ConflictFiles;
  readonly #settings: PersisterSettings;
  readonly #events: PersisterEvents;
  /** Keys whose turn it is, the first first. */
  readonly #ready = new Set<string>();
  /** Keys that wait for a later change, and until when, on the monotonic clock; the first to be over comes first. */
  readonly #delayed = new Map<string, number>();
  /** Keys that somebody waits for. */
  readonly #urgent = new Set<string>();
  readonly #running = new Set<string>();
  readonly #attempts = new WeakMap<PendingEntry, Attempts>();
  readonly #lastErrors = new Map<string, string>();
  readonly #stopped = new AbortController();
  readonly #openedMs: number;
  #failures = 0;
  #pausedUntilMs = 0;
  #isPausing = false;
  #isDelaying = false;

  constructor(
    clock: Clock,
    random: Random,
    log: Log,
    journal: Journal,
    chain: PendingChain,
    inner: Backend,
    versions: StampedVersions,
    conflicts: ConflictFiles,
    settings: PersisterSettings,
    events: PersisterEvents,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#journal = journal;
    this.#chain = chain;
    this.#inner = inner;
    this.#versions = versions;
    this.#conflicts = conflicts;
    this.#settings = settings;
    this.#events = events;
    this.#openedMs = clock.monotonicMs();
    chain.onAdd((entry) => this.#wake(entry.key));
    for (const key of chain.keys()) this.#wake(key);
  }

  /** Why the last attempt for a key failed. */
  lastError(key: string): string | undefined {
    return this.#lastErrors.get(key);
  }

  /** Keys whose last attempt failed; they are tried again and again. */
  get failing(): number {
    return this.#lastErrors.size;
  }

  /** Why an attempt failed that has to do with the storage, or with one of them; undefined where none failed. */
  get someError(): string | undefined {
    return this.#lastErrors.values().next().value;
  }

  /** Resolves when nothing of the key is pending. Rejects with the signal's reason. */
  async flush(key: string, signal: AbortSignal): Promise<void> {
    if (!this.#chain.newest(key)) return;
    this.#urgent.add(key);
    // Whoever waits is worth a try, however long the storage has failed.
    this.#pausedUntilMs = 0;
    this.#pump();
    await this.#chain.emptied(key, signal);
  }

  /** As `flush`, of all that is pending under a prefix by now. */
  async flushAll(prefix: string, signal: AbortSignal): Promise<void> {
    await Promise.all(this.#chain.under(prefix).map(({ key }) => this.flush(key, signal)));
  }

  /** Begins nothing any more; resolves when what is under way has ended, or soon. What has not is pending when the journal is opened again. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    const untilMs = this.#clock.monotonicMs() + stopMs;
    while (this.#running.size > 0 && this.#clock.monotonicMs() < untilMs) await this.#clock.sleep(5);
  }

  #wake(key: string): void {
    const { delayMs } = this.#settings;
    if (delayMs === Number.POSITIVE_INFINITY) return;
    if (delayMs > 0) {
      // Those who wait already wait no longer for that.
      if (!this.#delayed.has(key)) this.#delayed.set(key, this.#clock.monotonicMs() + delayMs);
      void this.#endDelays();
      return;
    }
    this.#ready.add(key);
    this.#pump();
  }

  /** One after the other, in the order in which they began: one timer for all of them. */
  async #endDelays(): Promise<void> {
    if (this.#isDelaying) return;
    this.#isDelaying = true;
    for (const [key, untilMs] of this.#delayed) {
      const ms = untilMs - this.#clock.monotonicMs();
      // What still waits when it stops is picked up when the journal is opened again.
      const isOver = await this.#clock.sleep(Math.max(0, ms), this.#stopped.signal).then(
        () => true,
        () => false,
      );
      if (!isOver) return;
      this.#delayed.delete(key);
      this.#ready.add(key);
      this.#pump();
    }
    this.#isDelaying = false;
  }

  #later(key: string, ms: number): void {
    const { signal } = this.#stopped;
    this.#clock.sleep(ms, signal).then(
      () => {
        this.#ready.add(key);
        this.#pump();
      },
      // It is picked up when the journal is opened again.
      () => undefined,
    );
  }

  #pump(): void {
    while (!this.#stopped.signal.aborted && this.#running.size < this.#settings.concurrency) {
      const mayAttempt = this.#settings.mayAttempt?.() ?? true;
      const waitMs = mayAttempt ? this.#pausedUntilMs - this.#clock.monotonicMs() : heldBackMs;
      if (waitMs > 0) {
        this.#pumpIn(waitMs);
        return;
      }
      const key = this.#next();
      if (key === undefined) return;
      this.#running.add(key);
      void this.#persist(key).finally(() => {
        this.#running.delete(key);
        this.#pump();
      });
    }
  }

  #pumpIn(ms: number): void {
    if (this.#isPausing) return;
    this.#isPausing = true;
    const go = () => {
      this.#isPausing = false;
      this.#pump();
    };
    this.#clock.sleep(ms, this.#stopped.signal).then(go, () => undefined);
  }

  #next(): string | undefined {
    for (const queue of [this.#urgent, this.#ready]) {
      for (const key of queue) {
        if (this.#running.has(key)) continue;
        this.#urgent.delete(key);
        this.#ready.delete(key);
        if (this.#chain.first(key)) return key;
      }
    }
    return undefined;
  }

  /** One step for the key's first change. */
  async #persist(key: string): Promise<void> {
    const entry = this.#chain.first(key);
    if (!entry) return;
    try {
      const left = await this.#step(entry);
      this.#failures = 0;
      this.#lastErrors.delete(key);
      if (left > 0) this.#later(key, left);
      else if (this.#chain.first(key)) this.#urgent.add(key);
    } catch (error) {
      this.#events.attempted('failed');
      this.#failed(key, error);
    }
  }

  /** Milliseconds after which the key is to be looked at again, 0 if at once. */
  async #step(entry: PendingEntry): Promise<number> {
    const attempts = this.#attemptsOf(entry);
    const isNothing =
      entry.change.type === 'delete' && entry.sent === undefined && this.#chain.isAbsent(entry.key);
    const outcome: AttemptResult = isNothing
      ? { result: 'persisted', meta: undefined }
      : await attempt(this.#clock, this.#journal, this.#inner, entry, attempts, this.#settings, () =>
          this.#chain.unsettledUntilMs(entry.key),
        );
    this.#events.attempted(outcome.result);
    if (outcome.result === 'superseded' || outcome.result === 'again') return 0;
    if (outcome.result === 'conflict') await this.#conflict(entry, outcome.present?.etag);
    // Until then a change that comes after this one could be undone by an attempt of this one, or of what went through before it.
    const untilMs = Math.max(attempts.lurkingUntilMs, this.#chain.unsettledUntilMs(entry.key));
    const lurkingMs = untilMs - this.#clock.monotonicMs();
    if (lurkingMs > 0) return lurkingMs;
    if (outcome.result === 'persisted') {
      this.#chain.setAbsent(entry.key, outcome.meta === undefined);
      if (outcome.meta) this.#versions.shown(entry.key, outcome.meta);
    }
    await this.#journal.done(entry);
    this.#chain.remove(entry);
    return 0;
  }

  #attemptsOf(entry: PendingEntry): Attempts {
    let attempts = this.#attempts.get(entry);
    if (!attempts) {
      // What went out before this one was there may still be under way.
      const lurkingUntilMs = entry.sent === undefined ? 0 : this.#openedMs + this.#settings.settleMs;
      attempts = { count: 0, lurkingUntilMs, lookedMs: Number.NEGATIVE_INFINITY };
      this.#attempts.set(entry, attempts);
    }
    return attempts;
  }

  async #conflict(entry: PendingEntry, present: string | undefined): Promise<void> {
    const path = await this.#conflicts.keep(entry);
    this.#log.error(
      { key: entry.key, chain: this.#chain.name, present, path },
      'somebody else changed an object that a write was pending for: theirs stays, ours is put aside',
    );
  }

  #failed(key: string, error: unknown): void {
    const [least, greatest] = this.#settings.retryMs;
    this.#failures++;
    this.#lastErrors.set(key, error instanceof UfsError ? `${error.kind}: ${error.message}` : String(error));
    const ms =
      Math.min(greatest, least * 2 ** Math.min(this.#failures - 1, 20)) * (0.5 + this.#random.next() / 2);
    this.#log.warn(
      { err: error, key, chain: this.#chain.name },
      'a pending change could not be persisted yet',
    );
    // A fault of the storage concerns all keys; one that lies in the change must not hold the others up.
    const isChange =
      error instanceof UfsError &&
      ['refused', 'invalid-key', 'key-conflict', 'not-implemented'].includes(error.kind);
    if (isChange || !(error instanceof UfsError)) {
      this.#later(key, greatest);
      return;
    }
    this.#pausedUntilMs = this.#clock.monotonicMs() + ms;
    this.#ready.add(key);
    this.#pump();
  }
}
