import type { Clock } from '../../common/clock.ts';
import { nextTurn } from '../../common/next-turn.ts';
import { UfsError } from '../../ufs/errors.ts';
import type { BackUploads } from '../back-uploads.ts';
import type { Journal, JournalCopies, NewChange } from '../journal.ts';
import { PendingChain } from '../pending-chain.ts';
import type { PendingEntry } from '../pending-entry.ts';
import type { Persister } from '../persister.ts';
import type { StampPair } from '../records.ts';
import { CopyEnded, type CopyWriter } from './copy-writer.ts';
import { type HeldEntries, nameOf } from './held-copy.ts';
import type { CopyName } from './set-folder.ts';
import type { SetRecord } from './set-record.ts';

/** How long a client waits for the copies of its write, and how much longer for each byte: copies that stand still are replaced before. */
const storeMs = 8_000;
const storeMsPerByte = 1 / 1024;
/** A copy that has been silent for longer gets no more writes that a client waits for. */
const patienceMs = 300;
const retryMs = 10;

/** What a set asks of its node. */
export interface SetRules {
  /** A stamp later than all before, in whichever set, if this node may take a change of the key at this very moment; otherwise undefined. */
  begin(change: NewChange): StampPair | undefined;
  /** A change that nobody waits for any more has come to be pending. */
  appeared(chain: string, key: string): void;
  /** Whether this node may tell of its sets and send attempts at this very moment. */
  isActive(): boolean;
}

export interface KeptSetSettings {
  /** How long after it failed an attempt without an answer may still take effect. */
  readonly settleMs: number;
}

interface Through {
  readonly ended: Promise<void>;
  readonly end: () => void;
}

interface Begun {
  readonly name: string;
  /** On so many other nodes it is to be before it is acknowledged. */
  readonly copies: number;
  readonly ended: Promise<void>;
  readonly end: () => void;
}

/**
 * A set that this node keeps: its journal and what is pending in it, place by place. A change is pending, seen by others and acknowledged,
 * only when every copy has it; and it is done only when every copy has let go of it.
 */
export class KeptSet implements JournalCopies {
  readonly name: CopyName;
  readonly journal: Journal;
  readonly chains = new Map<string, PendingChain>();
  readonly persisters = new Map<string, Persister>();
  /** By place, who sees to the uploads in parts that lie here. */
  readonly uploads = new Map<string, BackUploads>();
  /** As it was last known, or made. */
  record: SetRecord;
  /** Its record is about to go. */
  isEnding = false;
  readonly #clock: Clock;
  readonly #rules: SetRules;
  /** Changes that were begun and are neither pending nor failed, by stamp. */
  readonly #begun = new Map<string, Begun>();
  /** Keys with changes that nobody waits for any more, and that come to be pending all the same; how many. */
  readonly #late = new Map<string, number>();
  /** Changes that the storage has, and that copies are to let go of. */
  readonly #releasing = new Set<PendingEntry>();
  /** Changes that may be on their way to the storage without being pending. */
  readonly #throughs = new Map<PendingEntry, Through>();
  readonly #stopped = new AbortController();
  #writers: readonly CopyWriter[] = [];
  #next: readonly CopyWriter[] = [];
  #messages = 0;
  #isLost = false;
  #isStopped = false;

  /** `entries` and `throughs`: what is in the journal. */
  constructor(
    clock: Clock,
    name: CopyName,
    journal: Journal,
    record: SetRecord,
    { entries, throughs }: HeldEntries,
    rules: SetRules,
    { settleMs }: KeptSetSettings,
  ) {
    this.#clock = clock;
    this.name = name;
    this.journal = journal;
    this.record = record;
    this.#rules = rules;
    if (record.isTakenOver) for (const entry of entries) entry.mayHaveBeenSent();
    for (const place of new Set(entries.map(({ change }) => change.chain))) {
      const own = entries.filter(({ change }) => change.chain === place);
      this.chains.set(place, new PendingChain(place, journal, own, false));
    }
    for (const entry of throughs) {
      this.#passing(entry);
      this.chain(entry.change.chain).setUnsettled(entry.key, clock.monotonicMs() + settleMs);
      clock.sleep(settleMs, this.#stopped.signal).then(
        () => journal.ended(entry),
        () => undefined,
      );
    }
    journal.copyTo(this);
  }

  get writers(): readonly CopyWriter[] {
    return this.#writers;
  }

  /** Another node keeps it: what this one knows of it counts for nothing. */
  get isLost(): boolean {
    return this.#isLost;
  }

  get isActive(): boolean {
    return !this.#isLost && this.#rules.isActive();
  }

  get isEmpty(): boolean {
    if (this.#begun.size > 0 || this.#throughs.size > 0 || this.journal.uploads.count > 0) return false;
    for (const chain of this.chains.values()) if (!chain.isEmpty) return false;
    return true;
  }

  chain(place: string): PendingChain {
    let chain = this.chains.get(place);
    if (!chain) {
      chain = new PendingChain(place, this.journal, [], false);
      this.chains.set(place, chain);
    }
    return chain;
  }

  /** Those that something is to be brought to. */
  placesInUse(): Set<string> {
    const names = this.journal.uploads.places();
    for (const [name, chain] of this.chains) if (!chain.isEmpty) names.add(name);
    return names;
  }

  *entries(): Generator<PendingEntry> {
    for (const chain of this.chains.values()) yield* chain.all();
  }

  /** Whether a write would be on so many disks, this one counted in and two at least, in short time. */
  has(copies: number): boolean {
    if (this.#isLost || this.#writers.length + 1 < Math.max(2, copies)) return false;
    const nowMs = this.#clock.monotonicMs();
    return this.#writers.every(
      ({ silentSinceMs, isFenced, isEnded, isPlaced }) =>
        isPlaced &&
        !isFenced &&
        !isEnded &&
        (silentSinceMs === undefined || nowMs - silentSinceMs < patienceMs),
    );
  }

  /** Orders messages to copies, so that none that was overtaken counts. */
  nextNumber(): readonly [generation: number, count: number] {
    return [this.record.generation, ++this.#messages];
  }

  /** Whether nobody waits for anything here but for copies to let go of what the storage has, or to take what nobody waits for any more. */
  get waitsForCopiesAlone(): boolean {
    let late = 0;
    for (const count of this.#late.values()) late += count;
    if (this.#begun.size > late || this.#throughs.size > 0) return false;
    for (const entry of this.entries()) if (!this.#releasing.has(entry)) return false;
    return true;
  }

  /** Keys that something is pending for, or on its way. */
  *keys(): Generator<readonly [place: string, key: string]> {
    for (const [place, chain] of this.chains) for (const key of chain.keys()) yield [place, key];
    for (const { name } of this.#begun.values()) {
      const at = name.indexOf('\0');
      yield [name.slice(0, at), name.slice(at + 1)];
    }
    for (const { change } of this.#throughs.keys()) yield [change.chain, change.key];
  }

  /** Whether something may be on its way to the storage without being pending. */
  isUnsettled(place: string, key: string): boolean {
    for (const { change } of this.#throughs.keys())
      if (change.key === key && change.chain === place) return true;
    return false;
  }

  /** Resolves when nothing is. */
  async passed(place: string, key: string): Promise<void> {
    for (const [{ change }, { ended }] of [...this.#throughs]) {
      if (change.key === key && change.chain === place) await ended;
    }
  }

  /** Resolves when changes of a key, or under a prefix, that are on their way now are pending, or failed; undefined where none is. */
  settled(
    place: string,
    { key, prefix = '' }: { readonly key?: string; readonly prefix?: string },
  ): Promise<unknown> | undefined {
    const name = nameOf({ chain: place, key: key ?? prefix });
    const isAsked = (begun: Begun) => (key === undefined ? begun.name.startsWith(name) : begun.name === name);
    const asked = [...this.#begun.values()].filter(isAsked);
    return asked.length > 0 ? Promise.all(asked.map(({ ended }) => ended)) : undefined;
  }

  /** Whether a change that its client has given up is still to come to be pending: nothing may pass it by. */
  isAwaiting(place: string, key: string): boolean {
    return this.#late.size > 0 && this.#late.has(nameOf({ chain: place, key }));
  }

  begin(change: NewChange): StampPair {
    const { chain, key } = change;
    if (this.isAwaiting(chain, key)) {
      // It would be acknowledged, and the earlier one take its place when that comes.
      throw new UfsError('throttled', 'an earlier write is on its way to its copies', {
        backend: chain,
        key,
      });
    }
    const stamp = this.#isLost ? undefined : this.#rules.begin(change);
    if (!stamp) {
      throw new UfsError('throttled', 'the object is passing to another node', { backend: chain, key });
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = () => {
      this.#begun.delete(stamp.join('.'));
      resolve();
    };
    const copies = this.#writers.length;
    this.#begun.set(stamp.join('.'), { name: nameOf({ chain, key }), copies, ended: promise, end });
    return stamp;
  }

  failed(stamp: StampPair): void {
    this.#begun.get(stamp.join('.'))?.end();
  }

  async stored(entry: PendingEntry, body: Buffer | undefined): Promise<void> {
    const begun = this.#begun.get(entry.change.stamp.join('.'));
    if (entry.change.type === 'through') {
      this.#passing(entry);
      begun?.end();
      // Where there are no copies it goes through all the same: then only this node knows of it.
      if (!this.has(2)) return;
    }
    const storing = this.#everywhere((writer) => writer.store(entry, body));
    const over = new AbortController();
    const waitMs = storeMs + (entry.change.meta?.sizeBytes ?? 0) * storeMsPerByte;
    const late = this.#clock.sleep(waitMs, over.signal).then(
      () => true,
      () => true,
    );
    try {
      if (!(await Promise.race([storing.then(() => false), late]))) {
        if (entry.change.type !== 'through' && this.#writers.length < (begun?.copies ?? 0)) {
          // The others are gone, and the set goes on without them: it is pending here, and not acknowledged.
          this.#appear(entry);
          begun?.end();
          throw this.#unresolved(entry);
        }
        // By then whoever appended it has made it pending.
        void nextTurn().then(() => begun?.end());
        return;
      }
    } catch (error) {
      begun?.end();
      throw error;
    } finally {
      over.abort();
    }
    if (entry.change.type === 'through') {
      void this.journal.ended(entry);
      storing.catch(() => {});
      throw new UfsError('throttled', 'the copies are not there in time', { backend: '', key: entry.key });
    }
    const name = nameOf(entry.change);
    this.#late.set(name, (this.#late.get(name) ?? 0) + 1);
    const end = () => {
      const left = (this.#late.get(name) ?? 1) - 1;
      if (left === 0) this.#late.delete(name);
      else this.#late.set(name, left);
      begun?.end();
    };
    storing.then(
      () => {
        this.#appear(entry);
        end();
      },
      // The set is lost; whoever keeps it has the change, or nobody does.
      end,
    );
    throw this.#unresolved(entry);
  }

  async released(entry: PendingEntry): Promise<void> {
    this.#throughs.get(entry)?.end();
    this.#releasing.add(entry);
    try {
      await this.#everywhere((writer) => writer.release(entry));
    } finally {
      this.#releasing.delete(entry);
    }
  }

  /**
   * These are to be the copies from the moment on in which `settle` resolves: until then what is pending now goes to those of them that are
   * new, or to all, and what comes goes both to them and to those before. `settle` makes the record say so; false if that did not come about.
   */
  async copyTo(
    writers: readonly CopyWriter[],
    toAll: boolean,
    settle: () => Promise<boolean>,
  ): Promise<boolean> {
    const added = writers.filter((writer) => toAll || !this.#writers.includes(writer));
    this.#next = added;
    let isDone = false;
    try {
      // What has just been found to be on all copies is pending after this.
      await nextTurn();
      const entries = [...this.entries(), ...this.#throughs.keys()];
      await Promise.all(added.flatMap((writer) => entries.map((entry) => writer.store(entry))));
      isDone = await settle();
      return isDone;
    } catch (error) {
      if (error instanceof CopyEnded) return false;
      throw error;
    } finally {
      const before = this.#writers;
      this.#next = [];
      if (isDone) this.#writers = writers;
      const dropped = isDone ? before.filter((writer) => !writers.includes(writer)) : added;
      for (const writer of dropped) writer.end();
    }
  }

  async lose(): Promise<void> {
    this.#isLost = true;
    await this.stop();
    await this.journal.close();
  }

  /** Ends what goes out of the set. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopped.abort();
    for (const writer of [...this.#writers, ...this.#next]) writer.end();
    await Promise.all([...this.persisters.values()].map((persister) => persister.stop()));
  }

  #appear(entry: PendingEntry): void {
    const { chain, key } = entry.change;
    this.chain(chain).add(entry);
    this.#rules.appeared(chain, key);
  }

  #unresolved({ change: { chain: backend, key } }: PendingEntry): UfsError {
    const message = 'the copies of the write are not there in time';
    return new UfsError('unavailable', message, { backend, key, retryable: false, unresolved: true });
  }

  #passing(entry: PendingEntry): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = () => {
      this.#throughs.delete(entry);
      resolve();
    };
    this.#throughs.set(entry, { ended: promise, end });
  }

  /** Runs `work` with every copy, again with those that take their place. */
  async #everywhere(work: (writer: CopyWriter) => Promise<void>): Promise<void> {
    for (;;) {
      const [writers, next] = [this.#writers, this.#next];
      try {
        await Promise.all([...writers, ...next].map(work));
        if (writers === this.#writers && next === this.#next) return;
      } catch (error) {
        if (!(error instanceof CopyEnded)) throw error;
        if (this.#isStopped) {
          const message = 'the set is not kept here any more';
          throw new UfsError('unavailable', message, { backend: '', retryable: false, unresolved: true });
        }
        // Another takes its place, in the same turn if it was replaced.
        await this.#clock.sleep(retryMs);
      }
    }
  }
}
