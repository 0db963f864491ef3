import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Random } from '../../common/random.ts';
import { CoordError } from '../../coord/store.ts';
import { PeerError } from '../../peers/errors.ts';
import { FileSystemError } from '../../ufs/file-system.ts';
import type { HeldCopy, HeldEntries } from './held-copy.ts';
import { KeptSet, type KeptSetSettings, type SetRules } from './kept-set.ts';
import type { SetCopies, SetCopiesSettings } from './set-copies.ts';
import { SetRefusal } from './set-peers.ts';
import { isClosed, keeperOf, type SetCopy, type SetRecord, withCopies, withoutFormer } from './set-record.ts';
import type { SetShelf } from './set-shelf.ts';
import type { SetTable } from './set-table.ts';
import type { Standing } from './standing.ts';

export interface SetUpkeepSettings extends KeptSetSettings, SetCopiesSettings {}

export interface SetUpkeepEvents {
  /** This node keeps a set from now on: what is pending in it is to be brought to its storage. */
  kept(set: KeptSet): void;
  /** It does not any more. */
  lost(set: KeptSet): void;
}

/** Holders take a set over one after the other, so that they do not get into each other's way, ms. */
const turnMs = 1_000;
/** A keeper that was started anew takes its set up again itself, within this time, ms. */
const restartMs = 3_000;

/** Sees to it that each set has a keeper and its copies, and that void ones go. To be asked to look again and again. */
export class SetUpkeep {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #table: SetTable;
  readonly #shelf: SetShelf;
  readonly #copies: SetCopies;
  readonly #standing: Standing;
  readonly #rules: SetRules;
  readonly #settings: SetUpkeepSettings;
  readonly #events: SetUpkeepEvents;
  /** Sets whose copies are being seen to. */
  readonly #busy = new Set<KeptSet>();
  /** Since when a set's keeper has been no member, and which start of its node has been one. */
  readonly #absentSince = new Map<
    string,
    { readonly incarnation: string; readonly present: string | undefined; readonly ms: number }
  >();
  readonly #orphans = new Set<string>();
  /** Copies that are being removed. */
  readonly #removing = new Set<string>();

  constructor(
    clock: Clock,
    random: Random,
    log: Log,
    table: SetTable,
    shelf: SetShelf,
    copies: SetCopies,
    standing: Standing,
    rules: SetRules,
    settings: SetUpkeepSettings,
    events: SetUpkeepEvents,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#table = table;
    this.#shelf = shelf;
    this.#copies = copies;
    this.#standing = standing;
    this.#rules = rules;
    this.#settings = settings;
    this.#events = events;
  }

  /** One look at everything. Rejects with `CoordError` and `FileSystemError`. */
  async look(): Promise<void> {
    const records = new Map(this.#table.known.map((record) => [record.id, record]));
    const names = [...this.#shelf.held, ...this.#shelf.all.map(({ name }) => name)];
    for (const { setId, copyId } of names) {
      await this.#seeTo(records.get(setId), { setId, copyId });
    }
    for (const record of records.values()) {
      await this.#forgetEnded(record);
      await this.#takeOver(record);
    }
    await this.#openCurrent();
    for (const set of this.#shelf.all) {
      if (this.#busy.has(set) || set.isLost) continue;
      this.#busy.add(set);
      this.#maintain(set)
        .catch((error: unknown) => this.#passOver(error))
        .finally(() => this.#busy.delete(set));
    }
  }

  /** Whether the coordination store has an earlier state of a set than its keeper, this node. */
  get hasGoneBack(): boolean {
    const records = new Map(this.#table.known.map((record) => [record.id, record]));
    return this.#shelf.all.some(({ name, record, isEnding }) => {
      const known = records.get(name.setId);
      return !isEnding && (!known || (!isClosed(known) && known.generation < record.generation));
    });
  }

  /** Drops sets that others keep by now, as the coordination store has it at some moment after the call; where that went back, it is told anew what was. */
  async check(): Promise<void> {
    const latest = new Map((await this.#table.latest()).map(({ record }) => [record.id, record]));
    for (const set of this.#shelf.all) {
      const record = latest.get(set.name.setId);
      const isMine = record?.incarnation === this.#standing.incarnation;
      if (set.isEnding) continue;
      if (!record) await this.#table.create(set.record);
      else if (isClosed(record) || (!isMine && record.generation > set.record.generation))
        await this.#remove(set.name, record);
      else if (!isMine || record.generation < set.record.generation) await this.#assert(set, record);
    }
  }

  /** Makes the record say what it has said before. */
  async #assert(set: KeptSet, before: SetRecord): Promise<void> {
    const { copies, incarnation, isTakenOver, generation } = set.record;
    const asserted = await this.#table.change(before.id, (now) =>
      now.generation === before.generation
        ? { ...withCopies(now, copies, { incarnation, isTakenOver }), generation: generation + 1 }
        : undefined,
    );
    if (asserted) set.record = asserted;
  }

  /**
   * A set that has ended, of which the coordination store does not know that any more since it went back, ends again: nobody has anything of
   * it, and so nobody would speak for it.
   */
  async #forgetEnded(record: SetRecord): Promise<void> {
    if (isClosed(record)) {
      const { workerId: self } = this.#standing;
      for (const { workerId, copyId } of record.former) {
        if (workerId !== self || this.#shelf.has(copyId)) continue;
        await this.#table.change(record.id, (now) =>
          isClosed(now) ? withoutFormer(now, copyId) : undefined,
        );
      }
      return;
    }
    if (!this.#shelf.hasEnded(record.id)) return;
    this.#log.warn({ set: record.id }, 'a set of pending writes that has ended was there again');
    await this.#table.change(record.id, (now) => (isClosed(now) ? undefined : withCopies(now, [])));
  }

  /** Ends sets of which no member has a copy: what was pending in them is lost. */
  async giveUp(): Promise<void> {
    for (const { record } of await this.#table.latest()) {
      if (isClosed(record) || (await this.#copies.isAnywhere(record))) continue;
      this.#log.error({ set: record.id, copies: record.copies }, 'what was pending in a set is given up');
      await this.#table.change(record.id, (now) =>
        now.generation === record.generation ? withCopies(now, []) : undefined,
      );
    }
  }

  /** Ends a set in which nothing is pending and nothing will be. True if it could be. */
  async end(set: KeptSet): Promise<boolean> {
    let ended: SetRecord | undefined;
    set.isEnding = true;
    try {
      ended = await this.#table.change(set.name.setId, (record) =>
        record.incarnation === this.#standing.incarnation && set.isEmpty && !isClosed(record)
          ? withCopies(record, [])
          : undefined,
      );
    } finally {
      set.isEnding = ended !== undefined;
    }
    if (!ended) return false;
    await this.#remove(set.name, ended);
    return true;
  }

  /** What one of this node's journals is by its set's record. */
  async #seeTo(record: SetRecord | undefined, name: { setId: string; copyId: string }): Promise<void> {
    const { copyId } = name;
    if (!record) return this.#seeToOrphan(name);
    if (record.former.some((copy) => copy.copyId === copyId)) return this.#remove(name, record);
    const kept = this.#shelf.all.find((set) => set.name.copyId === copyId);
    const isMine = record.incarnation === this.#standing.incarnation;
    // Another one has it by now, whatever it has made of the copy that lies here.
    if (kept && !isMine && record.generation > kept.record.generation) return this.#remove(name, record);
    if (record.copies[0]?.copyId !== copyId) return;
    if (kept) {
      if (record.generation > kept.record.generation) kept.record = record;
      return;
    }
    const held = this.#shelf.copy(copyId);
    if (!held || held.fault !== undefined) return;
    if (isMine) {
      // It was named the keeper, and did not hear of it.
      await this.#adopt(held, record, await held.fence());
      return;
    }
    const taken = await this.#table.change(record.id, (now) =>
      now.copies[0]?.copyId === copyId && now.incarnation !== this.#standing.incarnation
        ? { ...now, generation: now.generation + 1, incarnation: this.#standing.incarnation }
        : undefined,
    );
    if (!taken) return;
    this.#log.info({ set: record.id, entries: held.count }, 'pending writes of before are taken up again');
    await held.fence();
    // Of its own journal it knows more than a copy does.
    const { recovered, throughs } = held.journal;
    await this.#adopt(held, taken, { entries: recovered.filter(({ isOver }) => !isOver), throughs });
  }

  /** A journal that no record names: if there is nothing in it, it was never used. */
  async #seeToOrphan(name: { setId: string; copyId: string }): Promise<void> {
    const held = this.#shelf.copy(name.copyId);
    const latest = await this.#table.latest();
    if (!held || latest.some(({ record }) => record.id === name.setId)) return;
    const isEmpty = held.count === 0 && held.fault === undefined;
    if (isEmpty || this.#shelf.hasEnded(name.setId)) return this.#shelf.remove(name);
    if (this.#orphans.has(name.copyId)) return;
    this.#orphans.add(name.copyId);
    this.#log.error(
      { ...name, entries: held.count },
      'nobody knows of a set in which writes are pending here',
    );
  }

  /** `record`: by which the copy is void. */
  async #remove(name: { setId: string; copyId: string }, record: SetRecord): Promise<void> {
    if (this.#removing.has(name.copyId)) return;
    this.#removing.add(name.copyId);
    try {
      await this.#removeOnce(name, record);
    } finally {
      this.#removing.delete(name.copyId);
    }
  }

  async #removeOnce(name: { setId: string; copyId: string }, record: SetRecord): Promise<void> {
    if (isClosed(record)) await this.#shelf.noteEnded(name.setId);
    const kept = this.#shelf.all.find((set) => set.name.copyId === name.copyId);
    if (kept && !kept.isEmpty) {
      this.#log.warn({ set: name.setId }, 'another node keeps pending writes that this one had');
    }
    // Before it is gone: what was known to lie here lies elsewhere.
    if (kept) this.#events.lost(kept);
    await this.#shelf.remove(name);
    await this.#table.change(name.setId, (record) => withoutFormer(record, name.copyId));
  }

  /** The set is this node's from now on. What its copies lack is seen to before it speaks. */
  async #adopt(held: HeldCopy, record: SetRecord, entries: HeldEntries): Promise<void> {
    const { setId, copyId } = held;
    const name = { setId, copyId };
    const { journal } = held;
    const set = new KeptSet(this.#clock, name, journal, record, entries, this.#rules, this.#settings);
    this.#copies.add(set);
    this.#events.kept(set);
  }

  /** Takes a set over whose keeper is gone, so long that nobody acts on a view in which it was there. */
  async #takeOver(record: SetRecord): Promise<void> {
    const { workerId: self, incarnation } = this.#standing;
    const turn = record.copies.findIndex(({ workerId }) => workerId === self);
    const keeper = this.#standing.members().find(({ workerId }) => workerId === keeperOf(record));
    const isThere = keeper?.incarnation === record.incarnation && keeper.state !== 'suspect';
    // Nobody else has anything of it, and there is nothing to be had.
    const isLeft = turn < 0 && record.isFresh === true && !isClosed(record);
    if ((turn <= 0 && !isLeft) || isThere) {
      this.#absentSince.delete(record.id);
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    const absent = this.#absentSince.get(record.id);
    const { incarnation: expected } = record;
    const present = keeper?.incarnation;
    // One that was started anew joins when the start before it is gone.
    if (absent?.incarnation !== expected || absent.present !== present) {
      this.#absentSince.set(record.id, { incarnation: expected, present, ms: nowMs });
      return;
    }
    if (isLeft) {
      const isOver = nowMs - absent.ms >= this.#standing.outlastMs && this.#standing.isActive();
      if (isOver) await this.#endLeft(record);
      return;
    }
    const isRestarted = present !== undefined && present !== expected;
    const waitMs = this.#standing.outlastMs + (turn - 1) * turnMs + (isRestarted ? restartMs : 0);
    const copy = record.copies[turn] as SetCopy;
    const held = this.#shelf.copy(copy.copyId);
    if (nowMs - absent.ms < waitMs || !held || held.fault !== undefined || !this.#standing.isActive()) return;
    // From here on nobody else can acknowledge a write in this set.
    const found = await held.fence();
    const taken = await this.#table.change(record.id, (now) =>
      now.generation === record.generation
        ? withCopies(now, [copy], { incarnation, isTakenOver: true })
        : undefined,
    );
    if (!taken) {
      held.unfence();
      return;
    }
    this.#log.warn(
      { set: record.id, keeper: keeperOf(record), entries: found.entries.length },
      'pending writes of a node that is gone are taken over',
    );
    await this.#adopt(held, taken, found);
  }

  /** A set whose keeper has gone before it had a copy. */
  async #endLeft(record: SetRecord): Promise<void> {
    // A coordination store that went back may call a set so that had copies.
    if (await this.#copies.hasAnybody(record.id)) return;
    await this.#table.change(record.id, (now) =>
      now.generation === record.generation && now.isFresh ? withCopies(now, []) : undefined,
    );
  }

  async #openCurrent(): Promise<void> {
    const { current } = this.#shelf;
    if (current && !this.#isRecorded(current)) await this.#table.create(current.record);
    if (current || this.#settings.wantedCopies() === 0 || !this.#standing.isActive()) return;
    const { workerId, incarnation } = this.#standing;
    if (this.#standing.members().find((member) => member.workerId === workerId)?.state !== 'joined') return;
    const name = { setId: this.#random.uuid(), copyId: this.#random.uuid() };
    const record: SetRecord = {
      id: name.setId,
      generation: 1,
      incarnation,
      copies: [{ workerId, copyId: name.copyId }],
      building: [],
      former: [],
      isTakenOver: false,
      isFresh: true,
    };
    const journal = await this.#shelf.make(name);
    const none = { entries: [], throughs: [] };
    const set = new KeptSet(this.#clock, name, journal, record, none, this.#rules, this.#settings);
    // Before anybody can hear of it, and before it is known whether it is recorded.
    this.#copies.add(set, true);
    this.#events.kept(set);
    await this.#table.create(record);
  }

  async #maintain(set: KeptSet): Promise<void> {
    const isOver = set !== this.#shelf.current && this.#copies.isWhole(set) && set.isEmpty;
    if (isOver) await this.end(set);
    else if (this.#isRecorded(set)) await this.#copies.maintain(set);
  }

  #isRecorded(set: KeptSet): boolean {
    return this.#table.known.some(({ id }) => id === set.name.setId);
  }

  #passOver(error: unknown): void {
    const isUsual = error instanceof CoordError || error instanceof PeerError || error instanceof SetRefusal;
    if (!isUsual && !(error instanceof FileSystemError)) throw error;
    this.#log.warn({ err: error }, 'copies of pending writes could not be seen to yet');
  }
}
