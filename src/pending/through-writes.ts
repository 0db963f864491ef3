import type { Clock } from '../common/clock.ts';
import type { ObjectMeta, UploadBody } from '../common/object-meta.ts';
import type { Backend, CallOptions, PutOptions } from '../ufs/backend.ts';
import { UfsError } from '../ufs/errors.ts';
import { FileSystemError } from '../ufs/file-system.ts';
import type { KeyLock } from '../ufs/key-lock.ts';
import { checkCondition, checkSignal, nextModifiedMs } from '../ufs/write-rules.ts';
import { Barrier } from './barrier.ts';
import type { Journal } from './journal.ts';
import type { PendingChain } from './pending-chain.ts';
import type { PendingEntry } from './pending-entry.ts';
import type { Persister } from './persister.ts';
import { type Spool, type Spooled, spooledBody } from './spool.ts';
import { formatNote } from './stamp.ts';
import type { StampedVersions } from './stamped-versions.ts';

export interface ThroughSettings {
  /** Whether writes may be acknowledged from the journal by now; whatever it says, they come behind what is pending. */
  readonly isBack: () => boolean;
  /** How long what goes behind pending changes of its key waits for them. */
  readonly barrierMs: number;
  /** How long after it failed a change without an answer may still take effect. */
  readonly settleMs: number;
}

/** Changes that the storage decides itself, each behind what is pending of its key. */
export class ThroughWrites {
  readonly barrier: Barrier;
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #chain: PendingChain;
  readonly #stamped: StampedVersions;
  readonly #spool: Spool;
  readonly #inner: Backend;
  readonly #lock: KeyLock;
  readonly #settings: ThroughSettings;
  readonly #stopped = new AbortController();

  /** `lock` orders the changes of each key, those that are acknowledged from the journal too. */
  constructor(
    clock: Clock,
    journal: Journal,
    chain: PendingChain,
    persister: Persister,
    stamped: StampedVersions,
    spool: Spool,
    inner: Backend,
    lock: KeyLock,
    settings: ThroughSettings,
  ) {
    this.#clock = clock;
    this.#journal = journal;
    this.#chain = chain;
    this.#stamped = stamped;
    this.#spool = spool;
    this.#inner = inner;
    this.#lock = lock;
    this.#settings = settings;
    this.barrier = new Barrier(clock, persister, inner.uri, settings.barrierMs);
    for (const entry of journal.throughs) {
      if (entry.change.chain === chain.name && !entry.isOver) this.#leaveUnsettled(entry.key, entry);
    }
  }

  /** Waits for nothing any more. */
  stop(): void {
    this.#stopped.abort();
  }

  /** The body is taken first, so that a slow client holds nobody up. `head` tells what is there for whoever asks. */
  async put(
    key: string,
    body: UploadBody,
    options: PutOptions,
    head: () => Promise<ObjectMeta>,
  ): Promise<ObjectMeta> {
    const { condition } = options;
    if (condition) await this.#refuseEarly(key, options, head);
    if (!this.#journal.reserve(body.sizeBytes)) return this.putAsItComes(key, body, options);
    let spooled: Spooled | undefined;
    try {
      spooled = await this.#spool.take(key, body, options);
      const taken = spooledBody(this.#journal, spooled, this.#inner.uri, key);
      const ready = await this.hooked(key, options);
      const { meta } = spooled;
      return await this.run(key, ready, async (entry) => {
        // The id of a version that is kept is its generation.
        const isNoted = entry && !ready.versioning && ready.stamp === undefined;
        const stamp = isNoted ? this.#noteOf(key, meta.etag, entry) : ready.stamp;
        return this.#stamped.shown(key, await this.#inner.put(key, taken, { ...ready, stamp }));
      });
    } finally {
      await spooled?.discard();
      this.#journal.release(body.sizeBytes);
    }
  }

  async putAsItComes(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    const put = async () => this.#stamped.shown(key, await this.#inner.put(key, body, options));
    this.#chain.setAbsent(key, false);
    return this.#chain.newest(key) ? this.run(key, options, put) : this.#watched(key, put);
  }

  /**
   * Runs what is to run before a commit ahead of the wait for other changes of the key, which it may wait for itself. Where nothing is waited for it
   * is left to the storage.
   */
  async hooked<T extends Pick<PutOptions, 'beforeCommit'>>(key: string, options: T): Promise<T> {
    if (!this.#settings.isBack() && !this.#chain.newest(key)) return options;
    await options.beforeCommit?.();
    return { ...options, beforeCommit: undefined };
  }

  /** Runs a change of the storage's own when nothing of the key is pending, and keeps other changes of the key out meanwhile. */
  async run<T>(
    key: string,
    options: CallOptions,
    work: (entry: PendingEntry | undefined) => Promise<T>,
  ): Promise<T> {
    checkSignal(options.signal, this.#inner.uri, key);
    checkWhole(this.#journal, this.#inner.uri);
    this.#chain.setAbsent(key, false);
    if (!this.#settings.isBack() && !this.#chain.newest(key)) return this.#watched(key, work);
    return this.#lock.run(key, async () => {
      await this.barrier.flush(key, options);
      this.#chain.setAbsent(key, false);
      return this.#watched(key, work);
    });
  }

  /**
   * As `run`, of a change that leaves nothing: only once whatever was sent before and may still take effect has had its time, since then it would
   * find what it takes.
   */
  remove<T>(key: string, options: CallOptions, work: () => Promise<T>): Promise<T> {
    return this.run(key, options, async () => {
      if (this.#settings.isBack()) await this.#settled(key, options);
      return work();
    });
  }

  async #settled(key: string, { signal }: CallOptions): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + this.#settings.barrierMs;
    for (;;) {
      const nowMs = this.#clock.monotonicMs();
      const leftMs = this.#chain.unsettledUntilMs(key) - nowMs;
      if (leftMs <= 0) return;
      if (nowMs + leftMs > untilMs) {
        const message = 'an earlier change may still be on its way to the storage';
        throw new UfsError('throttled', message, { backend: this.#inner.uri, key });
      }
      await this.#clock.sleep(leftMs, signal).catch(() => undefined);
      checkSignal(signal, this.#inner.uri, key);
    }
  }

  /** By what later changes know that this one is ours, should it take effect after nobody waits for it any more. */
  #noteOf(key: string, etag: string, { stamp }: PendingEntry): string {
    const lastModifiedMs = nextModifiedMs(this.#clock.nowMs(), this.#stamped.lastModifiedMs(key));
    return formatNote(key, { stamp, etag, lastModifiedMs });
  }

  /**
   * A change of the storage's own. As long as nobody knows what became of it, what comes after it stays pending: absence comes back after a
   * DELETE, so that a change that nobody hears of any more could take effect then.
   */
  async #watched<T>(key: string, work: (entry: PendingEntry | undefined) => Promise<T>): Promise<T> {
    const entry = await this.#recorded(key);
    let isResolved = true;
    try {
      return await work(entry);
    } catch (error) {
      isResolved = error instanceof UfsError && !error.unresolved;
      throw error;
    } finally {
      if (!isResolved) this.#leaveUnsettled(key, entry);
      else if (entry) void this.#journal.ended(entry);
    }
  }

  /** What is not on the disk holds as long as this process; of a mount in another mode that is enough, and so it is where there is no room. */
  async #recorded(key: string): Promise<PendingEntry | undefined> {
    if (!this.#settings.isBack()) return undefined;
    try {
      return await this.#journal.through(this.#chain.name, key, this.#clock.nowMs());
    } catch (error) {
      if (error instanceof FileSystemError) return undefined;
      throw error;
    }
  }

  #leaveUnsettled(key: string, entry: PendingEntry | undefined): void {
    const { settleMs } = this.#settings;
    this.#chain.setUnsettled(key, this.#clock.monotonicMs() + settleMs);
    // Where the process ends before, the next one waits as long again.
    if (entry)
      this.#clock.sleep(settleMs, this.#stopped.signal).then(
        () => this.#journal.ended(entry),
        () => undefined,
      );
  }

  /** The condition is the storage's to decide; this is to spare a body its way. */
  async #refuseEarly(key: string, { condition }: PutOptions, head: () => Promise<ObjectMeta>): Promise<void> {
    let present: ObjectMeta | undefined;
    try {
      present = await head();
    } catch (error) {
      if (!(error instanceof UfsError) || error.kind === 'cancelled') throw error;
      if (error.kind !== 'not-found') return;
    }
    checkCondition(condition, present, this.#inner.uri, key);
  }
}

/** What was acknowledged and cannot be read any more is not passed over in silence. */
export function checkWhole(journal: Journal, uri: string): void {
  if (journal.lost.length === 0) return;
  const message = 'records of acknowledged writes cannot be read: see forebay pending list';
  throw new UfsError('unavailable', message, { backend: uri, retryable: false });
}
