import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Random } from '../../common/random.ts';
import { CoordError } from '../../coord/store.ts';
import { PeerError } from '../../peers/errors.ts';
import { CopyWriter } from './copy-writer.ts';
import type { KeptSet } from './kept-set.ts';
import { type SetPeers, SetRefusal } from './set-peers.ts';
import { isClosed, type SetCopy, type SetRecord, withBuilding, withCopies } from './set-record.ts';
import type { SetShelf } from './set-shelf.ts';
import type { SetTable } from './set-table.ts';
import type { Standing, StandingMember } from './standing.ts';

export interface SetCopiesSettings {
  /** On how many nodes writes are to be, at most, of all mounts whose writes may be acknowledged before the storage has them; 0: there are none. */
  wantedCopies(): number;
}

/** A copy that has been silent for longer is replaced, ms. */
const silentMs = 2_000;
/** A node that could not be given a copy is not asked again for so long, ms. */
const restMs = 5_000;
const openMs = 2_000;
const pauseMs = 100;
/** A keeper that is back gives the nodes with its copies so long to be there too, ms. */
const returnMs = 10_000;

/** Gives the sets that this node keeps their copies on other nodes, and others in their place when those are gone. */
export class SetCopies {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #table: SetTable;
  readonly #shelf: SetShelf;
  readonly #peers: SetPeers;
  readonly #standing: Standing;
  readonly #settings: SetCopiesSettings;
  /** Sets whose copies have everything for certain. */
  readonly #whole = new WeakSet<KeptSet>();
  readonly #adoptedMs = new WeakMap<KeptSet, number>();
  readonly #resting = new Map<string, number>();
  #isStopped = false;

  constructor(
    clock: Clock,
    random: Random,
    log: Log,
    table: SetTable,
    shelf: SetShelf,
    peers: SetPeers,
    standing: Standing,
    settings: SetCopiesSettings,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#table = table;
    this.#shelf = shelf;
    this.#peers = peers;
    this.#standing = standing;
    this.#settings = settings;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** A set that is this node's from now on. It speaks when its copies have everything: at once, where there are none to be asked. */
  add(set: KeptSet, isCurrent = false): void {
    this.#shelf.keep(set);
    this.#adoptedMs.set(set, this.#clock.monotonicMs());
    if (set.record.copies.length > 1) return;
    this.#whole.add(set);
    this.#shelf.speak(set, isCurrent);
  }

  /** Whether the set's copies have everything for certain. */
  isWhole(set: KeptSet): boolean {
    return this.#whole.has(set);
  }

  /** Whether a member has a copy that the record names, or does not say that it has none. */
  async isAnywhere(record: SetRecord): Promise<boolean> {
    const { workerId: self } = this.#standing;
    const asked = record.copies.map(async ({ workerId, copyId }) => {
      if (workerId === self) return this.#shelf.has(copyId);
      const member = this.#standing.members().find((one) => one.workerId === workerId);
      if (!member) return false;
      return this.#peers
        .ask<boolean>(member, { ask: 'has', setId: record.id, copyId }, openMs)
        .catch(() => true);
    });
    return (await Promise.all(asked)).includes(true);
  }

  /** Whether a member has any copy of the set, or does not say that it has none. */
  async hasAnybody(setId: string): Promise<boolean> {
    const { workerId: self } = this.#standing;
    const asked = this.#standing.members().map(async (member) => {
      if (member.workerId === self) return this.#shelf.hasSet(setId);
      return this.#peers.ask<boolean>(member, { ask: 'has', setId }, openMs).catch(() => true);
    });
    return (await Promise.all(asked)).includes(true);
  }

  /** Gives a set the copies that it is to have. */
  async maintain(set: KeptSet): Promise<void> {
    const { writers } = set;
    const members = this.#others();
    const present = this.#presentCopies(set, members);
    // What is pending keeps its copies though nothing more may come.
    const wanted = Math.max(this.#settings.wantedCopies(), set.isEmpty ? 1 : 2) - 1;
    const missing = Math.max(0, wanted - present.length);
    const nowMs = this.#clock.monotonicMs();
    const fresh = members
      .filter(({ workerId }) => !present.some((copy) => copy.workerId === workerId))
      .filter(({ workerId }) => (this.#resting.get(workerId) ?? 0) <= nowMs)
      .slice(0, missing);
    const isWhole = this.#whole.has(set);
    const lacks = set.record.copies.length - 1 - present.length;
    const hasToWait = missing > 0 && !(set.waitsForCopiesAlone && this.#areGone(set, present));
    if (isWhole && fresh.length === 0 && (lacks === 0 || hasToWait)) return;
    if (!isWhole && (!this.#standing.isActive() || (lacks > fresh.length && this.#isNew(set)))) return;
    const added = fresh.map(({ workerId }) => ({ workerId, copyId: this.#random.uuid() }));
    const kept = present.map(
      (copy) => writers.find((writer) => writer.copy.copyId === copy.copyId) ?? this.#writerOf(set, copy),
    );
    await this.#rebuild(set, present, kept, added);
  }

  async #rebuild(
    set: KeptSet,
    present: readonly SetCopy[],
    kept: readonly CopyWriter[],
    added: readonly SetCopy[],
  ): Promise<void> {
    if (added.length > 0) {
      const announced = await this.#change(set, (record) => withBuilding(record, added));
      if (!announced) return;
    }
    const fresh = added.map((copy) => this.#writerOf(set, copy));
    const writers = [...kept, ...fresh];
    const own = set.record.copies[0] as SetCopy;
    const copies = [own, ...present, ...added];
    const watch = this.#watchSilence(this.#whole.has(set) ? fresh : writers);
    let isDone = false;
    try {
      await Promise.all(added.map((copy) => this.#openCopy(set, copy)));
      isDone = await set.copyTo(writers, !this.#whole.has(set), () => this.#settle(set, copies));
    } catch (error) {
      if (!(error instanceof PeerError || error instanceof SetRefusal)) throw error;
      for (const { workerId } of added) this.#rest(workerId);
    } finally {
      watch.abort();
      for (const writer of fresh) if (!isDone) writer.end();
    }
    if (!isDone) {
      await this.#change(set, (record) => withCopies(record, record.copies));
      return;
    }
    if (this.#whole.has(set)) return;
    this.#whole.add(set);
    this.#shelf.speak(set);
  }

  /** Makes the record name these copies; resolves only when that is known, one way or the other. */
  async #settle(set: KeptSet, copies: readonly SetCopy[]): Promise<boolean> {
    const wanted = JSON.stringify(copies);
    const isMine = (record: SetRecord) => record.incarnation === this.#standing.incarnation;
    let isDone = false;
    while (!this.#isStopped && !set.isLost) {
      try {
        const changed = await this.#table.change(set.name.setId, (record) => {
          isDone = isMine(record) && JSON.stringify(record.copies) === wanted;
          if (isDone || !isMine(record) || isClosed(record)) return undefined;
          return withCopies(latestOf(set, record), copies);
        });
        if (changed) set.record = changed;
        return isDone || changed !== undefined;
      } catch (error) {
        // It may have been made: until that is known, writes go to the copies of before and to these.
        if (!(error instanceof CoordError)) throw error;
        await this.#clock.sleep(pauseMs);
      }
    }
    return false;
  }

  async #change(set: KeptSet, change: (record: SetRecord) => SetRecord): Promise<boolean> {
    const { incarnation } = this.#standing;
    const changed = await this.#table.change(set.name.setId, (record) =>
      record.incarnation === incarnation && !isClosed(record) ? change(latestOf(set, record)) : undefined,
    );
    if (changed) set.record = changed;
    return changed !== undefined;
  }

  async #openCopy(set: KeptSet, { workerId, copyId }: SetCopy): Promise<void> {
    const to = this.#others().find((member) => member.workerId === workerId);
    if (!to) throw new SetRefusal('the node is gone');
    await this.#peers.ask(to, { ask: 'open', setId: set.name.setId, copyId }, openMs);
  }

  /** Ends writers that say nothing for too long, so that others are chosen. */
  #watchSilence(writers: readonly CopyWriter[]): AbortController {
    const over = new AbortController();
    const watch = async () => {
      while (!over.signal.aborted) {
        await this.#clock.sleep(pauseMs, over.signal).catch(() => {});
        for (const writer of writers) {
          if (over.signal.aborted || !this.#isSilent(writer)) continue;
          this.#rest(writer.copy.workerId);
          writer.end();
        }
      }
    };
    void watch();
    return over;
  }

  #isSilent({ silentSinceMs }: CopyWriter): boolean {
    return silentSinceMs !== undefined && this.#clock.monotonicMs() - silentSinceMs > silentMs;
  }

  #rest(workerId: string): void {
    this.#resting.set(workerId, this.#clock.monotonicMs() + restMs);
  }

  /** Copies of a set, beside its keeper's, that can stay. */
  #presentCopies(set: KeptSet, members: readonly StandingMember[]): SetCopy[] {
    const nowMs = this.#clock.monotonicMs();
    return set.record.copies.slice(1).filter(({ workerId, copyId }) => {
      if (!members.some((member) => member.workerId === workerId)) return false;
      const writer = set.writers.find((one) => one.copy.copyId === copyId);
      if (!writer) return (this.#resting.get(workerId) ?? 0) <= nowMs;
      return !writer.isFenced && !writer.isEnded && !this.#isSilent(writer);
    });
  }

  /** Whether the nodes of all other copies are no members, so that they cannot let go of anything. */
  #areGone({ record }: KeptSet, present: readonly SetCopy[]): boolean {
    const there = new Set(this.#standing.members().map(({ workerId }) => workerId));
    return record.copies
      .slice(1)
      .every((copy) => present.some(({ copyId }) => copyId === copy.copyId) || !there.has(copy.workerId));
  }

  #writerOf(set: KeptSet, copy: SetCopy): CopyWriter {
    return new CopyWriter(this.#clock, this.#log, this.#peers, set.journal, copy, {
      address: () => this.#standing.members().find(({ workerId }) => workerId === copy.workerId),
      number: () => set.nextNumber(),
    });
  }

  /** The others that have joined, beginning behind this node, so that not all choose the same ones. */
  #others(): StandingMember[] {
    const joined = this.#standing.members().filter(({ state }) => state === 'joined');
    const { workerId: self } = this.#standing;
    return [
      ...joined.filter(({ workerId }) => workerId > self),
      ...joined.filter(({ workerId }) => workerId < self),
    ];
  }

  #isNew(set: KeptSet): boolean {
    return this.#clock.monotonicMs() - (this.#adoptedMs.get(set) ?? 0) < returnMs;
  }
}

/** Where the coordination store went back, what the keeper knows of its set is later than what is found there. */
function latestOf(set: KeptSet, found: SetRecord): SetRecord {
  return found.generation < set.record.generation ? set.record : found;
}
